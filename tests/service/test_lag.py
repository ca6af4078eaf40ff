"""Lag counts what is not yet learned from: unfetched records, those held, and those in the half-filled batch."""

from __future__ import annotations

from stream.observe import Observer, Poll
from stream.testing import MemoryLog
from tests.service.counting_learner import event, version
from tests.service.serving import Run


class Lags(Observer):
    """Keeps each poll's lag."""

    def __init__(self) -> None:
        self.seen: list[dict[int, int]] = []

    def polled(self, poll: Poll) -> None:
        self.seen.append(dict(poll.lag))


def test_a_record_is_behind_until_it_is_trained_or_dead_lettered() -> None:
    log = MemoryLog(2)
    log.publish(version(1, 0))
    log.publish(version(2, 100))
    for index in range(7):  # a batch of four, two for the next one, and a dead letter behind these
        log.send(b"broken" if index == 6 else event(f"e{index}", index), 0)
    log.send(event("held", 100), 0)
    log.send(event("there", 50), 1)
    log.later(3.0, event("releases", 101), 1)
    lags = Lags()
    Run(log, None, "idle_seconds=10", observer=lags).run()
    assert lags.seen[0] == {0: 8, 1: 1}, "what the first poll fetched is not trained yet"
    assert lags.seen[1] == {0: 4, 1: 1}, "three in the batch, the dead letter behind its two, one held"
    assert lags.seen[-1] == {0: 1, 1: 1}, "version 2 ended the batch; the next one waits for the end"
    assert all(lag[0] in (4, 1) for lag in lags.seen[1:])


def test_a_half_filled_batch_is_behind_and_what_it_held_is_not_once_trained() -> None:
    log = MemoryLog()
    log.publish(version(1, 0))
    for index in range(3):
        log.send(event(f"e{index}", index))
    log.later(1.0, event("fourth", 3), 0)
    lags = Lags()
    Run(log, None, observer=lags).run()
    assert [lag[0] for lag in lags.seen][:2] == [3, 3]
    assert 4 in [lag[0] for lag in lags.seen]
    assert lags.seen[-1] == {0: 0}
