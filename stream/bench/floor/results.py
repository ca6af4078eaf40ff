"""What a call of the benchmark found, and the compressed JSON that keeps it."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from stream.bench.floor.passes import Pass

__all__ = ["FILE", "Against", "Results"]

FILE: Final = "floor.json.gz"


@dataclass(frozen=True, slots=True)
class Against:
    """The mean loss by pair of a changed stream beside that of another, of one seed: published, and the network's."""

    case: str
    seed: int
    percent: float | None
    changed: dict[str, float]
    other: dict[str, float]


@dataclass(slots=True)
class Results:
    """Every pass, in the order of the streams, then of the seeds; and every case of what should not matter."""

    made_of: dict[str, Any]
    """Events, seeds, versions: what the figures are from."""
    passes: list[Pass] = field(default_factory=list)
    units: list[Against] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Streams that could not be had, and why."""

    def by_stream(self) -> dict[str, list[Pass]]:
        """Return the passes of each stream, a seed each."""
        found: defaultdict[str, list[Pass]] = defaultdict(list)
        for each in self.passes:
            found[each.stream].append(each)
        return dict(found)

    def by_case(self) -> dict[str, list[Against]]:
        """Return the comparisons of each case, a seed each."""
        found: defaultdict[str, list[Against]] = defaultdict(list)
        for each in self.units:
            found[each.case].append(each)
        return dict(found)

    def write(self, directory: Path) -> Path:
        """Write everything to `directory`; the same results are the same bytes."""
        path = directory / FILE
        path.write_bytes(gzip.compress(orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS), mtime=0))
        return path

    @classmethod
    def read(cls, files: Iterable[Path]) -> Results:
        """Return what calls have kept, together; the last word on what they were made of is the last file's."""
        found = cls({})
        for path in files:
            tree = orjson.loads(gzip.decompress(path.read_bytes()))
            found.made_of = tree["made_of"]
            found.passes += [Pass(**each) for each in tree["passes"]]
            found.units += [Against(**each) for each in tree["units"]]
            found.missing |= tree["missing"]
        return found
