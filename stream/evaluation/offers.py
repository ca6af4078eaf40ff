"""The live offers as the measures see them: a name for each slot, and a number that orders the names."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

__all__ = ["OfferTable"]

_GAP = 1 << 32
_FURTHEST = 1 << 61


class OfferTable:
    """Names by slot, and for each live name a rank: ascending as the names do, which breaks ties.

    A new name's rank lies between those of its neighbours, so that no other has to move; if there is no room, all
    ranks are drawn apart anew. Capacity doubles, so that a table beside this one may grow along with `capacity`.
    """

    def __init__(self) -> None:
        self._names: list[str | None] = []
        self._lent = False
        self.capacity = 16
        self.rank = np.zeros(self.capacity, dtype=np.int64)
        """(capacity,) the rank of each live slot's name."""
        self._slot_of: dict[str, int] = {}
        self._order: list[str] = []
        """The live names, ascending: strings compare by code point, which is the order of their UTF-8 bytes."""

    @property
    def names(self) -> Sequence[str | None]:
        """The names by slot; this list stays as it is, whatever is changed later."""
        self._lent = True
        return self._names

    def live(self) -> list[tuple[str, int]]:
        """Return (name, slot) of the live offers in the order of their slots."""
        return [(name, slot) for slot, name in enumerate(self._names) if name is not None]

    def add(self, slot: int, name: str) -> None:
        """Give a free slot a name that is not live; raises ValueError if either is taken."""
        if slot < len(self._names) and self._names[slot] is not None:
            raise ValueError(f"slot {slot} holds offer {self._names[slot]!r}; remove it before adding {name!r}")
        if name in self._slot_of:
            raise ValueError(f"offer {name!r} is live; remove it before adding it again")
        self._own()
        self._reserve(slot + 1)
        self._put(slot, name)

    def remove(self, slot: int) -> None:
        """Free a slot; raises ValueError if it is free."""
        self._take(slot)

    def rename(self, slot: int, to: str) -> None:
        """Give a live slot another name, which must not be live."""
        name = self.name(slot)
        if to in self._slot_of:
            raise ValueError(f"cannot rename offer {name!r} to {to!r}: that name is live")
        self._take(slot)
        self._put(slot, to)

    @classmethod
    def of(cls, names: Sequence[str | None]) -> OfferTable:
        """Rebuild a table from its `names`, free slots at the end included."""
        table = cls()
        table._reserve(len(names))
        for slot, name in enumerate(names):
            if name is not None:
                table._names[slot] = name
                table._slot_of[name] = slot
        table._order = sorted(table._slot_of)
        table._draw_apart()
        return table

    def name(self, slot: int) -> str:
        """Return the name that a slot holds; raises ValueError if it is free."""
        name = self._names[slot] if 0 <= slot < len(self._names) else None
        if name is None:
            raise ValueError(f"slot {slot} holds no offer")
        return name

    def _own(self) -> None:
        if self._lent:
            self._names, self._lent = list(self._names), False

    def _put(self, slot: int, name: str) -> None:
        self._names[slot] = name
        self._slot_of[name] = slot
        place = bisect_left(self._order, name)
        self._order.insert(place, name)
        before = self._rank_at(place - 1)
        after = self._rank_at(place + 1)
        if before is None:
            rank = 0 if after is None else after - _GAP
        elif after is None:
            rank = before + _GAP
        else:
            rank = (before + after) // 2
        if rank == before or not -_FURTHEST < rank < _FURTHEST:
            self._draw_apart()
        else:
            self.rank[slot] = rank

    def _rank_at(self, place: int) -> int | None:
        if not 0 <= place < len(self._order):
            return None
        return int(self.rank[self._slot_of[self._order[place]]])

    def _draw_apart(self) -> None:
        self.rank[list(map(self._slot_of.__getitem__, self._order))] = np.arange(len(self._order)) * _GAP

    def _take(self, slot: int) -> None:
        name = self.name(slot)
        self._own()
        self._names[slot] = None
        self.rank[slot] = 0
        del self._slot_of[name], self._order[bisect_left(self._order, name)]

    def _reserve(self, slots: int) -> None:
        self._names.extend([None] * (slots - len(self._names)))
        while self.capacity < slots:
            self.capacity *= 2
        if len(self.rank) < self.capacity:
            self.rank = np.concatenate([self.rank, np.zeros(self.capacity - len(self.rank), dtype=np.int64)])
