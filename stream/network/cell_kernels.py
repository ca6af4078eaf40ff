"""The index over cells, compiled: the same as :mod:`stream.network.cell_index`, name by name.

Where several names want one place the two may fill the index differently; what is found is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.compiler.jit import compiled

__all__ = ["begin", "cell_of", "fill", "find"]

Array = np.ndarray[Any, Any]

_FIRST, _SECOND = np.int64(-0x61C8864680B583EB), np.int64(-0x3D4D51C2D82B14B1)
_LOW, _HALF = np.int64(0xFFFFFFFF), np.int64(32)
_NEXT, _LAST, _FOUR, _HIGH = np.int64(17), np.int64(15), np.int64(4), np.int64(28)


@compiled
def _place(name: Any, mask: Any) -> Any:
    mixed = (name >> _FOUR) * _FIRST
    mixed = (mixed ^ ((mixed >> _HALF) & _LOW)) * _SECOND
    return ((mixed >> _HIGH) & (mask ^ _LAST)) | (name & _LAST)


@compiled
def cell_of(index: Array, held: Array, name: Any) -> Any:
    """Return the cell of a name (at least 0), -1 for none."""
    mask = np.int64(len(index) - 1)
    at = _place(name, mask)
    while True:
        cell = index[at] - 1
        if cell < 0 or held[cell] == name:
            return cell
        at = (at + _NEXT) & mask


@compiled
def _put(index: Array, name: Any, cell: int) -> None:
    mask = np.int64(len(index) - 1)
    at = _place(name, mask)
    while index[at] != 0:
        at = (at + _NEXT) & mask
    index[at] = cell + 1


@compiled
def find(index: Array, held: Array, names: Array, found: Array) -> None:
    """Fill ``found`` ``(n,)``."""
    for one in range(len(names)):
        found[one] = cell_of(index, held, names[one]) if names[one] >= 0 else -1


@compiled
def begin(index: Array, held: Array, used: int, names: Array, found: Array) -> int:
    """Give the names that have none a cell each, as long as there is room; return how many there are."""
    for one in range(len(names)):
        name = names[one]
        found[one] = -1
        if name < 0:
            continue
        cell = cell_of(index, held, name)
        if cell < 0 and used < len(held):
            held[used] = name
            _put(index, name, used)
            cell = used
            used += 1
        found[one] = cell
    return used


@compiled
def fill(index: Array, held: Array, used: int) -> None:
    """Fill an empty index with the first ``used`` cells."""
    for cell in range(used):
        _put(index, held[cell], cell)
