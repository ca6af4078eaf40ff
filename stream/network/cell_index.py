"""The index over cells, plainly: open addressing, over whole arrays of names at once.

``index`` int32 has a power of two of places, at least twice as many as there are cells: a cell's place and one, or 0. A
name int64 is looked for from its hash's place on, at every seventeenth place, up to the first empty one. Nothing is
ever taken out: where cells go, the index is filled anew. The compiled form is :mod:`stream.network.cell_kernels`.
"""

from __future__ import annotations

import numpy as np

__all__ = ["LANES", "NEXT", "begin", "fill", "find", "places"]

LANES, NEXT = 16, 17
"""Columns that stand side by side; the next place is in another line, and not that of the next column."""

_FIRST, _SECOND = np.int64(-0x61C8864680B583EB), np.int64(-0x3D4D51C2D82B14B1)
_LOW = np.int64(0xFFFFFFFF)


def places(names: np.ndarray, size: int) -> np.ndarray:
    """Return where each of ``names`` is looked for first; two rounds of multiply and fold, as in SplitMix64.

    The last four bits stay: sixteen neighbouring columns of a row stand together, in one line of the cache.
    """
    with np.errstate(over="ignore"):
        mixed = (names >> np.int64(4)) * _FIRST
        mixed = (mixed ^ (mixed >> np.int64(32) & _LOW)) * _SECOND
    return np.asarray(((mixed >> np.int64(28)) & np.int64(size - LANES)) | (names & np.int64(LANES - 1)))


def find(index: np.ndarray, held: np.ndarray, names: np.ndarray, found: np.ndarray) -> None:
    """Fill ``found`` ``(n,)`` with the cells of ``names`` among those ``held``; -1 for none, and if a name is -1."""
    found[:] = -1
    at = places(names, len(index))
    pending = np.flatnonzero(names >= 0)
    while len(pending):
        cell = index[at[pending]].astype(np.int64) - 1
        hit = (cell >= 0) & (held[np.maximum(cell, 0)] == names[pending])
        found[pending[hit]] = cell[hit]
        pending = pending[(cell >= 0) & ~hit]
        at[pending] = (at[pending] + NEXT) % len(index)


def begin(index: np.ndarray, held: np.ndarray, used: int, names: np.ndarray, found: np.ndarray) -> int:
    """Give the names that have none a cell each, in their order, while there is room; return how many there are."""
    find(index, held, names, found)
    missing = np.flatnonzero((found < 0) & (names >= 0))
    _, first = np.unique(names[missing], return_index=True)
    new = names[missing[np.sort(first)]][: len(held) - used]
    held[used : used + len(new)] = new
    _put(index, new, np.arange(used, used + len(new)))
    find(index, held, names, found)
    return used + len(new)


def fill(index: np.ndarray, held: np.ndarray, used: int) -> None:
    """Fill an empty index with the first ``used`` cells."""
    _put(index, held[:used], np.arange(used))


def _put(index: np.ndarray, names: np.ndarray, cells: np.ndarray) -> None:
    at = places(names, len(index))
    while len(names):
        _, first = np.unique(at, return_index=True)
        won = np.zeros(len(names), dtype=bool)
        won[first[index[at[first]] == 0]] = True
        index[at[won]] = cells[won] + 1
        names, cells, at = names[~won], cells[~won], (at[~won] + NEXT) % len(index)
