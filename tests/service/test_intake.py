"""How long a partition has stood at its end, and what an observer is told of a fetch."""

from __future__ import annotations

from collections.abc import Mapping

from stream.observe import Observer, Poll
from stream.service.intake import RECORD_BYTES, Intake, IntakeBounds
from stream.testing import MemoryLog, MemorySchemaSource, MemorySource
from tests.service.counting_learner import event, version


class Told(Observer):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.polls: list[tuple[int, Mapping[int, int]]] = []
        self.held_events: list[tuple[int, int]] = []

    def polled(self, poll: Poll) -> None:
        self.polls.append((poll.records, poll.lag))

    def held(self, partition: int, events: int) -> None:
        self.held_events.append((partition, events))


def intake(log: MemoryLog, told: Observer | None = None, **bounds: float) -> tuple[Intake, MemorySource]:
    source = MemorySource(log)
    source.seek(source.beginning_offsets())
    bounded = IntakeBounds(**bounds)  # type: ignore[arg-type]
    return Intake(source, MemorySchemaSource(log), bounded, told or Observer(), log.clock), source


def test_a_partition_stands_once_it_was_at_its_end_for_the_idle_time() -> None:
    log = MemoryLog(2)
    log.send(event("a", 1), 1)
    taken, _ = intake(log, idle_seconds=1.0)
    taken.fetch(0.0, {})
    for _ in range(5):
        assert taken.standing == set()
        taken.fetch(0.25, {})
    taken.fetch(0.25, {})
    assert taken.standing == {0, 1}
    assert taken.ended


def test_time_in_which_nobody_asked_is_no_time_at_the_end() -> None:
    """A loaded machine: the process was busy or its client blocked, and a partition passed for idle unasked."""
    log = MemoryLog(2)
    taken, _ = intake(log, idle_seconds=1.0)
    taken.fetch(0.0, {})
    log.clock.sleep(3.6)  # a step, a checkpoint, a blocked client
    taken.fetch(0.0, {})
    assert taken.standing == set()
    for _ in range(2):
        taken.fetch(0.4, {})
        assert taken.standing == set()
    taken.fetch(0.4, {})
    assert taken.standing == {0, 1}


def test_a_record_ends_the_standing_of_its_partition_at_once() -> None:
    log = MemoryLog(2)
    taken, _ = intake(log, idle_seconds=1.0)
    for _ in range(4):
        taken.fetch(0.5, {})
    assert taken.standing == {0, 1}
    log.send(event("a", 1), 1)
    taken.fetch(0.0, {})
    assert taken.standing == {0}
    assert not taken.ended


def test_a_version_that_was_published_during_a_fetch_comes_with_it() -> None:
    log = MemoryLog(1)
    taken, source = intake(log)
    poll = source.poll

    def publishing(max_records: int, timeout_seconds: float) -> list[object]:
        log.publish(version(1, 0))
        log.send(event("a", 1))
        return list(poll(max_records, timeout_seconds))

    source.poll = publishing  # type: ignore[assignment, method-assign]
    items, versions = taken.fetch(0.0, {})
    assert [item.record.offset for item in items] == [0]
    assert [pending.number for pending in versions] == [1]


def test_fetches_and_waits_are_reported() -> None:
    log = MemoryLog(1)
    for index in range(5):
        log.send(event(f"e{index}", index))
    told = Told()
    taken, _ = intake(log, told, poll_records=3)
    taken.fetch(0.0, {0: 4})
    assert told.polls == [(3, {0: 2 + 3 + 4})], "left in the log, fetched now, fetched before"
    taken.regulate({0: (3, 100)})
    taken.regulate({0: (0, 0)})
    taken.regulate({0: (0, 0)})
    assert told.held_events == [(0, 3), (0, 0)]


def test_a_partition_is_paused_at_its_bound_and_resumed_at_half_of_it() -> None:
    log = MemoryLog(2)
    taken, source = intake(log, partition_events=10, partition_bytes=1000)
    taken.regulate({0: (9, 999), 1: (1, 1000)})
    assert source.paused == {1}
    taken.regulate({0: (10, 10), 1: (1, 501)})
    assert source.paused == {0, 1}
    taken.regulate({0: (6, 10), 1: (1, 500)})
    assert source.paused == {0}
    taken.regulate({0: (5, 10), 1: (0, 0)})
    assert source.paused == set()


def test_all_partitions_together_have_a_bound_and_the_one_waited_for_is_read_on() -> None:
    log = MemoryLog(3)
    taken, source = intake(log, process_bytes=10_000 + 20 * RECORD_BYTES)
    taken.regulate({0: (10, 5000), 1: (9, 5799), 2: (0, 0)})
    assert source.paused == set()
    taken.regulate({0: (10, 5000), 1: (10, 5000), 2: (0, 0)})
    assert source.paused == {0, 1}
    taken.regulate({0: (10, 5000), 1: (1, 1), 2: (0, 0)})
    assert source.paused == {0, 1}, "more than half of the bound waits"
    taken.regulate({0: (11, 5000), 1: (0, 0), 2: (0, 0)})
    assert source.paused == {0}, "nothing of the second waits, so others may wait for it"
    taken.regulate({0: (9, 5000), 1: (0, 0), 2: (0, 0)})
    assert source.paused == set()


def test_of_a_large_fetch_most_waits_as_bytes() -> None:
    log = MemoryLog(1)
    for number in range(20):
        log.send(event(f"{number}-" + "x" * (1 << 20), number))
    taken, _ = intake(log)
    items, _ = taken.fetch(0.0, {})
    assert [item.packed for item in items] == [False] * 3 + [True] * 17
    assert [item.interaction.ts for item in items if item.interaction is not None] == list(range(20))
    items[19].unpack()
    assert items[19].interaction is not None
    assert items[19].interaction.id.startswith("19-x")
