"""What one array is now, as far as it changed; and how that is put into the array that was there before.

A change is carried in pieces: whole rows if they are narrow, else equal parts of rows, for of a row of a thousand cells
a few change. The array's items, row by row, in pieces of so many items: so a piece's number says where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.publish.snapshot import Array

__all__ = ["ArrayChange", "Numbers", "applied", "in_pieces", "unlike"]

Numbers = npt.NDArray[np.int64]

_PIECE_BYTES = 64
_NARROW_BYTES = 16
"""Below that a piece's number would be too large a part of it."""


@dataclass(frozen=True, slots=True)
class ArrayChange:
    """What an array is now, as far as it changed.

    Attributes:
        shape: its shape now.
        pieces: the numbers of the pieces that `values` hold, ascending; None if `values` are the whole array.
        values: the pieces `(pieces, items)`, or the array.
    """

    shape: tuple[int, ...]
    pieces: Numbers | None
    values: Array

    @property
    def size_bytes(self) -> int:
        """Bytes of values and numbers."""
        return self.values.nbytes + (0 if self.pieces is None else self.pieces.nbytes)

    def rows(self) -> Numbers | None:
        """Return the numbers of the rows in which something changed, ascending; None if it is the whole array."""
        if self.pieces is None:
            return None
        items = int(np.prod(self.shape[1:], dtype=np.int64))
        return np.unique(self.pieces * self.values.shape[1] // items)


def in_pieces(array: Array) -> Array:
    """Return the array as `(pieces, items)`: a view if its items lie row by row."""
    items = int(np.prod(array.shape[1:], dtype=np.int64))
    narrowest, widest = _NARROW_BYTES // array.itemsize, _PIECE_BYTES // array.itemsize
    width = items
    if items > widest:
        width = next((size for size in range(widest, max(narrowest, 1) - 1, -1) if items % size == 0), items)
    return np.ascontiguousarray(array).reshape(-1, width)


def applied(array: Array | None, change: ArrayChange) -> Array:
    """Return an array with a change applied: in place if its shape stays, else in a new one.

    Raises ValueError if the change does not fit the array.
    """
    if change.pieces is None:
        if array is None or unlike(array, change.values) or array.shape != change.shape:
            return change.values
        array[...] = change.values
        return array
    if array is None or array.dtype != change.values.dtype or array.shape[1:] != change.shape[1:]:
        raise ValueError(f"pieces of {change.values.dtype} and {change.shape} do not fit what is there")
    if array.shape != change.shape:
        grown = np.zeros(change.shape, dtype=array.dtype)
        both = min(len(array), len(grown))
        grown[:both] = array[:both]
        array = grown
    array.reshape(-1, change.values.shape[1], copy=False)[change.pieces] = change.values
    return array


def unlike(one: Array, other: Array) -> bool:
    """Say whether rows of the one do not fit the other."""
    return one.dtype != other.dtype or one.ndim != other.ndim or one.shape[1:] != other.shape[1:]
