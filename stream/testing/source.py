"""What every source of interactions keeps to, whatever log stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from stream.errors import OffsetOutOfRange
from stream.log.protocol import InteractionSource, Record

__all__ = ["check_source"]

_POLLS = 200
_WAIT_SECONDS = 0.5


def check_source(make: Callable[[Mapping[int, Sequence[bytes]]], InteractionSource], partitions: int = 2) -> None:
    """Check a source: what is read, from where on, what a pause holds back, and that a wrong place is refused.

    `make` puts the values that it is given, by partition, into a log that has nothing else, and opens a source on it.
    Raises AssertionError with what is expected.
    """
    wanted = {partition: [_value(partition, number) for number in range(4)] for partition in range(partitions)}
    source = make(wanted)
    try:
        _check(source, wanted)
    finally:
        source.close()
        source.close()  # a second call does nothing


def _check(source: InteractionSource, wanted: Mapping[int, Sequence[bytes]]) -> None:
    assert source.source_name, "source_name says what kind of log it is"
    assert source.topic, "topic names the log for messages and dead letters"
    assert source.partitions() == sorted(wanted), f"partitions are {sorted(wanted)}, not {source.partitions()}"
    beginnings, ends = source.beginning_offsets(), source.end_offsets()
    assert beginnings.keys() == ends.keys() == wanted.keys(), "beginnings and ends name every partition"

    source.seek(beginnings)
    assert source.positions() == beginnings, "after seek the positions are where it went"
    found = _read(source, ends)
    for partition, values in wanted.items():
        records = found.get(partition, [])
        assert [record.value for record in records] == list(values), f"partition {partition}: other values, or an order"
        offsets = [record.offset for record in records]
        assert offsets == sorted(set(offsets)), f"partition {partition}: offsets have to rise"
        assert all(record.topic == source.topic for record in records), "a record names the source's topic"
    assert source.poll(10, 0.0) == [], "at the end there is nothing to poll"
    assert not any(source.lag().values()), "at the end nothing is left: lag is 0"

    first = min(wanted)
    again = found[first][2].offset
    source.seek({first: again})
    assert source.positions()[first] == again, "seek moves the partition that it names"
    assert source.lag()[first] >= 2, "after a seek back the records from there on are left again"
    repeated = _read(source, ends)
    assert repeated == {first: found[first][2:]}, "after a seek back the same records come, and no other partition's"

    stood = source.positions()
    try:
        source.seek({first: ends[first] + 1_000_000})
    except OffsetOutOfRange:
        pass
    else:
        raise AssertionError("a place that does not exist is refused with OffsetOutOfRange")
    assert source.positions() == stood, "a seek that is refused moves nothing"

    source.seek(beginnings)
    source.pause([first])
    others = {partition: end for partition, end in ends.items() if partition != first}
    held = _read(source, {**others, first: beginnings[first]})
    assert first not in held, "a paused partition gives no record"
    assert source.positions()[first] == beginnings[first], "a pause moves no position"
    source.resume([first])
    rest = _read(source, ends)
    assert rest == {first: found[first]}, "after resume all of a paused partition comes, and nothing twice"
    assert held == {partition: found[partition] for partition in others}, "a pause of one holds back no other partition"


def _value(partition: int, number: int) -> bytes:
    return b'{"id":"%d-%d","ts":%d,"features":{},"labels":[]}' % (partition, number, 10 * number + partition)


def _read(source: InteractionSource, ends: Mapping[int, int]) -> dict[int, list[Record]]:
    """Poll until every position has reached its end; AssertionError after many polls in vain."""
    found: dict[int, list[Record]] = {}
    for _ in range(_POLLS):
        if source.positions() == ends:
            return found
        for record in source.poll(3, _WAIT_SECONDS):
            found.setdefault(record.partition, []).append(record)
    raise AssertionError(f"after {_POLLS} polls the positions are {source.positions()}, not {dict(ends)}")
