"""Small numbers for names, given again once they are free."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import repeat
from typing import Any, Generic, TypeVar, cast

__all__ = ["Numbers"]

N = TypeVar("N", bound=Hashable)


class Numbers(Generic[N]):
    """Names by number, so that tables of arrays can be indexed by what a name owns; None is no name."""

    def __init__(self) -> None:
        self._number_of: dict[N, int] = {}
        self._names: list[N | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        """Return one above the highest number ever given."""
        return len(self._names)

    def get(self, name: N) -> int | None:
        """Return a name's number, or None."""
        return self._number_of.get(name)

    def of(self, names: Sequence[N | None]) -> list[int]:
        """Return the number of each name, -1 for one that has none."""
        return list(map(self._number_of.get, names, repeat(-1)))  # type: ignore[arg-type] # None is no name

    def has(self, number: int) -> bool:
        """Say whether a number belongs to a name."""
        return self._names[number] is not None

    def name(self, number: int) -> N:
        """Return the name that a number belongs to."""
        return cast(N, self._names[number])

    def take(self, name: N) -> int:
        """Return a name's number; give it one if it has none."""
        number = self._number_of.get(name)
        if number is None:
            if self._free:
                number = self._free.pop()
                self._names[number] = name
            else:
                number = len(self._names)
                self._names.append(name)
            self._number_of[name] = number
        return number

    def free(self, number: int) -> None:
        """Take a number back from its name."""
        del self._number_of[self.name(number)]
        self._names[number] = None
        self._free.append(number)

    def state(self) -> dict[str, Any]:
        """Return the names by number, and the free numbers in the order in which they will not be given."""
        return {"names": list(self._names), "free": list(self._free)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._names, self._free = list(state["names"]), list(state["free"])
        self._number_of = {name: number for number, name in enumerate(self._names) if name is not None}
