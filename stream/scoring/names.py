"""Names as a version carries them: 128 bits each, so that a table of them is an array that changes by rows.

A name that is not there is told apart from every one that is but for a collision of XXH3-128. What a version does not
carry, nobody can read out of it: keys and values of inputs are in it by these numbers alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xxhash

from stream.compiler.jit import compiled
from stream.encoding.kept_name import kept_name

__all__ = ["HashedRows", "NameIndex", "name_hash"]

Array = np.ndarray[Any, Any]

_MASK = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: moves the names of one feature away from those of another."""
_REMEMBERED = 100_000
"""Names whose rows are held in a dictionary; what is asked for may be anything, and without end."""


def name_hash(name: str) -> tuple[int, int]:
    """Return the upper and the lower half of XXH3-128 of a name as it is kept (`kept_name`)."""
    whole = xxhash.xxh3_128_intdigest(kept_name(name).encode())
    return whole >> 64, whole & _MASK


@compiled
def _build(names: Array, owners: Array) -> Array:
    """Return an open-addressed table of row + 1, 0 if empty; its size is a power of two."""
    size = 16
    while size < 2 * len(names):
        size *= 2
    table = np.zeros(size, dtype=np.int64)
    mask = np.uint64(size - 1)
    for row in range(len(names)):
        high, low = names[row, 0], names[row, 1]
        if high == 0 and low == 0:
            continue
        place = np.int64((low ^ (np.uint64(owners[row]) * np.uint64(_SPREAD))) & mask)
        while table[place] != 0:
            place = (place + 1) & (size - 1)
        table[place] = row + 1
    return table


@compiled
def _find(table: Array, names: Array, owners: Array, high: int, low: int, owner: int) -> int:
    """Return the row of a name, -1 if there is none."""
    size = len(table)
    mask = np.uint64(size - 1)
    place = np.int64((np.uint64(low) ^ (np.uint64(owner) * np.uint64(_SPREAD))) & mask)
    while table[place] != 0:
        row = table[place] - 1
        if names[row, 0] == np.uint64(high) and names[row, 1] == np.uint64(low) and owners[row] == owner:
            return int(row)
        place = (place + 1) & (size - 1)
    return -1


class NameIndex:
    """Rows by name and owner (a feature's slot; keys have owner 0); an index of one version, which never changes."""

    def __init__(self, names: np.ndarray, owners: np.ndarray) -> None:
        self.names, self.owners = names.copy(), owners.copy()  # a learner's own go on moving
        self._table = _build(self.names, self.owners)

    def row(self, name: str, owner: int = 0) -> int:
        """Return the row of a name, -1 if there is none."""
        high, low = name_hash(name)
        return int(_find(self._table, self.names, self.owners, np.uint64(high), np.uint64(low), owner))


class HashedRows(dict[str, int]):
    """The rows of one vocabulary as the encoder asks for them; what was asked for lately is held as in any dictionary.

    Several threads may ask at once.
    """

    def __init__(self, index: NameIndex, slot: int) -> None:
        super().__init__()
        self._index, self._slot = index, slot

    def get(self, name: str | None, default: Any = None) -> Any:
        """Return the row of a value, `default` if it has none."""
        if name is None:
            return default
        row = super().get(name)
        if row is None:
            row = self._index.row(name, self._slot)
            if len(self) >= _REMEMBERED:
                self.clear()
            self[name] = row
        return default if row < 0 else row
