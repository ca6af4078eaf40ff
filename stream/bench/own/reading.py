"""A range of a user's stream, from files or a log, kept beside the report so that every arm reads the same events."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from stream.bench.adaptation.stream import BenchStream, Item
from stream.bench.own.opening import Opened
from stream.errors import BrokerUnavailable, ConfigurationError, InvalidInteraction
from stream.log.protocol import InteractionSource, Record
from stream.log.schema_history import SchemaHistory
from stream.records.interaction import Interaction, decode_interaction
from stream.schema import Version, parse_version
from stream.schema.version import version_to_json
from stream.settings.learner import LearnerSettings
from stream.settings.root import Settings
from stream.settings.show import effective_toml

__all__ = ["KeptRange", "Range", "in_order", "keep_range", "load_range"]

_INTERACTIONS, _SCHEMA, _SETTINGS = "interactions.jsonl", "schema.jsonl", "settings.toml"
_POLL_RECORDS: Final = 5_000
_SILENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Range:
    """Which part of a stream: the last so many events of what lies between two times of arrival (None: no bound)."""

    events: int
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class KeptRange:
    """What was read and where it lies."""

    directory: Path
    source: str
    events: int
    """Kept; at most as many as were asked for."""
    records: int
    """Between the bounds of the range; the kept events are the last of them."""
    versions: int
    skipped: dict[str, int] = field(default_factory=dict)
    """Records that are no interaction, by reason."""
    rejected: tuple[str, ...] = ()
    """A sentence for each schema version that a learner rejects."""


def keep_range(opened: Opened, wanted: Range, settings: Settings, out: Path) -> KeptRange:
    """Read a range and keep it, with the settings below the arms' own, in a folder of `out` named by what is in it.

    Of each partition no more than the last `wanted.events` records are held, so memory is bounded by that number times
    the number of partitions.

    Raises:
        ConfigurationError: there is no schema version or no interaction in it.
        LogError: the log cannot be read.
    """
    source, schema_source = opened.source, opened.schema_source
    schema_source.seek(schema_source.beginning_offset())
    history = SchemaHistory.of(schema_source.read_to_end(_SILENCE_SECONDS))
    if not history.applied:
        raise ConfigurationError(
            f"{schema_source.topic} has no valid schema version, so nothing could be learned. "
            + " ".join(history.rejected[:1])
        )
    skipped: Counter[str] = Counter()
    found: list[tuple[int, int, int, bytes]] = []
    starts, ends = _bounds(source, wanted)
    for record in _records(source, {n: max(start, ends[n] - wanted.events) for n, start in starts.items()}, ends):
        try:
            event = decode_interaction(
                record.value,
                record.key,
                record.timestamp_ms if opened.timestamped else None,
                round(1000 * settings.max_ahead_seconds),
                round(1000 * settings.max_behind_seconds),
            )
        except InvalidInteraction as error:
            skipped[error.reason] += 1
            continue
        found.append((event.ts, record.partition, record.offset, _line(record, event)))
    if not found:
        raise ConfigurationError(f"{source.topic} has no valid interaction in this range; look at the range.")
    found.sort(key=lambda each: each[:3])
    lines = [line for *_, line in found[-wanted.events :]]
    versions = [version_to_json(applied.version) for applied in history.applied]
    below = effective_toml(_of_the_learner(settings))
    digest = hashlib.sha256(b"\n".join([below.encode(), *versions, b"", *lines])).hexdigest()[:12]
    directory = out / f"range-{digest}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _SETTINGS).write_text(below, encoding="utf-8")
    (directory / _SCHEMA).write_bytes(b"".join(line + b"\n" for line in versions))
    (directory / _INTERACTIONS).write_bytes(b"".join(line + b"\n" for line in lines))
    return KeptRange(
        directory=directory,
        source=source.source_name,
        events=len(lines),
        records=sum(ends[number] - start for number, start in starts.items()),
        versions=len(versions),
        skipped=dict(skipped),
        rejected=history.rejected,
    )


def load_range(directory: Path) -> BenchStream:
    """Return what `keep_range` kept, as the arms read it."""
    versions = [parse_version(line) for line in (directory / _SCHEMA).read_bytes().splitlines()]
    events = [decode_interaction(line) for line in (directory / _INTERACTIONS).read_bytes().splitlines()]
    items = list(in_order(versions, events))
    return BenchStream(directory.name, items, config=directory / _SETTINGS)


def in_order(versions: Sequence[Version], events: Sequence[Interaction]) -> Iterator[Item]:
    """Yield versions and events, these by event time, as a learner takes them from files (contract, part 3).

    A version's event time is the largest of those up to it; an event that names a later version brings it forward, and
    one that names a version that there is not is left out, as are versions behind the last event.
    """
    applied, event_time_ms = 0, 0
    for event in events:
        if event.schema_version is not None and event.schema_version > len(versions):
            continue
        while applied < len(versions):
            event_time_ms = max(event_time_ms, versions[applied].ts)
            named = event.schema_version is not None and applied < event.schema_version
            if applied and not named and event_time_ms > event.ts:
                break
            yield versions[applied]
            applied += 1
        yield event


def _bounds(source: InteractionSource, wanted: Range) -> tuple[dict[int, int], dict[int, int]]:
    ends = source.end_offsets() if wanted.until_ms is None else source.offsets_for_time(wanted.until_ms)
    starts = source.beginning_offsets() if wanted.since_ms is None else source.offsets_for_time(wanted.since_ms)
    return {number: min(start, ends[number]) for number, start in starts.items()}, ends


def _records(source: InteractionSource, starts: dict[int, int], ends: dict[int, int]) -> Iterator[Record]:
    source.seek(starts)
    last = time.monotonic()
    while any(position < ends[partition] for partition, position in source.positions().items()):
        records = source.poll(_POLL_RECORDS, 0.5)
        if records:
            last = time.monotonic()
        elif time.monotonic() - last > _SILENCE_SECONDS:
            raise BrokerUnavailable(
                f"{source.topic}: nothing came for {_SILENCE_SECONDS:.0f} s though its end was not reached. "
                "Is the log serving?"
            )
        yield from (record for record in records if record.offset < ends[record.partition])


def _line(record: Record, event: Interaction) -> bytes:
    """Return the record's value on one line, with its key inside: a file has no other place for it."""
    value = record.value or b""
    if record.key is not None and event.key is not None:
        decoded = json.loads(value)
        if "key" not in decoded:
            return json.dumps({**decoded, "key": event.key}).encode()
    return value.replace(b"\n", b" ").replace(b"\r", b" ")  # raw line ends stand between JSON's tokens only


def _of_the_learner(settings: LearnerSettings) -> LearnerSettings:
    """Return the learner's part of the program's settings: the rest makes no model, and may hold secrets."""
    return LearnerSettings(**{each.name: getattr(settings, each.name) for each in fields(LearnerSettings)})
