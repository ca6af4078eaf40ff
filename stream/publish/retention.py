"""How many versions stay on disk: by count and by bytes, never the one that is served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stream.publish.files import FULL, REFUSED, number_of
from stream.publish.pointer import Pointer

__all__ = ["Retention", "prune"]

_REFUSED = 2
"""Refused versions that stay to be looked at."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How much stays.

    Attributes:
        full_versions: full versions, at least 1; so many can be rolled back to.
        size_bytes: of all files; beyond it the oldest full versions go sooner.
    """

    full_versions: int = 5
    size_bytes: int = 10 << 30


def prune(directory: Path, pointer: Pointer, retention: Retention, below: int) -> list[str]:
    """Remove the files that no reader needs and no rollback can want, and return their names.

    What the pointer names stays, and so do numbers from `below` on: they may be being written.
    """
    served = {pointer.full.file} if pointer.full is not None else set()
    served |= {link.file for link in pointer.deltas}
    kept = {Path(name).stem for name in served}
    fulls = _stems(directory, FULL)
    kept.update(fulls[: retention.full_versions])
    kept.update(_stems(directory, REFUSED)[:_REFUSED])
    removed = []
    total_bytes = 0
    sizes: dict[str, int] = {}
    for path in sorted(directory.iterdir()):
        number = number_of(path.name)
        if number is None or number >= below:
            continue
        if path.stem in kept:
            size_bytes = path.stat().st_size
            total_bytes += size_bytes
            sizes[path.stem] = sizes.get(path.stem, 0) + size_bytes
        else:
            path.unlink(missing_ok=True)
            removed.append(path.name)
    needed = {Path(name).stem for name in served}
    for stem in sorted(sizes.keys() - needed, key=lambda stem: stem[-12:]):
        if total_bytes <= retention.size_bytes:
            break
        for ending in (".json", ".safetensors"):
            (directory / f"{stem}{ending}").unlink(missing_ok=True)
            removed.append(f"{stem}{ending}")
        total_bytes -= sizes[stem]
    return removed


def _stems(directory: Path, kind: str) -> list[str]:
    """Return the names, without their ending, of the versions of a kind, newest first."""
    return sorted({path.stem for path in directory.glob(f"{kind}-*.json") if number_of(path.name, kind)}, reverse=True)
