"""A learner without version 1 says at once what it misses, in the log and to its health, and says it once."""

from __future__ import annotations

import logging

import pytest

from stream.metrics.health import Health
from stream.observe import CompositeObserver, Observer
from stream.testing import MemoryLog
from tests.service.counting_learner import event, version
from tests.service.serving import Run


class Heard(Observer):
    def __init__(self) -> None:
        self.said: list[tuple[str, bool]] = []

    def stands_by(self, what_is_missing: str, lost: bool) -> None:
        self.said.append((what_is_missing, lost))


def test_a_compacted_schema_topic_is_told_from_one_that_waits_for_its_first_version(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "stream.service")
    log, heard = MemoryLog(), Heard()
    health = Health(log.clock, 1000.0)
    log.send(event("e", 1))
    run = Run(log, None, observer=CompositeObserver([heard, health]), stop_at_end=False)
    for _ in range(3):
        run.service._step()
    assert [lost for _, lost in heard.said] == [False]
    assert "holds no version 1 up to offset 0" in heard.said[0][0]
    assert health.ready().ok
    assert health.ready().reason == heard.said[0][0]

    log.publish(version(4, 0))
    log.publish(version(5, 0))
    for _ in range(3):
        run.service._step()
    assert len(heard.said) == 2, "said once"
    sentence, lost = heard.said[1]
    assert lost
    assert "does not hold version 1: the first version there, at offset 0, is 4" in sentence
    assert not health.ready().ok
    assert health.ready().reason == sentence
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == [sentence]

    log.publish(version(1, 0))
    for _ in range(5):
        run.service._step()
    assert health.ready().ok
    assert "restored" in health.ready().reason
    run.die()
