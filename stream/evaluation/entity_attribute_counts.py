"""The baseline `entity_attribute_counts`: what this key took before, by attribute value, plus the offer's own rate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.encoding.kept_name import kept_name
from stream.errors import ConfigurationError
from stream.evaluation.key_values import (
    EMPTIED_KEYS,
    EMPTIED_VALUES,
    ENTRY_COLUMNS,
    EVICTED,
    FIRST,
    KEY_COLUMNS,
    PAIRS,
    USED,
    evict,
    fill_table,
    in_order,
    new_meta,
    remove_value,
)
from stream.evaluation.key_values import VALUE as OF_VALUE
from stream.evaluation.numbers import Numbers

__all__ = ["POSSIBLE", "TAKEN", "VALUE", "EntityAttributeCounts"]

POSSIBLE, TAKEN, VALUE = range(3)
"""Columns of the offers: events in which one could be taken, and was; the number of its value."""
_FREE = -1
_FEWEST = 1024


class EntityAttributeCounts:
    """c(key, v) + 30 * (taken + 0.5) / (possible + 10), v being the offer's value of one attribute (contract, part 6).

    c is undecayed and outlives the offers that share v. It is bounded in (key, v) pairs: beyond the bound the key that
    has taken nothing for the longest loses its counts first, among them the longest untouched first.

    Keys and values have numbers here. A value is an attribute's, or the number of one offer's addition (its "own
    name"): that stays through a rename and is never given twice, so a count moves with a rename, a name that comes back
    starts anew, and an offer's own name can never be mistaken for an attribute's value. An own name is written as an
    integer, an attribute's value as a string.
    """

    def __init__(self, attribute: str, max_pairs: int) -> None:
        self._attribute = attribute
        self.max_pairs = max_pairs
        self.offers = np.zeros((0, 3), dtype=np.int64)
        """By slot how many events had the offer in R and in T, and its value's number, -1 where the slot is free."""
        self._own = np.zeros(0, dtype=np.int64)
        self._additions = 0
        self._keys: Numbers[str] = Numbers()
        self._values: Numbers[str | int] = Numbers()
        self._users = np.zeros(16, dtype=np.int64)
        """By value, how many offers have it."""
        self._empty_tables()

    def _empty_tables(self) -> None:
        self.entry = np.zeros((_FEWEST, ENTRY_COLUMNS), dtype=np.int32)
        self.count = np.zeros(_FEWEST, dtype=np.int64)
        self.keys = np.full((16, KEY_COLUMNS), -1, dtype=np.int32)
        self.values = np.full(16, -1, dtype=np.int32)
        self.meta = new_meta()
        self._fill_table()

    @property
    def pairs(self) -> int:
        """(key, value) pairs remembered."""
        return int(self.meta[PAIRS])

    @property
    def evictions(self) -> int:
        """(key, value) pairs given up so far because the bound was met."""
        return int(self.meta[EVICTED])

    # -- offers -----------------------------------------------------------------------------------------------------

    def add(self, slot: int, attributes: Mapping[str, str], capacity: int) -> None:
        """Start an offer, in tables of at least ``capacity`` slots, with nothing counted for it."""
        more = capacity - len(self._own)
        if more > 0:
            self.offers = np.concatenate([self.offers, np.full((more, 3), _FREE, dtype=np.int64)])
            self._own = np.concatenate([self._own, np.zeros(more, dtype=np.int64)])
        self._additions += 1  # so 0 stands for a free slot
        self._own[slot] = self._additions
        self.offers[slot] = 0, 0, _FREE
        self.update(slot, attributes)

    def update(self, slot: int, attributes: Mapping[str, str]) -> None:
        """Count an offer under the value that it has now; what was counted stays where it was."""
        value = attributes.get(self._attribute) if self._attribute else None
        number = self._values.take(int(self._own[slot]) if value is None else kept_name(value))
        self.values = _long_enough(self.values, len(self._values), -1)
        self._users = _long_enough(self._users, len(self._values), 0)
        self._users[number] += 1
        self._leave(int(self.offers[slot, VALUE]))
        self.offers[slot, VALUE] = number

    def _leave(self, value: int) -> None:
        """Note that an offer has a value no longer."""
        if value >= 0:
            self._users[value] -= 1
            self._forget_value(value)

    def _forget_value(self, value: int) -> None:
        """Give up the number of a value that no offer has and nothing was counted for."""
        if not self._users[value] and self.values[value] < 0 and self._values.has(value):
            self._values.free(value)

    def remove(self, slot: int) -> None:
        """Forget an offer's own counts; those under an attribute's value stay."""
        own = self._values.get(int(self._own[slot]))
        if own is not None and self.values[own] >= 0:
            remove_value(own, *self.arrays())
            self._forget_emptied()
        self._leave(int(self.offers[slot, VALUE]))
        self.offers[slot] = 0, 0, _FREE
        self._own[slot] = 0

    # -- events -----------------------------------------------------------------------------------------------------

    def numbers_of(
        self, keys: Sequence[str | None], labels: NDArray[np.int64], labelled: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the number ``(B,)`` of each event's key, -1 if nothing is or will be counted for it; make room.

        ``labels`` ``(B,)`` says how many there are, ``labelled`` which events have some. Call :meth:`learned` after.
        """
        numbers = self._keys.of(keys)
        new = False
        for event in labelled.tolist():
            key = keys[event]
            if key is not None and numbers[event] < 0:
                numbers[event] = self._keys.take(key)
                new = True
        if new:  # and its events in between
            numbers = self._keys.of(keys)
            self.keys = _long_enough(self.keys, len(self._keys), -1)
        self._prepare(int(labels.sum()))
        return np.array(numbers, dtype=np.int64)

    def _prepare(self, entries: int) -> None:
        """Make room for so many more entries."""
        self.meta[[EMPTIED_KEYS, EMPTIED_VALUES]] = 0
        wanted = int(self.meta[USED]) + entries
        if wanted > len(self.count):
            self.entry = _long_enough(self.entry, wanted, 0)
            self.count = _long_enough(self.count, wanted, 0)
            self._fill_table()

    def _fill_table(self) -> None:
        self.table = np.full(2 * len(self.count), -1, dtype=np.int32)
        fill_table(int(self.meta[USED]), self.count, self.entry, self.table)
        self.emptied_keys, self.emptied_values = np.zeros((2, len(self.count)), dtype=np.int32)

    def learned(self) -> None:
        """Forget the names of what was given up meanwhile."""
        if self.meta[EMPTIED_KEYS] or self.meta[EMPTIED_VALUES]:
            self._forget_emptied()

    def _forget_emptied(self) -> None:
        for key in self.emptied_keys[: self.meta[EMPTIED_KEYS]].tolist():
            if self.keys[key, FIRST] < 0 and self._keys.has(key):
                self._keys.free(key)
        for value in self.emptied_values[: self.meta[EMPTIED_VALUES]].tolist():
            self._forget_value(value)
        self.meta[[EMPTIED_KEYS, EMPTIED_VALUES]] = 0

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return the tables as :mod:`stream.evaluation.key_values` takes them."""
        return (
            *(self.entry, self.count, self.table, self.keys, self.values),
            *(self.meta, self.emptied_keys, self.emptied_values),
        )

    # -- state ------------------------------------------------------------------------------------------------------

    def offer(self, slot: int) -> tuple[int, int, str | None]:
        """Return (possible, taken, attribute value or None) of a slot, for the state digest."""
        possible, taken, number = self.offers[slot].tolist()
        value = self._values.name(number)
        return possible, taken, value if isinstance(value, str) else None

    def counted(self) -> Iterator[tuple[str, dict[str | int, int]]]:
        """Yield every key with its counts by value, both in order of touch."""
        keys, sizes = np.zeros((2, len(self._keys)), dtype=np.int64)
        entries = np.zeros(self.pairs, dtype=np.int64)
        number = in_order(self.entry, self.keys, self.meta, keys, sizes, entries)
        pairs = zip(self.entry[entries, OF_VALUE].tolist(), self.count[entries].tolist(), strict=True)
        for key, size in zip(keys[:number].tolist(), sizes[:number].tolist(), strict=True):
            some = (next(pairs) for _ in range(size))
            yield self._keys.name(key), {self._values.name(value): count for value, count in some}

    def named_counts(self, name_of_slot: Mapping[int, str]) -> Iterator[tuple[str, object]]:
        """Yield c by key and the order of keys, both in order of touch and with names instead of slots."""
        own = {int(self._own[slot]): name for slot, name in name_of_slot.items()}
        keys = []
        for key, table in self.counted():
            keys.append(key)
            counts = [
                [value, count] if isinstance(value, str) else [own[value], count, "own"]
                for value, count in table.items()
            ]
            yield f"count/{key}", json.dumps(counts).encode()
        yield "counted_keys", json.dumps(keys).encode()

    def state(self) -> dict[str, Any]:
        """Return all tables as they are, with the names of keys and values by their numbers."""
        used = int(self.meta[USED])
        return {
            "attribute": self._attribute,
            "additions": self._additions,
            "own": self._own.copy(),
            "offers": self.offers.copy(),
            "key_names": self._keys.state(),
            "value_names": self._values.state(),
            "entry": self.entry[:used].copy(),
            "count": self.count[:used].copy(),
            "keys": self.keys[: len(self._keys)].copy(),
            "values": self.values[: len(self._values)].copy(),
            "meta": self.meta.copy(),
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
        self._additions = int(state["additions"])
        self._own = np.array(state["own"], dtype=np.int64)
        self.offers = np.array(state["offers"], dtype=np.int64)
        self._keys.restore(state["key_names"])
        self._values.restore(state["value_names"])
        self._empty_tables()
        self._users = np.zeros(len(self._values), dtype=np.int64)
        np.add.at(self._users, self.offers[self.offers[:, VALUE] >= 0, VALUE], 1)
        for name in ("entry", "count", "keys", "values"):
            array, kept = getattr(self, name), state[name]
            array = _long_enough(array, len(kept), 0 if name in ("entry", "count") else -1)
            array[: len(kept)] = kept
            setattr(self, name, array)
        self.meta = np.array(state["meta"], dtype=np.int64)
        self._fill_table()
        self.meta[[EMPTIED_KEYS, EMPTIED_VALUES]] = 0
        evict(self.max_pairs, *self.arrays())
        self._forget_emptied()


def _long_enough(array: NDArray[Any], rows: int, fill: int) -> NDArray[Any]:
    """Return the array, or one of a power of two rows that begins with it and goes on with ``fill``."""
    if rows <= len(array):
        return array
    longer = np.full(((1 << (rows - 1).bit_length()), *array.shape[1:]), fill, dtype=array.dtype)
    longer[: len(array)] = array
    return longer
