"""The two files of a version: arrays (safetensors), and what is not an array (JSON) with the arrays' digest.

A full version, `full-000000000012.json`:

    {"format": 1, "kind": "full", "version": 12, "learner", "schema_version", "event_time_ms", "events_trained",
     "loss", "made_ms", "gate": {...}, "manifest": {...},
     "arrays": {"file": "full-000000000012.safetensors", "sha256": "...", "size_bytes": ...}}

A delta, `delta-000000000013.json`, has besides `after` (the version that it changes), `patch` (of the manifest, see
`stream.publish.patch`), `tombstones` (the names that went), `shapes` (of each array that changed) and `gone` (the
arrays that are not there any more). Its arrays are `whole/NAME`, or `pieces/NAME` (numbers) with `values/NAME`: the
array's items, row by row, in pieces of as many items as `values/NAME` is wide.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stream.errors import PublishError, VersionDamaged
from stream.publish.change import ArrayChange
from stream.publish.pointer import Link
from stream.publish.snapshot import Array
from stream.publish.tensors import map_arrays, sha256_of

__all__ = ["DELTA", "FULL", "REFUSED", "Contents", "damage", "file_name", "number_of", "read_version"]

FULL, DELTA, REFUSED = "full", "delta", "refused"
"""Kinds of versions; a refused one is a full one that the gate did not let through."""

_NAME = re.compile(r"(full|delta|refused)-(\d{12})\.(json|safetensors)")


@dataclass(frozen=True, slots=True)
class Contents:
    """A version as it was read, its digests verified: the members of its JSON file, and its arrays."""

    members: Mapping[str, Any]
    arrays: Mapping[str, Array]

    def changes(self) -> dict[str, ArrayChange]:
        """Return what a delta says of its arrays; raises ValueError or KeyError if it is not of the form."""
        found = {}
        for name, shape in self.members["shapes"].items():
            whole = self.arrays.get(f"whole/{name}")
            if whole is not None:
                found[name] = ArrayChange(tuple(shape), None, whole)
                continue
            pieces, values = self.arrays[f"pieces/{name}"], self.arrays[f"values/{name}"]
            items = math.prod(shape[1:])
            if pieces.dtype != np.int64 or values.ndim != 2 or len(pieces) != len(values) or items % values.shape[1]:
                raise ValueError(f"the pieces of {name} do not fit its values")
            if len(pieces) and not 0 <= pieces.min() <= pieces.max() < shape[0] * items // values.shape[1]:
                raise ValueError(f"a piece of {name} is outside of its shape")
            found[name] = ArrayChange(tuple(shape), pieces, values)
        return found


def file_name(kind: str, version: int) -> str:
    """Return the name of a version's JSON file."""
    return f"{kind}-{version:012d}.json"


def number_of(name: str, *kinds: str) -> int | None:
    """Return the version in the name of a file of these kinds, all by default; None for any other name."""
    found = _NAME.fullmatch(name)
    return int(found[2]) if found and (not kinds or found[1] in kinds) else None


def read_version(directory: Path, link: Link, *, private: bool = False) -> Contents:
    """Return a version whose files are, byte for byte, what was published; the arrays are mapped (see `map_arrays`).

    Raises VersionDamaged if they are not, FileNotFoundError if they are not there any more.
    """
    path = directory / link.file
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PublishError(f"{path} cannot be read: {error.strerror}; see its path and rights") from error
    _require_digest(path, hashlib.sha256(text).hexdigest(), link.sha256)
    with damage(path):
        members = json.loads(text)
        described = members["arrays"]
        if members["version"] != link.version or "/" in described["file"]:
            raise ValueError("it is of another version")
        arrays_path = directory / described["file"]
    try:
        _require_digest(arrays_path, sha256_of(arrays_path), described["sha256"])
        return Contents(members, map_arrays(arrays_path, private=private))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PublishError(f"{arrays_path} cannot be read: {error.strerror}; see its path and rights") from error


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Let whatever goes wrong in the block be this version's fault: `VersionDamaged`."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise VersionDamaged(
            f"{path} does not hold what this program writes ({type(error).__name__}: {str(error)[:200]}); take another "
            "model version"
        ) from error


def _require_digest(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise VersionDamaged(
            f"{path} is damaged: its SHA-256 is {found[:16]}..., published was {expected[:16]}...; take another model "
            "version"
        )
