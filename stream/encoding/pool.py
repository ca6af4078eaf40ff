"""A bounded set of rows handed out by key, the longest unseen leaving first when the bound is met."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

import numpy as np

from stream.state import Tree

__all__ = ["RowPool"]

K = TypeVar("K", bound=Hashable)

_BATCHED_EVICTION = 100
"""A full pool gives up one row in this many at once: finding the longest unseen costs a pass over all rows."""


class RowPool(Generic[K]):
    """Rows by key, at most `capacity` of them; `last_seen` is the number of the event that last used a row."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.row_of: dict[K, int] = {}
        self.key_of: list[K | None] = []
        self.last_seen = np.zeros(64, dtype=np.int64)
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.row_of)

    @property
    def rows_used(self) -> int:
        """One above the highest row ever handed out."""
        return len(self.key_of)

    def touch(self, rows: np.ndarray, now: int) -> None:
        """Note that rows were used by event number `now`."""
        self.last_seen[rows] = now

    def admit(self, keys: Iterable[K], now: int, *, may_evict: bool) -> tuple[list[int], list[int]]:
        """Give each new key a row; return the rows handed out and those evicted for them (zero these first).

        Without `may_evict` a full pool admits nothing; a key that gets no row is simply not there.
        """
        admitted: list[int] = []
        evicted: list[int] = []
        for key in keys:
            if key in self.row_of:
                continue
            if len(self.row_of) >= self.capacity:
                if not may_evict:
                    continue
                gone = self._give_up(max(1, len(self.row_of) // _BATCHED_EVICTION), protect=now)
                if not gone:
                    continue
                evicted += gone
            if self._free:
                row = heapq.heappop(self._free)
                self.key_of[row] = key
            else:
                row = len(self.key_of)
                self.key_of.append(key)
                if row >= len(self.last_seen):
                    self.last_seen = np.concatenate([self.last_seen, np.zeros_like(self.last_seen)])
            self.row_of[key] = row
            self.last_seen[row] = now
            admitted.append(row)
        return admitted, evicted

    def remove(self, key: K) -> int:
        """Free the row of a key and return it."""
        row = self.row_of.pop(key)
        self.key_of[row] = None
        heapq.heappush(self._free, row)
        return row

    def shrink(self, capacity: int) -> list[int]:
        """Lower the bound, evicting the longest unseen; return the rows that were freed."""
        self.capacity = capacity
        over = len(self.row_of) - capacity
        return self._give_up(over, protect=None) if over > 0 else []

    def state(self) -> Tree:
        """Return keys by row, bound and sightings as a state tree."""
        return {
            "keys": list(self.key_of),
            "capacity": self.capacity,
            "last_seen": self.last_seen[: self.rows_used].copy(),
        }

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned, rows unchanged."""
        self.capacity = int(tree["capacity"])
        self.key_of = list(tree["keys"])
        self.row_of = {key: row for row, key in enumerate(self.key_of) if key is not None}
        self._free = [row for row, key in enumerate(self.key_of) if key is None]
        heapq.heapify(self._free)
        self.last_seen = np.zeros(max(64, 1 << len(self.key_of).bit_length()), dtype=np.int64)
        self.last_seen[: len(self.key_of)] = tree["last_seen"]

    def _give_up(self, number: int, protect: int | None) -> list[int]:
        live = np.fromiter(self.row_of.values(), dtype=np.int64, count=len(self.row_of))
        order = live[np.lexsort((live, self.last_seen[live]))]
        gone = [int(row) for row in order[:number] if self.last_seen[row] != protect]
        for row in gone:
            key = self.key_of[row]
            assert key is not None
            del self.row_of[key]
            self.key_of[row] = None
            heapq.heappush(self._free, row)
        return gone
