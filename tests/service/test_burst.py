"""When invalid records are a burst."""

from __future__ import annotations

import pytest

from stream.errors import DeadLetterBurst
from stream.log.protocol import Record
from stream.service.burst import BurstGuard
from stream.service.item import Item
from tests.service.counting_learner import event

GOOD = Item.decode(Record("interactions", 0, 0, None, event("a", 1), None))
BAD = Item.decode(Record("interactions", 3, 17, None, b"bad", None))


def test_one_more_than_the_bound_within_the_window_is_a_burst_and_says_where() -> None:
    guard = BurstGuard(most=2, window=5)
    for item in (BAD, GOOD, BAD, GOOD, GOOD, BAD, GOOD, GOOD, GOOD, BAD, BAD):
        guard.saw(item)
    with pytest.raises(
        DeadLetterBurst, match=r"3 of the last 5 .* interactions-3 at offset 17 \(not_json: the value is not JSON"
    ):
        guard.saw(BAD)


def test_what_was_given_back_is_not_counted_twice() -> None:
    guard = BurstGuard(most=2, window=10)
    for _ in range(5):
        guard.saw(BAD)
        guard.saw(GOOD)
        guard.unsee(2)
    guard.saw(BAD)
    guard.saw(BAD)
    with pytest.raises(DeadLetterBurst):
        guard.saw(BAD)


def test_a_restart_remembers_what_is_settled_and_nothing_else() -> None:
    guard = BurstGuard(most=2, window=4)
    for item in (GOOD, BAD, BAD, GOOD):
        guard.saw(item)
    assert guard.state(unsettled=0) == ".xx."
    assert guard.state(unsettled=2) == ".x"
    assert guard.state(unsettled=9) == ""
    resumed = BurstGuard(2, 4, guard.state(unsettled=1))
    with pytest.raises(DeadLetterBurst):
        resumed.saw(BAD)
