"""The events of these tests: a small synthetic stream whose schema changes, some of its lines invalid."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import xxhash

from stream.data.synthetic import ScheduledChanges, SyntheticSettings, write

UNKNOWN_VERSION = 999

_CHANGES: tuple[tuple[Mapping[str, Any], ...], ...] = (
    ({"op": "add_feature", "name": "new_num", "kind": "numeric"},),
    (
        {"op": "rename_feature", "name": "num_0", "to": "renamed_num"},
        {"op": "rename_label", "name": "offer_1", "to": "renamed_offer"},
    ),
    (
        {"op": "remove_label", "name": "offer_0"},
        {"op": "add_label", "name": "new_offer", "attributes": {"group": "g1"}},
    ),
    (
        {"op": "remove_feature", "name": "cat_0"},
        {"op": "add_feature", "name": "new_cat", "kind": "categorical"},
        {"op": "add_label", "name": "last_offer", "attributes": {"group": "g2"}},
    ),
)
"""Inputs, names, offers, and both at once: a version each, after the first one."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the interactions as it is produced: its key, its value, and whether it can be trained."""

    key: bytes
    value: bytes
    valid: bool


@dataclass(frozen=True)
class Stream:
    """The two files of a stream, and what is in them."""

    interactions: Path
    schema: Path
    lines: Sequence[Line]
    versions: Sequence[bytes]

    @property
    def trained(self) -> int:
        """How many of the lines can be trained."""
        return sum(line.valid for line in self.lines)

    def ids_digest(self) -> str:
        """The contract's digest over the ids of the lines that can be trained, from these lines alone."""
        ids = [json.loads(line.value)["id"] for line in self.lines if line.valid]
        return f"{sum(xxhash.xxh3_128_intdigest(name.encode()) for name in ids) % (1 << 128):032x}"


def write_stream(directory: Path, events: int, *, invalid: int = 0) -> Stream:
    """Write a stream of so many events and five versions, with invalid lines spread over it.

    In turn they are no UTF-8, no JSON, and name a schema version that never comes; one valid id occurs twice.
    """
    scheduled = tuple(ScheduledChanges(events * (index + 2) // 7, changes) for index, changes in enumerate(_CHANGES))
    shape = SyntheticSettings(
        seed=5,
        events=events,
        numeric=3,
        boolean=1,
        categorical=2,
        multi_categorical=1,
        users=40,
        offers=10,
        groups=3,
        shown="selector",
        schedule=scheduled,
    )
    files = write(directory, shape)
    lines = [_line(value) for value in files.interactions.read_bytes().splitlines()]
    generator = random.Random(events)
    for index, place in enumerate(sorted(generator.sample(range(1, len(lines)), invalid), reverse=True)):
        lines.insert(place, _broken(lines[place], index))
    if invalid:
        lines.insert(len(lines) // 2, lines[len(lines) // 2 - 1])
    files.interactions.write_bytes(b"".join(line.value + b"\n" for line in lines))
    return Stream(files.interactions, files.schema, lines, files.schema.read_bytes().splitlines())


def _line(value: bytes) -> Line:
    return Line(orjson.loads(value)["key"].encode(), value, True)


def _broken(line: Line, index: int) -> Line:
    match index % 3:
        case 0:
            value = b"\xff\xfe" + line.value
        case 1:
            value = line.value[:-7]
        case _:
            value = orjson.dumps({**orjson.loads(line.value), "id": f"x{index}", "schema_version": UNKNOWN_VERSION})
    return Line(line.key, value, False)
