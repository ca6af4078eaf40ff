"""The live offers as the measures see them: a name and a rank among names for each slot."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["OfferTable"]


class OfferTable:
    """Names by slot, and each live name's place in the ascending order of names, which breaks ties.

    Capacity doubles, so that a table beside this one may grow along with :attr:`capacity`.
    """

    def __init__(self) -> None:
        self.names: list[str | None] = []
        self.capacity = 16
        self._slot_of: dict[str, int] = {}
        self._order: list[str] = []
        """The live names, ascending: strings compare by code point, which is the order of their UTF-8 bytes."""
        self._rank: NDArray[np.int64] | None = None

    @property
    def rank(self) -> NDArray[np.int64]:
        """(capacity,) rank of each live slot's name, ascending by UTF-8 bytes; 0 where a slot is free."""
        if self._rank is None:
            self._rank = np.zeros(self.capacity, dtype=np.int64)
            self._rank[list(map(self._slot_of.__getitem__, self._order))] = np.arange(len(self._order))
        return self._rank

    def live(self) -> list[tuple[str, int]]:
        """Return (name, slot) of the live offers in the order of their slots."""
        return [(name, slot) for slot, name in enumerate(self.names) if name is not None]

    def add(self, slot: int, name: str) -> None:
        """Give a free slot a name that is not live; raises ValueError where either is taken."""
        if slot < len(self.names) and self.names[slot] is not None:
            raise ValueError(f"slot {slot} holds offer {self.names[slot]!r}; remove it before adding {name!r}")
        if name in self._slot_of:
            raise ValueError(f"offer {name!r} is live; remove it before adding it again")
        self._reserve(slot + 1)
        self._put(slot, name)

    def remove(self, slot: int) -> None:
        """Free a slot; raises ValueError where it is free."""
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
        """Rebuild a table from its :attr:`names`, free slots at the end included."""
        table = cls()
        table._reserve(len(names))
        for slot, name in enumerate(names):
            if name is not None:
                table.add(slot, name)
        return table

    def name(self, slot: int) -> str:
        """Return the name that a slot holds; raises ValueError where it is free."""
        name = self.names[slot] if 0 <= slot < len(self.names) else None
        if name is None:
            raise ValueError(f"slot {slot} holds no offer")
        return name

    def names_of(self, slots: Iterable[int]) -> list[str]:
        """Return the names that some slots hold; raises ValueError where one is free."""
        found = list(map(self.names.__getitem__, slots))
        if None in found:
            raise ValueError("a slot that was scored holds no offer")
        return cast(list[str], found)

    def _put(self, slot: int, name: str) -> None:
        self.names[slot] = name
        self._slot_of[name] = slot
        insort(self._order, name)
        self._rank = None

    def _take(self, slot: int) -> None:
        name = self.name(slot)
        self.names[slot] = None
        del self._slot_of[name], self._order[bisect_left(self._order, name)]
        self._rank = None

    def _reserve(self, slots: int) -> None:
        self.names.extend([None] * (slots - len(self.names)))
        while self.capacity < slots:
            self.capacity *= 2
