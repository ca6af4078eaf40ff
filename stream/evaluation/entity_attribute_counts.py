"""The baseline `entity_attribute_counts`: what this key took before, by attribute value, plus the offer's own rate."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.encoding.kept_name import kept_name
from stream.errors import ConfigurationError
from stream.evaluation.earlier import Earlier

__all__ = ["EntityAttributeCounts"]

_TOGETHER = 256
"""Events whose counts are looked up at once: a row each, as wide as there are values."""

_TOGETHER_CELLS = 1 << 20
"""Of such rows no more than make 8 MiB, but one."""

_LARGE = 64
"""Values of one key beyond which giving up the oldest, one by one, has to be cheap."""

_Value = str | int
"""What a count belongs to: an attribute's value, or the number of one offer's addition (its "own name").

The number stays through a rename and is never given twice, so a count moves with a rename, a name that comes back
starts anew, and an offer's own name can never be mistaken for an attribute's value.
"""


class EntityAttributeCounts:
    """c(key, v) + 30 * (taken + 0.5) / (possible + 10), v being the offer's value of one attribute (contract, part 6).

    c is undecayed and outlives the offers that share v. It is bounded in (key, v) pairs: beyond the bound the key that
    has taken nothing for the longest loses its counts first, among them the longest untouched first.
    """

    def __init__(self, attribute: str, max_pairs: int) -> None:
        self._attribute = attribute
        self._max_pairs = max_pairs
        self._tables: OrderedDict[str, dict[_Value, int]] = OrderedDict()  # both levels: longest untouched first
        self._pairs = 0
        self._dead: set[int] = set()
        self._additions = 0
        self._value: NDArray[np.object_] = np.zeros(0, dtype=object)
        self._own = np.zeros(0, dtype=np.int64)
        self._own_counted: set[int] = set()
        self._possible = np.zeros(0, dtype=np.int64)
        self._taken = np.zeros(0, dtype=np.int64)
        self._column: tuple[dict[_Value, int], NDArray[np.int64]] | None = None
        self.evictions = 0
        """(key, value) pairs given up so far because the bound was met."""

    @property
    def pairs(self) -> int:
        """(key, value) pairs remembered."""
        self._bury()
        return self._pairs

    def add(self, slot: int, attributes: Mapping[str, str], capacity: int) -> None:
        """Start an offer, in tables of at least ``capacity`` slots, with nothing counted for it."""
        if capacity > self._own.size:
            more = capacity - self._own.size
            self._value = np.append(self._value, np.zeros(more, dtype=object))
            self._own, self._possible, self._taken = (
                np.append(table, np.zeros(more, dtype=np.int64)) for table in (self._own, self._possible, self._taken)
            )
        self._additions += 1  # so 0 stands for a free slot
        self._own[slot] = self._additions
        self.update(slot, attributes)

    def update(self, slot: int, attributes: Mapping[str, str]) -> None:
        """Count an offer under the value that it has now; what was counted stays where it was."""
        value = attributes.get(self._attribute) if self._attribute else None
        self._value[slot] = int(self._own[slot]) if value is None else kept_name(value)
        self._renumber(slot)

    def remove(self, slot: int) -> None:
        """Forget an offer's own counts; those under an attribute's value stay."""
        own = int(self._own[slot])
        if own in self._own_counted:
            self._own_counted.discard(own)
            self._dead.add(own)
        self._value[slot] = 0
        self._renumber(slot)
        self._own[slot] = self._possible[slot] = self._taken[slot] = 0

    def scores_then_learn(
        self,
        keys: Sequence[str | None],
        slots: NDArray[np.integer[Any]],
        bounds: NDArray[np.int64],
        taken: NDArray[np.integer[Any]],
        taken_bounds: NDArray[np.int64],
        earlier: Earlier,
    ) -> NDArray[np.float64]:
        """Score each event's offers for its key, then count the event, one after the other, for a whole batch.

        Args:
            keys: of B events; for an anonymous one (None) c is 0, and nothing is counted.
            slots: (P,) R of each event, within ``bounds`` (B + 1,).
            taken: (L,) T of each event, within ``taken_bounds`` (B + 1,), in an order that does not depend on slots.
            earlier: what both hold of the events before.

        Returns:
            (P,) scores.
        """
        rate = 30 * (self._taken[slots] + earlier.labels + 0.5) / (self._possible[slots] + earlier.pairs + 10)
        shared = np.empty(slots.size)
        together = min(_TOGETHER, max(1, _TOGETHER_CELLS // (len(self._columns()[0]) + 1)))
        for first in range(0, len(keys), together):
            some = slice(first, first + together)
            ends = slice(first, first + together + 1)
            shared[bounds[ends][0] : bounds[ends][-1]] = self._shared(
                keys[some], slots, bounds[ends], taken, taken_bounds[ends].tolist()
            )
        np.add.at(self._possible, slots, 1)
        np.add.at(self._taken, taken, 1)
        score: NDArray[np.float64] = rate + shared
        return score

    def _shared(
        self,
        keys: Sequence[str | None],
        slots: NDArray[np.integer[Any]],
        bounds: NDArray[np.int64],
        taken: NDArray[np.integer[Any]],
        taken_bounds: list[int],
    ) -> NDArray[np.float64]:
        """Return c of each pair of some events as it is before its event, and count these events' labels in it."""
        values: list[_Value] = []
        counts: list[int] = []
        sizes: list[int] = []
        labels = self._value[taken[taken_bounds[0] : taken_bounds[-1]]].tolist()
        start = taken_bounds[0]
        column, columns = self._columns()
        for key, (first, last) in zip(keys, pairwise(taken_bounds), strict=True):
            table = None if key is None else self._tables.get(key)
            if table is None:
                sizes.append(0)
            elif len(table) > len(column):  # only live values are asked for, however many a key has taken
                live = [value for value in column if value in table]
                sizes.append(len(live))
                values += live
                counts += map(table.__getitem__, live)
            else:
                sizes.append(len(table))
                values += table
                counts += table.values()
            if last > first and key is not None:
                self._count(key, labels[first - start : last - start])
        # One row an event, one column a live value, and a last one for what no live offer has.
        where = np.fromiter(map(column.get, values, repeat(len(column))), np.int64, len(values))
        table_of_event = np.zeros((len(keys), len(column) + 1))
        table_of_event[np.repeat(np.arange(len(keys)), sizes), where] = counts
        event = np.repeat(np.arange(len(keys)), np.diff(bounds))
        found: NDArray[np.float64] = table_of_event[event, columns[slots[bounds[0] : bounds[-1]]]]
        return found

    def _columns(self) -> tuple[dict[_Value, int], NDArray[np.int64]]:
        """Return a number for each value that an offer has, and (capacity,) the number of each slot's value."""
        if self._column is None:
            column: dict[_Value, int] = {}
            columns = [column.setdefault(value, len(column)) for value in self._value.tolist()]
            self._column = column, np.array(columns, dtype=np.int64)
        return self._column

    def _renumber(self, slot: int) -> None:
        """Give a slot's value, which has just changed, its number; those that no offer has any more go in time."""
        if self._column is None:
            return
        column, columns = self._column
        columns = np.pad(
            columns, (0, self._value.size - columns.size), constant_values=column.setdefault(0, len(column))
        )
        columns[slot] = column.setdefault(self._value[slot], len(column))
        self._column = (column, columns) if len(column) <= 2 * self._value.size + 16 else None

    def _count(self, key: str, values: list[_Value]) -> None:
        if self._dead:
            self._bury()
        table = self._tables.pop(key, None)
        if table is None:
            table = {}
        self._tables[key] = table
        for value in values:
            count = table.pop(value, 0)
            table[value] = count + 1
            if not count:
                self._pairs += 1
                if isinstance(value, int):
                    self._own_counted.add(value)
        while self._pairs > self._max_pairs:
            self._evict(self._pairs - self._max_pairs)

    def offer(self, slot: int) -> tuple[int, int, str | None]:
        """Return (possible, taken, attribute value or None) of a slot, for the state digest."""
        value = self._value[slot]
        return int(self._possible[slot]), int(self._taken[slot]), value if isinstance(value, str) else None

    def named_counts(self, name_of_slot: Mapping[int, str]) -> Iterator[tuple[str, object]]:
        """Yield c by key and the order of keys, both in order of touch and with names instead of slots."""
        self._bury()
        own = {int(self._own[slot]): name for slot, name in name_of_slot.items()}
        for key, table in self._tables.items():
            counts = [
                [value, count] if isinstance(value, str) else [own[value], count, "own"]
                for value, count in table.items()
            ]
            yield f"count/{key}", json.dumps(counts).encode()
        yield "counted_keys", json.dumps(list(self._tables)).encode()

    def state(self) -> dict[str, Any]:
        """Return the tables by slot, and c as flat arrays in order of touch."""
        self._bury()
        place: dict[_Value, int] = {}
        for value in chain.from_iterable(self._tables.values()):
            place.setdefault(value, len(place))
        live = [value if isinstance(value, str) else None for value in self._value.tolist()]
        return {
            "attribute": self._attribute,
            "evictions": self.evictions,
            "additions": self._additions,
            "attribute_value": live,
            "own": self._own.copy(),
            "possible": self._possible.copy(),
            "taken": self._taken.copy(),
            "keys": list(self._tables),
            "values": list(place),
            "values_of_key": np.fromiter(map(len, self._tables.values()), np.int64, len(self._tables)),
            "value": np.fromiter(
                map(place.__getitem__, chain.from_iterable(self._tables.values())), np.int64, self._pairs
            ),
            "count": np.fromiter(
                chain.from_iterable(table.values() for table in self._tables.values()), np.int64, self._pairs
            ),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` returned.

        Raises ConfigurationError where it was counted by another attribute: those counts mean nothing for this one.
        Where the bound has become smaller, the longest untouched pairs leave at once.
        """
        if state["attribute"] != self._attribute:
            raise ConfigurationError(
                f"evaluation.attribute is {self._attribute!r}, but the checkpoint's baseline counted by "
                f"{state['attribute']!r}; set it back, or begin without that checkpoint"
            )
        self.evictions = int(state["evictions"])
        self._additions = int(state["additions"])
        self._own = np.array(state["own"], dtype=np.int64)
        self._possible = np.array(state["possible"], dtype=np.int64)
        self._taken = np.array(state["taken"], dtype=np.int64)
        values: list[_Value] = state["values"]
        shared = {value: value for value in values}
        self._value = np.zeros(self._own.size, dtype=object)
        self._column = None
        for slot, value in enumerate(state["attribute_value"]):
            self._value[slot] = int(self._own[slot]) if value is None else shared.get(value, value)
        pairs = zip(map(values.__getitem__, state["value"].tolist()), state["count"].tolist(), strict=True)
        self._tables = OrderedDict(
            (key, dict(islice(pairs, size)))
            for key, size in zip(state["keys"], state["values_of_key"].tolist(), strict=True)
        )
        self._pairs = len(state["count"])
        self._dead = set()
        self._own_counted = {value for value in values if isinstance(value, int)}
        while self._pairs > self._max_pairs:
            self._evict(self._pairs - self._max_pairs)

    def _evict(self, excess: int) -> None:
        key, table = next(iter(self._tables.items()))
        leaving = list(islice(table, excess))
        for value in leaving:
            del table[value]
        if not table:
            del self._tables[key]
        elif len(table) > _LARGE and not isinstance(table, OrderedDict):
            # A plain dict would look for its next among all that it has deleted. (The key keeps its place.)
            self._tables[key] = OrderedDict(table)
        self._pairs -= len(leaving)
        self.evictions += len(leaving)

    def _bury(self) -> None:
        """Drop the own-name counts of removed offers: one walk for all that left since the last."""
        if not self._dead:
            return
        for key, table in list(self._tables.items()):
            for value in self._dead.intersection(table):
                del table[value]
                self._pairs -= 1
            if not table:
                del self._tables[key]
        self._dead.clear()
