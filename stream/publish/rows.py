"""Which rows of an array are not what they were: one pass over both, compiled.

Rows are compared as bytes, so that a NaN equals itself and -0.0 is not 0.0: what is published is what there was, bit
for bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stream.compiler.jit import compiled
from stream.publish.snapshot import Array

__all__ = ["changed_rows", "rehearse_rows"]

Rows = npt.NDArray[np.int64]


def changed_rows(before: Array, after: Array) -> Rows:
    """Return the numbers of the rows that differ, ascending; both have one shape and one type.

    An array without an axis, or without anything in its rows, has no rows.
    """
    if not after.ndim or not after.size:
        return np.empty(0, dtype=np.int64)
    found = np.empty(len(after), dtype=np.int64)
    count = _differing(_words(before), _words(after), found)
    return found[:count].copy()


def rehearse_rows() -> None:
    """Compile the loop, or load it, for every width of words, before training waits for it."""
    for width in (8, 4, 2, 1):
        changed_rows(np.zeros((1, width), dtype=np.uint8), np.ones((1, width), dtype=np.uint8))


def _words(array: Array) -> npt.NDArray[np.unsignedinteger]:
    """Return the array as rows of the widest whole words, `(rows, words)`."""
    rows = np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
    width = next(size for size in (8, 4, 2, 1) if rows.shape[1] % size == 0)
    return rows.view(f"u{width}")


@compiled
def _differing(before: npt.NDArray[np.unsignedinteger], after: npt.NDArray[np.unsignedinteger], found: Rows) -> int:
    rows, words = after.shape
    count = 0
    for row in range(rows):
        for word in range(words):
            if before[row, word] != after[row, word]:
                found[count] = row
                count += 1
                break
    return count
