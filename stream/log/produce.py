"""Producing a stream from its two files: each version is in the log before the interactions that need it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from stream.log.writer import LogWriters

__all__ = ["Entry", "in_order", "produce"]

_LOOKS_PER_SECOND = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to be sent: a schema version or an interaction, its key, and its value as it stands in the file."""

    is_version: bool
    key: bytes | None
    value: bytes


def in_order(interactions: Iterable[bytes], versions: Iterable[bytes]) -> Iterator[Entry]:
    """Yield both files' lines as they have to be sent.

    Each file keeps its order. A version goes before the first interaction that it could concern: one at or after its
    event time (the largest `ts` of the versions up to it), or one that names it or a later number. Versions that no
    interaction needs come last. Lines that cannot be read go as they are, where they stand: to judge them is the
    learner's part. Empty lines are left out.
    """
    waiting = ((line, _peek(line)) for line in map(_stripped, versions) if line)
    version = next(waiting, None)
    due_ms: float = float("-inf")
    for line in map(_stripped, interactions):
        if not line:
            continue
        interaction = _peek(line)
        while version is not None:
            value, peeked = version
            due_ms = max(due_ms, _integer(peeked, "ts", due_ms))
            at_time = due_ms <= _integer(interaction, "ts", float("-inf"))
            if not at_time and _integer(peeked, "version", 0) > _integer(interaction, "schema_version", -1):
                break
            yield Entry(True, None, value)
            version = next(waiting, None)
        key = interaction.get("key")
        yield Entry(False, key.encode(errors="replace") if isinstance(key, str) else None, line)
    while version is not None:
        yield Entry(True, None, version[0])
        version = next(waiting, None)


def produce(
    entries: Iterable[Entry],
    writers: LogWriters,
    events_per_second: float | None = None,
    sent: Callable[[Entry], None] = lambda entry: None,
    monotonic_seconds: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send everything in order, a version acknowledged before what follows it, and return the number of interactions.

    Args:
        entries: what to send, as `in_order` yields it.
        writers: where to.
        events_per_second: how many interactions to send in a second at most, evenly; None for as many as possible.
        sent: called after each entry, for a progress bar, or to stop by raising.
        monotonic_seconds: the clock of the rate.
        sleep: what waits for it.

    Raises:
        LogError: a record could not be written; all before it within its partition are in the log.
    """
    started = monotonic_seconds()
    interactions = 0
    every = 1 if events_per_second is None else max(1, round(events_per_second / _LOOKS_PER_SECOND))
    for entry in entries:
        if entry.is_version:
            writers.schema.send(entry.key, entry.value)
            writers.schema.flush()
        else:
            writers.interactions.send(entry.key, entry.value)
            interactions += 1
            if events_per_second is not None and interactions % every == 0:
                ahead = started + interactions / events_per_second - monotonic_seconds()
                if ahead > 0:
                    writers.interactions.flush()
                    sleep(ahead)
        sent(entry)
    writers.interactions.flush()
    return interactions


def _peek(line: bytes) -> dict[str, Any]:
    """Return the object that a line holds, an empty one if it holds none."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _integer(value: dict[str, Any], field: str, otherwise: float) -> float:
    found = value.get(field)
    return found if type(found) is int else otherwise


def _stripped(line: bytes) -> bytes:
    return line.rstrip(b"\r\n")
