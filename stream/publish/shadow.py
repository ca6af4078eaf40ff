"""A copy of what was published last, by which the next delta finds what changed.

The learner's thread asks `Shadow.changes`; everything that it returns is a copy, so that training goes on while it is
written. While a full version is written out of the shadow itself, the shadow stands still; what changes meanwhile is
carried by each delta anew, and taken in afterwards. A delta holds what is there now, not what was added to it:
one piece too many is a few bytes, and applied twice it is the same.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np

from stream.publish.change import ArrayChange, Numbers, applied, in_pieces, unlike
from stream.publish.rows import changed_rows
from stream.publish.snapshot import Array

__all__ = ["Shadow"]

_SHARE = 0.5
"""If more of the pieces than this changed, the whole array is not much more, and is written without their numbers."""
_NONE: Numbers = np.empty(0, dtype=np.int64)


class Shadow:
    """Arrays as they were published last."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._loose: dict[str, Numbers | None] = {}
        """Pieces of which a reader may have something else than the shadow; None: of the whole array."""

    @property
    def settled(self) -> bool:
        """Whether readers have what the shadow has."""
        return not self._loose

    @property
    def size_bytes(self) -> int:
        """Bytes of the copy."""
        return sum(array.nbytes for array in self.arrays.values())

    def changes(self, arrays: Mapping[str, Array]) -> dict[str, ArrayChange]:
        """Return what differs from what readers have, by name; the shadow stays as it is."""
        found = {}
        for name, array in arrays.items():
            change = self._change(name, array)
            if change is not None:
                found[name] = change
        return found

    def _change(self, name: str, array: Array) -> ArrayChange | None:
        before = self.arrays.get(name)
        loose: Numbers | None = self._loose.get(name, _NONE)
        if before is None or loose is None or unlike(before, array):
            return ArrayChange(array.shape, None, array.copy(order="C"))
        if not array.ndim or not array[:1].size:
            same = before.shape == array.shape and before.tobytes() == array.tobytes()
            return None if same else ArrayChange(array.shape, None, array.copy())
        old, new = in_pieces(before), in_pieces(array)
        both = min(len(old), len(new))
        pieces = changed_rows(old[:both], new[:both])
        if len(new) > both:
            pieces = np.concatenate([pieces, np.arange(both, len(new))])
        if len(loose):
            pieces = np.union1d(pieces, loose[loose < len(new)])
        if not len(pieces) and before.shape == array.shape:
            return None
        if len(pieces) > _SHARE * len(new):
            return ArrayChange(array.shape, None, array.copy(order="C"))
        return ArrayChange(array.shape, pieces, new[pieces])

    def loosen(self, changes: Mapping[str, ArrayChange]) -> None:
        """Let every delta carry these pieces, until `settle`: readers may or may not have them."""
        for name, change in changes.items():
            loose: Numbers | None = self._loose.get(name, _NONE)
            if change.pieces is None or loose is None:
                self._loose[name] = None
            else:
                self._loose[name] = np.union1d(loose, change.pieces)

    def settle(self) -> None:
        """Readers have what the shadow has."""
        self._loose.clear()

    def take(self, changes: Mapping[str, ArrayChange], names: Container[str]) -> None:
        """Make the shadow what these changes say, and let go of arrays that are not among `names`."""
        for name, change in changes.items():
            self.arrays[name] = applied(self.arrays.get(name), change)
        for name in [name for name in self.arrays if name not in names]:
            del self.arrays[name]
