"""The order between interactions and versions, rule by rule (contract, part 3)."""

from __future__ import annotations

import itertools

import pytest

from stream.log.protocol import Record
from stream.service.align import Aligner, Rules
from stream.service.item import Item, PendingVersion
from tests.service.counting_learner import event, version


class Bench:
    """Feeds an aligner and plays the service: trains at once, applies every version in number order."""

    def __init__(self, partitions: int = 1, **rules: float | bool) -> None:
        self.aligner = Aligner(range(partitions), Rules(**rules))  # type: ignore[arg-type]
        self.version = 0
        self.now = 0.0
        self.standing: set[int] = set()
        self._offsets = [itertools.count() for _ in range(partitions)]
        self._arrivals = itertools.count()
        self._versions = itertools.count()

    def send(self, partition: int, *values: bytes) -> None:
        for value in values:
            record = Record("interactions", partition, next(self._offsets[partition]), None, value, None)
            self.aligner.arrive([Item.decode(record, next(self._arrivals))])

    def publish(self, *values: bytes) -> None:
        for value in values:
            self.aligner.deliver(PendingVersion.decode(Record("schema", 0, next(self._versions), None, value, None)))

    def looking(self, until: float, every: float = 0.5) -> list[str]:
        """Let time pass while it looks, and take all that can be taken meanwhile, in words."""
        said = []
        while self.now < until:
            self.now = min(until, self.now + every)
            said += self.out()
        return said

    def out(self, reject: tuple[int, ...] = ()) -> list[str]:
        """Take all that can be taken, in words."""
        said = []
        while (taken := self.aligner.take(self.now, self.standing)) is not None:
            if isinstance(taken, PendingVersion):
                number = taken.number
                if taken.version is None or number in reject or number != self.version + 1:
                    said.append(f"reject {number}")
                    self.aligner.rejected(taken)
                else:
                    self.version = number
                    said.append(f"version {number}")
                    self.aligner.in_effect(number, taken.version.ts)
                continue
            for item in taken:
                if item.reason:
                    said.append(f"dead {item.reason}")
                else:
                    assert item.interaction is not None
                    said.append(item.interaction.id)
                    self.aligner.event_time_ms = max(self.aligner.event_time_ms or 0, item.interaction.ts)
        return said


def test_nothing_is_taken_before_version_1_is_delivered() -> None:
    bench = Bench()
    assert not bench.aligner.open
    bench.send(0, event("a", 10))
    assert bench.out() == []
    bench.publish(version(1, 5))
    assert bench.aligner.open
    assert bench.out() == ["version 1", "a"]


def test_a_version_takes_effect_before_the_first_interaction_at_its_time_or_after() -> None:
    bench = Bench()
    bench.publish(version(1, 0), version(2, 20))
    bench.send(0, event("a", 19), event("b", 20), event("c", 21))
    assert bench.out() == ["version 1", "a", "version 2", "b", "c"]


def test_an_interaction_before_version_1_is_trained_under_no_schema() -> None:
    bench = Bench()
    bench.publish(version(1, 10))
    bench.send(0, event("a", 9), event("b", 10))
    assert bench.out() == ["a", "version 1", "b"]


def test_an_interaction_at_a_boundary_waits_for_earlier_ones_of_other_partitions() -> None:
    bench = Bench(partitions=2)
    bench.publish(version(1, 0), version(2, 20))
    bench.send(0, event("a", 1), event("b", 20))
    bench.send(1, event("c", 2))
    assert bench.out() == ["version 1", "a", "c"]
    bench.send(1, event("d", 19), event("e", 25))
    assert bench.out() == ["d", "version 2", "b", "e"]


def test_a_partition_that_has_stood_at_its_end_is_not_waited_for() -> None:
    bench = Bench(partitions=2)
    bench.standing = {1}
    bench.publish(version(1, 0), version(2, 20))
    bench.send(0, event("a", 1), event("b", 20))
    assert bench.out() == ["version 1", "a", "version 2", "b"]


def test_a_version_whose_time_has_passed_takes_effect_at_once() -> None:
    bench = Bench(partitions=2)
    bench.standing = {0, 1}
    bench.publish(version(1, 0))
    bench.send(0, event("a", 30))
    assert bench.out() == ["version 1", "a"]
    bench.standing = set()
    bench.publish(version(2, 30))
    assert bench.out() == ["version 2"]


def test_a_version_in_the_future_waits_and_so_does_all_after_it() -> None:
    bench = Bench()
    bench.publish(version(1, 0), version(2, 1000), version(3, 10))
    bench.send(0, event("a", 20))
    assert bench.out() == ["version 1", "a"]
    bench.send(0, event("b", 1000))
    assert bench.out() == ["version 2", "version 3", "b"]


def test_late_events_are_trained_under_the_schema_in_force() -> None:
    bench = Bench()
    bench.publish(version(1, 0), version(2, 20))
    bench.send(0, event("a", 20), event("b", 5))
    assert bench.out() == ["version 1", "version 2", "a", "b"]


def test_an_interaction_puts_the_version_that_it_names_in_effect_with_all_before_it() -> None:
    bench = Bench()
    bench.publish(version(1, 0), version(2, 500), version(3, 400), version(4, 600))
    bench.send(0, event("a", 10), event("b", 11, 3), event("c", 12, 1))
    assert bench.out() == ["version 1", "a", "version 2", "version 3", "b", "c"]


def test_a_named_version_is_a_boundary_at_the_interaction_s_own_time() -> None:
    bench = Bench(partitions=2)
    bench.publish(version(1, 0), version(2, 500))
    bench.send(0, event("a", 50, 2))
    bench.send(1, event("b", 40), event("c", 60))
    assert bench.out() == ["version 1", "b", "version 2", "a", "c"]


def test_an_undelivered_version_holds_its_partition_alone_and_for_a_bounded_time() -> None:
    bench = Bench(partitions=2, version_wait_seconds=30.0)
    bench.standing = {0, 1}
    bench.publish(version(1, 0))
    bench.send(0, event("a", 50, 2), event("b", 51))
    bench.send(1, event("c", 60))
    assert bench.out() == ["version 1", "c"]
    assert bench.looking(30.0) == []
    assert bench.looking(30.5) == ["dead version_missing", "b"]


def test_a_stall_is_no_wait_for_a_version_that_may_have_been_published_meanwhile() -> None:
    bench = Bench(version_wait_seconds=30.0)
    bench.publish(version(1, 0))
    bench.send(0, event("a", 50, 2))
    assert bench.out() == ["version 1"]
    bench.now = 3600.0  # SIGSTOP, a long step, a client that blocks: the schema topic was not read
    assert bench.out() == []
    bench.publish(version(2, 40))
    assert bench.out() == ["version 2", "a"]


def test_those_who_name_the_same_missing_version_share_one_wait() -> None:
    bench = Bench(version_wait_seconds=30.0)
    bench.publish(version(1, 0))
    bench.send(0, *(event(f"e{index}", 50 + index, 2) for index in range(3)))
    assert bench.out() == ["version 1"]
    assert bench.looking(30.5) == ["dead version_missing"] * 3
    bench.now = 100.0
    bench.send(0, event("later", 60, 2))
    assert bench.out() == []
    bench.publish(version(2, 60))
    assert bench.out() == ["version 2", "later"]


def test_a_rejected_version_is_waited_for_and_its_correction_is_taken() -> None:
    bench = Bench(version_wait_seconds=30.0)
    bench.publish(version(1, 0), version(2, 40))
    bench.send(0, event("a", 50, 2))
    assert bench.out(reject=(2,)) == ["version 1", "reject 2"]
    bench.publish(version(2, 40))
    assert bench.out() == ["version 2", "a"]


def test_who_names_a_version_that_stays_rejected_becomes_a_dead_letter() -> None:
    bench = Bench(version_wait_seconds=30.0)
    bench.publish(version(1, 0), version(2, 40))
    bench.send(0, event("a", 50, 2))
    assert bench.out(reject=(2,)) == ["version 1", "reject 2"]
    assert bench.looking(30.5) == ["dead version_rejected"]


def test_without_a_valid_version_1_nothing_more_is_trained_until_one_comes() -> None:
    bench = Bench()
    bench.publish(version(1, 0))
    bench.send(0, event("a", 1))
    assert bench.out(reject=(1,)) == ["reject 1"]
    assert not bench.aligner.open
    bench.publish(version(1, 0))
    assert bench.out() == ["version 1", "a"]


def test_records_that_can_take_no_effect_are_handed_out_at_once_and_in_order() -> None:
    bench = Bench()
    bench.publish(version(1, 0), b"not json")
    bench.send(0, event("a", 1))
    assert bench.out() == ["version 1", "reject None", "a"]
    bench.publish(version(1, 10_000), version(2, 10_000))
    assert bench.out() == ["reject 1"]


def test_in_files_nobody_waits_for_a_version() -> None:
    bench = Bench(more_versions=False)
    bench.standing = {0}
    bench.publish(version(1, 0))
    bench.send(0, event("a", 1, 2), event("b", 2))
    assert bench.out() == ["version 1", "dead version_missing", "b"]


def test_dead_letters_do_not_wait_at_a_boundary() -> None:
    bench = Bench(partitions=2)
    bench.publish(version(1, 0), version(2, 20))
    bench.send(0, event("a", 1))
    bench.send(1, b"{}", event("b", 20), b"[]")
    assert bench.out() == ["dead missing_id", "version 1", "a"]
    bench.standing = {0}
    assert bench.out() == ["version 2", "b", "dead not_object"]


def test_what_was_given_back_meets_a_version_that_came_meanwhile() -> None:
    bench = Bench(partitions=2)
    bench.standing = {0, 1}
    bench.publish(version(1, 0))
    bench.send(0, event("z", 1))
    bench.out()
    bench.send(0, event("a", 10), event("b", 30))
    bench.send(1, event("c", 20))
    handed_out = []
    while isinstance(taken := bench.aligner.take(0.0, bench.standing), list):
        handed_out += taken
    assert len(handed_out) == 3
    bench.aligner.give_back(handed_out)
    bench.publish(version(2, 25))
    assert bench.out() == ["a", "c", "version 2", "b"]


@pytest.mark.parametrize("holding", [True, False])
def test_with_the_holding_off_nobody_waits_for_anybody(holding: bool) -> None:
    bench = Bench(partitions=2, holding=holding)
    bench.publish(version(1, 0), version(2, 20))
    bench.send(0, event("a", 1), event("b", 20), event("c", 21, 3))
    bench.send(1, event("d", 2))
    held = ["version 1", "a", "d"]
    assert bench.out() == (held if holding else ["version 1", "a", "version 2", "b", "c", "d"])


def test_what_waits_is_counted_in_records_and_bytes() -> None:
    bench = Bench(partitions=2)
    bench.send(0, event("a", 1), b"{}")
    assert bench.aligner.waiting() == {0: (2, len(event("a", 1)) + 2), 1: (0, 0)}
    bench.publish(version(1, 0))
    bench.standing = {0, 1}
    bench.out()
    assert bench.aligner.waiting() == {0: (0, 0), 1: (0, 0)}
    assert bench.aligner.empty


def test_a_wait_ends_however_seldom_it_is_looked_at() -> None:
    bench = Bench(version_wait_seconds=0.2)
    bench.publish(version(1, 0))
    bench.send(0, event("a", 10), event("b", 20, schema_version=7), event("c", 30))
    assert bench.out() == ["version 1", "a"]
    assert bench.looking(0.5) == []
    # A loop that is slower than the bound must not begin the wait anew each time.
    assert bench.looking(1.0) == ["dead version_missing", "c"]


def test_a_loop_slower_than_the_bound_still_ends_a_wait() -> None:
    bench = Bench(version_wait_seconds=0.1)
    bench.publish(version(1, 0))
    bench.send(0, event("a", 50, 2))
    assert bench.out() == ["version 1"]
    assert bench.looking(120.0, every=60.0) == ["dead version_missing"]


def test_between_boundaries_events_come_as_they_arrived() -> None:
    bench = Bench(partitions=2)
    bench.standing = {0, 1}
    bench.publish(version(1, 0))
    bench.send(0, event("a", 9))
    bench.send(1, event("b", 5), event("c", 6))
    bench.send(0, event("d", 1))
    bench.send(1, event("e", 2))
    assert bench.out() == ["version 1", "a", "b", "c", "d", "e"]
