"""What one array is now, as far as it changed; and how that is put into the array that was there before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.publish.snapshot import Array

__all__ = ["ArrayChange", "Rows", "applied", "unlike"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ArrayChange:
    """What an array is now, as far as it changed.

    Attributes:
        shape: its shape now.
        rows: the numbers of the rows that `values` hold, ascending; None if `values` are the whole array.
        values: the rows, or the array.
    """

    shape: tuple[int, ...]
    rows: Rows | None
    values: Array

    @property
    def size_bytes(self) -> int:
        """Bytes of values and row numbers."""
        return self.values.nbytes + (0 if self.rows is None else self.rows.nbytes)


def applied(array: Array | None, change: ArrayChange) -> Array:
    """Return an array with a change applied: in place if its shape stays, else in a new one.

    Raises ValueError if the change does not fit the array.
    """
    if change.rows is None:
        if array is None or unlike(array, change.values) or array.shape != change.shape:
            return change.values
        array[...] = change.values
        return array
    if array is None or unlike(array, change.values):
        raise ValueError(f"rows of {change.values.dtype} {change.values.shape[1:]} do not fit what is there")
    if array.shape != change.shape:
        grown = np.zeros(change.shape, dtype=array.dtype)
        both = min(len(array), len(grown))
        grown[:both] = array[:both]
        array = grown
    array[change.rows] = change.values
    return array


def unlike(one: Array, other: Array) -> bool:
    """Say whether rows of the one do not fit the other."""
    return one.dtype != other.dtype or one.ndim != other.ndim or one.shape[1:] != other.shape[1:]
