"""A log that does not answer loses nothing that was read, and is told of once."""

from __future__ import annotations

import pytest

from stream.errors import BrokerUnavailable, LogError
from stream.observe import Observer
from stream.service.intake import Intake, IntakeBounds
from stream.service.patience import Patience
from stream.testing import Clock, MemoryLog, MemorySchemaSource, MemorySource
from tests.service.counting_learner import event, version


class Told(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def log_away(self, reason: str, seconds: float) -> None:
        self.lines.append(f"away {seconds:g}")

    def log_back(self, seconds: float) -> None:
        self.lines.append(f"back {seconds:g}")


def test_questions_go_on_until_there_is_an_answer_or_the_patience_ends() -> None:
    clock, told = Clock(), Told()
    patience = Patience(10.0, clock, told)

    def in_vain() -> int:
        clock.sleep(4.0)
        raise BrokerUnavailable("Nobody answers.")

    assert patience.ask(lambda: 1) == 1
    assert patience.ask(in_vain) is None
    assert patience.ask(in_vain) is None
    assert patience.away
    assert patience.ask(lambda: 2) == 2
    assert told.lines == ["away 4", "away 8", "back 8"]
    assert patience.ask(in_vain) is None
    assert patience.ask(in_vain) is None
    with pytest.raises(BrokerUnavailable, match="away for 12 s"):
        patience.ask(in_vain)


def test_what_is_no_absence_is_raised_at_once() -> None:
    def broken() -> int:
        raise LogError("The topic is gone.")

    with pytest.raises(LogError, match="gone"):
        Patience(10.0, Clock(), Told()).ask(broken)


@pytest.mark.parametrize("fails_at", ["schema", "ends"])
def test_records_that_were_read_before_a_question_failed_come_with_the_next(fails_at: str) -> None:
    log = MemoryLog(1)
    source, schema = MemorySource(log), MemorySchemaSource(log)
    source.seek(source.beginning_offsets())
    taken = Intake(source, schema, IntakeBounds(), Observer(), log.clock)
    log.publish(version(1, 0))
    log.send(event("a", 1))
    held, name = (schema, "read_to_end") if fails_at == "schema" else (source, "end_offsets")
    answers = getattr(held, name)

    def away(*_: object) -> object:
        setattr(held, name, answers)
        raise BrokerUnavailable("Nobody answers.")

    setattr(held, name, away)
    with pytest.raises(BrokerUnavailable):
        taken.fetch(0.0, {})
    log.send(event("b", 2))
    items, versions = taken.fetch(0.0, {})
    more, further = taken.fetch(0.0, {})
    assert [item.record.offset for item in (*items, *more)] == [0, 1]
    assert [pending.number for pending in (*versions, *further)] == [1]
