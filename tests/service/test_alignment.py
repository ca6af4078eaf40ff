"""The whole loop over several partitions equals one pass over a file, whatever arrives when."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.testing import MemoryLog
from tests.service.counting_learner import event, version
from tests.service.serving import Run

Lines = list[tuple[str, int]]


@dataclass(frozen=True)
class Stream:
    """A file of events (id, ts, named version) and one of versions (number, ts)."""

    events: list[tuple[str, int, int | None]]
    versions: list[tuple[int, int]]


def naive_file_pass(stream: Stream) -> Lines:
    """Walk the lines by event time as the contract says, with no batch, queue or clock."""
    lines, current = [], 0
    times = [max(ts for _, ts in stream.versions[: index + 1]) for index in range(len(stream.versions))]
    for name, ts, named in sorted(stream.events, key=lambda line: line[1]):
        while current < len(times) and times[current] <= ts:
            current += 1
        if named is not None:
            current = max(current, named)
        lines.append((name, current))
    return lines


@st.composite
def streams(draw: st.DrawFn, naming: bool = False) -> Stream:
    size = draw(st.integers(1, 30))
    times = sorted(draw(st.lists(st.integers(0, 40), min_size=size, max_size=size, unique=naming)))
    versions = [(index + 1, ts) for index, ts in enumerate(draw(st.lists(st.integers(0, 45), min_size=1, max_size=6)))]
    plain = Stream([(f"e{index}", ts, None) for index, ts in enumerate(times)], versions)
    if not naming:
        return plain
    # As a careful producer would: each event names the version that is in effect at it in the file.
    in_effect = dict(naive_file_pass(plain))
    return Stream([(name, ts, in_effect[name] or None) for name, ts, _ in plain.events], versions)


def served(stream: Stream, log: MemoryLog, *assignments: str) -> Lines:
    run = Run(log, None, *assignments)
    summary = run.run()
    assert summary["events_trained"] == len(stream.events)
    return run.learner.lines


@settings(max_examples=150, deadline=None)
@given(streams(), st.data())
def test_several_partitions_with_delays_below_the_idle_time_equal_the_file_pass(
    stream: Stream, data: st.DataObject
) -> None:
    partitions = data.draw(st.integers(1, 4))
    delays = [data.draw(st.floats(0, 2.0)) for _ in range(partitions)]
    log = MemoryLog(partitions)
    for number, ts in stream.versions:
        log.publish(version(number, ts))
    for index, (name, ts, _) in enumerate(stream.events):
        partition = data.draw(st.integers(0, partitions - 1))
        log.later(0.05 * index + delays[partition], event(name, ts), partition)
    # No partition rests for longer than the last event's time plus its delay, which lies below the idle time.
    lines = served(stream, log, "idle_seconds=5.0", f"batch_size={data.draw(st.integers(1, 5))}")
    assert sorted(lines) == sorted(naive_file_pass(stream))


@settings(max_examples=100, deadline=None)
@given(streams(naming=True), st.data())
def test_versions_that_come_seconds_late_equal_the_file_pass_where_events_name_them(
    stream: Stream, data: st.DataObject
) -> None:
    partitions = data.draw(st.integers(1, 4))
    log = MemoryLog(partitions)
    late = 0.0
    for number, ts in stream.versions:
        late += data.draw(st.floats(0, 4.0))
        log.later(late, version(number, ts), -1)
    for index, (name, ts, named) in enumerate(stream.events):
        log.later(0.01 * index, event(name, ts, named), data.draw(st.integers(0, partitions - 1)))
    lines = served(stream, log, "idle_seconds=30.0", "version_wait_seconds=30.0")
    assert sorted(lines) == sorted(naive_file_pass(stream))


@settings(max_examples=60, deadline=None)
@given(streams(), st.integers(1, 5), st.data())
def test_one_partition_in_replay_order_has_the_batches_of_the_file_pass(
    stream: Stream, batch_size: int, data: st.DataObject
) -> None:
    batches = []
    for slow in (False, True):
        log = MemoryLog(1)
        for number, ts in stream.versions:
            log.publish(version(number, ts))
        for index, (name, ts, _) in enumerate(stream.events):
            log.later(data.draw(st.floats(0, 1.0)) + index if slow else 0.0, event(name, ts), 0)
        run = Run(log, None, f"batch_size={batch_size}")
        run.run()
        batches.append(run.learner.batches)
    assert batches[0] == batches[1]
    assert [(name, number) for number, ids in batches[0] for name in ids] == naive_file_pass(stream)


def test_with_the_holding_off_a_delayed_partition_differs_from_the_file_pass() -> None:
    stream = Stream([(f"e{ts}", ts, None) for ts in range(20)], [(1, 0), (2, 10)])
    lines = {}
    for align in ("true", "false"):
        log = MemoryLog(2)
        for number, ts in stream.versions:
            log.publish(version(number, ts))
        for name, ts, _ in stream.events:
            log.later(1.0 * (ts % 2), event(name, ts), ts % 2)
        lines[align] = sorted(served(stream, log, f"align={align}"))
    expected = sorted(naive_file_pass(stream))
    assert lines["true"] == expected
    assert lines["false"] != expected
