"""Names keep their slots: the append-only register behind every table that grows and shrinks by name.

A name keeps its slot while it lives; a freed slot is reused, lowest first, so that tables stay dense
over months of additions and removals (the lesson of deep-river#161, where growth shifted columns).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["SlotRegistry"]


class SlotRegistry:
    """Map live names to fixed slots and hand out freed slots again, lowest first.

    `capacity` is the number of reserved slots; it doubles when the last one is taken, so the shape
    of a table changes rarely and additions into reserved slots change no shape at all.
    """

    def __init__(self, minimum_capacity: int = 8) -> None:
        self._slot_of: dict[str, int] = {}
        self._names: list[str | None] = []
        self._free: list[int] = []
        self.capacity = minimum_capacity
        self._live: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self._slot_of)

    def __contains__(self, name: object) -> bool:
        return name in self._slot_of

    def __iter__(self) -> Iterator[str]:
        """Yield the live names in the order of their slots."""
        return (name for name in self._names if name is not None)

    @property
    def names(self) -> list[str | None]:
        """The name of each slot ever used, `None` where a slot is free."""
        return self._names

    @property
    def free_slots(self) -> int:
        """How many slots were used once and wait for a new name (tombstones)."""
        return len(self._free)

    def slot(self, name: str) -> int:
        """Return the slot of a live name; raises KeyError for a name that is not live."""
        return self._slot_of[name]

    def get(self, name: str) -> int | None:
        """Return the slot of a name, or None if the name is not live."""
        return self._slot_of.get(name)

    def find(self, names: Iterable[str]) -> list[int | None]:
        """Return the slots of many names at once, None for each that is not live."""
        return list(map(self._slot_of.get, names))

    @property
    def live(self) -> NDArray[np.int64]:
        """The live slots in ascending order; nobody may change this array."""
        if self._live is None:
            self._live = np.array([slot for slot, name in enumerate(self._names) if name is not None], dtype=np.int64)
        return self._live

    def slots(self) -> list[int]:
        """Return the live slots in ascending order."""
        found: list[int] = self.live.tolist()
        return found

    def items(self) -> Iterator[tuple[str, int]]:
        """Yield `(name, slot)` of the live names in the order of their slots."""
        return ((name, slot) for slot, name in enumerate(self._names) if name is not None)

    def add(self, name: str) -> int:
        """Give a new name the lowest free slot, growing `capacity` by doubling if none is reserved."""
        if name in self._slot_of:
            raise ValueError(f"name {name!r} already has slot {self._slot_of[name]}; remove it first")
        if self._free:
            slot = heapq.heappop(self._free)
            self._names[slot] = name
        else:
            slot = len(self._names)
            self._names.append(name)
            while slot >= self.capacity:
                self.capacity *= 2
        self._slot_of[name] = slot
        if self._live is not None:
            self._live = np.insert(self._live, np.searchsorted(self._live, slot), slot)
        return slot

    def remove(self, name: str) -> int:
        """Free the slot of a live name and return it; the caller zeroes what the slot held."""
        slot = self._slot_of.pop(name)
        self._names[slot] = None
        heapq.heappush(self._free, slot)
        if self._live is not None:
            self._live = np.delete(self._live, np.searchsorted(self._live, slot))
        return slot

    def rename(self, name: str, to: str) -> int:
        """Move a slot to another name; nothing that the slot holds changes."""
        if to in self._slot_of:
            raise ValueError(f"cannot rename {name!r} to {to!r}: that name is live")
        slot = self._slot_of.pop(name)
        self._slot_of[to] = slot
        self._names[slot] = to
        return slot

    def state(self) -> dict[str, object]:
        """Return names by slot and capacity as JSON values."""
        return {"names": list(self._names), "capacity": self.capacity}

    @classmethod
    def from_state(cls, state: dict[str, object]) -> SlotRegistry:
        """Rebuild a register from `state`, slots unchanged."""
        registry = cls()
        registry.restore(state)
        return registry

    def restore(self, state: dict[str, object]) -> None:
        """Take back what `state` returned, for whoever holds this register already."""
        names = state["names"]
        capacity = state["capacity"]
        assert isinstance(names, Iterable)
        assert isinstance(capacity, int)
        self.capacity = capacity
        self._live = None
        self._names = [None if name is None else str(name) for name in names]
        self._slot_of = {name: slot for slot, name in enumerate(self._names) if name is not None}
        self._free = [slot for slot, name in enumerate(self._names) if name is None]
        heapq.heapify(self._free)
        self._live = None
