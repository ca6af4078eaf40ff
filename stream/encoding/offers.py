"""The live offers by slot, the attribute values that they share, and which of them an event could have taken."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from stream.encoding.kept_name import kept_name
from stream.encoding.slots import SlotRegistry
from stream.encoding.tasks import DEFAULT, Tasks
from stream.state import Tree

__all__ = ["Offers", "Shown", "value_name"]

Shown = tuple[str, ...] | Mapping[str, tuple[str, ...]] | None
_CACHED_BYTES = 8 << 20
"""Of answers to `shown`, with what was asked; one that takes a sixteenth of it or more is not kept."""


def value_name(attribute: str, value: str, task: str = DEFAULT) -> str:
    """Return the one name of an (attribute, value) pair, of bounded length; tasks share none."""
    parts = [attribute, value] if task == DEFAULT else [attribute, value, task]
    return json.dumps([kept_name(part) for part in parts], ensure_ascii=False)


class Offers:
    """Slots of offers and of attribute values; `columns` `(offer slots, attributes)` holds -1 if one is lacking.

    An attribute value outlives its offers (what it taught is not lost), up to `departed_capacity` of them, the
    longest departed leaving first. Only the first `attributes` attribute names share weights; selectors see all.
    """

    def __init__(self, *, attributes: int, departed_capacity: int) -> None:
        self.offers = SlotRegistry(32)
        self.values = SlotRegistry(32)
        self.attribute_limit = attributes
        self.attributes = SlotRegistry(max(1, attributes))
        self.departed_capacity = departed_capacity
        self.of_offer: dict[str, dict[str, str]] = {}
        self.columns = np.full((self.offers.capacity, attributes), -1, dtype=np.int64)
        self.value_of: dict[str, tuple[str, str]] = {}
        """Attribute and value, as they are kept, by the name of the pair."""
        self.tasks = Tasks()
        self.task_of_offer = np.zeros(self.offers.capacity, dtype=np.int64)
        self.task_of_value = np.zeros(self.values.capacity, dtype=np.int64)
        """Task slots by offer slot and by value slot; 0 if a slot is free."""
        self.columns_of_string: dict[str, list[tuple[int, int]]] = {}
        """(match slot, value slot) by value string: where an input's value is also an offer's attribute value."""
        self._users: dict[str, int] = {}
        self._departed: OrderedDict[str, None] = OrderedDict()
        self._cache: dict[object, tuple[np.ndarray, tuple[str, ...]]] = {}
        self._cached_bytes = 0

    def __len__(self) -> int:
        return len(self.offers)

    # -- changes; each returns what the tables have to make room for or zero --------------------------------

    def add(self, name: str, attributes: Mapping[str, str]) -> tuple[int, list[int], list[int]]:
        """Give an offer a slot; return it, the value slots that are new, and those given up for a bound."""
        slot = self.offers.add(name)
        if slot >= len(self.columns):
            extra = np.full((self.offers.capacity - len(self.columns), self.columns.shape[1]), -1, dtype=np.int64)
            self.columns = np.concatenate([self.columns, extra])
            self.task_of_offer = np.pad(self.task_of_offer, (0, len(extra)))
        added, evicted = self._attach(name, slot, attributes)
        return slot, added, evicted

    def remove(self, name: str) -> tuple[int, list[int]]:
        """Free an offer's slot; return it and the value slots given up because too many have departed."""
        self._detach(name)
        slot = self.offers.remove(name)
        self.columns[slot] = -1
        self.task_of_offer[slot] = 0
        return slot, self._expire()

    def rename(self, name: str, to: str) -> int:
        """Move an offer to another name, slot and attributes unchanged."""
        slot = self.offers.rename(name, to)
        self.of_offer[to] = self.of_offer.pop(name)
        self.tasks.rename(name, to)
        self._forget_answers()
        return slot

    def update(self, name: str, attributes: Mapping[str, str]) -> tuple[int, list[int], list[int]]:
        """Replace an offer's attributes; returns as `add` does."""
        slot = self.offers.slot(name)
        self._detach(name)
        self.columns[slot] = -1
        added, evicted = self._attach(name, slot, attributes)
        return slot, added, evicted

    def _attach(self, name: str, slot: int, attributes: Mapping[str, str]) -> tuple[list[int], list[int]]:
        self.of_offer[name] = dict(attributes)
        task = self.tasks.join(name, attributes)
        self.task_of_offer[slot] = self.tasks.names.slot(task)
        self._forget_answers()
        added: list[int] = []
        for attribute, value in sorted(attributes.items()):
            kept = kept_name(attribute)
            if kept not in self.attributes:
                if len(self.attributes) >= self.attribute_limit:
                    continue
                self.attributes.add(kept)
            index = self.attributes.slot(kept)
            key = value_name(attribute, value, task)
            if key not in self.values:
                added.append(self.values.add(key))
                self._start_value(key, kept, kept_name(value), task)
            self._departed.pop(key, None)
            self._users[key] = self._users.get(key, 0) + 1
            self.columns[slot, index] = self.values.slot(key)
        return added, self._expire()

    def _start_value(self, key: str, attribute: str, value: str, task: str) -> None:
        slot = self.values.slot(key)
        self.value_of[key] = (attribute, value)
        if slot >= len(self.task_of_value):
            self.task_of_value = np.pad(self.task_of_value, (0, self.values.capacity - len(self.task_of_value)))
        self.task_of_value[slot] = self.tasks.names.slot(task)
        self.columns_of_string.setdefault(value, []).append((self.match_slot(attribute, slot), slot))

    def match_slot(self, attribute: str, value_slot: int) -> int:
        """Return the slot of an (attribute, task): an input's value matches one value of each."""
        return self.attributes.slot(attribute) + self.attribute_limit * int(self.task_of_value[value_slot])

    @property
    def match_slots(self) -> int:
        """How many slots for (attribute, task) were ever used: of these a vocabulary row has one number each."""
        return self.attribute_limit * len(self.tasks.names.names)

    def _detach(self, name: str) -> None:
        self._forget_answers()
        task = self.tasks.leave(name)
        for attribute, value in sorted(self.of_offer.pop(name).items()):
            key = value_name(attribute, value, task)
            if key not in self._users:
                continue
            self._users[key] -= 1
            if self._users[key] == 0:
                del self._users[key]
                self._departed[key] = None

    def _expire(self) -> list[int]:
        evicted: list[int] = []
        while len(self._departed) > self.departed_capacity:
            evicted.append(self._end_value(next(iter(self._departed))))
        return evicted

    def _end_value(self, key: str) -> int:
        """Give up the slot of a departed value and return it."""
        del self._departed[key]
        attribute, value = self.value_of.pop(key)
        slot = self.values.remove(key)
        entries = self.columns_of_string[value]
        entries.remove((self.match_slot(attribute, slot), slot))
        if not entries:
            del self.columns_of_string[value]
        self.task_of_value[slot] = 0
        return slot

    def present_tasks(self, offers: np.ndarray) -> tuple[int, ...]:
        """Return the slots of the tasks of the `offers` (slots), ascending; the default one if there are none."""
        if len(self.tasks.names) == 1:
            return (0,)
        return tuple(np.unique(self.task_of_offer[offers]).tolist()) or (0,)

    def end_idle_tasks(self) -> tuple[list[tuple[str, int]], list[int]]:
        """End the tasks without offers; return name and slot of each, and the slots of the values that end with it."""
        ended, values = [], []
        for task in self.tasks.idle():
            slot = self.tasks.names.slot(task)
            values += [self._end_value(key) for key, _ in self.values_of_task(slot)]
            ended.append((task, self.tasks.names.remove(task)))
        return ended, values

    def values_of_task(self, task: int) -> list[tuple[str, int]]:
        """Return name and slot of the attribute values of the task in slot `task`."""
        return [(key, slot) for key, slot in self.values.items() if self.task_of_value[slot] == task]

    # -- questions --------------------------------------------------------------------------------------------

    def possible(self, shown: Shown) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return the slots of the live offers in `shown`, ascending, and those of its names that are unknown.

        Of a selector these are the attributes that no live offer has: it admits nothing.
        """
        key: object = shown
        if isinstance(shown, Mapping):
            key = (None, *shown.items())  # equal to no tuple of names
        found = self._cache.get(key)
        if found is None:
            found = self._resolve(shown)
            size_bytes = _size_bytes(shown) + found[0].nbytes + 64 + 8 * len(found[1])
            if size_bytes < _CACHED_BYTES // 16:
                if self._cached_bytes + size_bytes > _CACHED_BYTES:
                    self._forget_answers()
                self._cache[key] = found
                self._cached_bytes += size_bytes
        return found

    def _forget_answers(self) -> None:
        self._cache.clear()
        self._cached_bytes = 0

    def _resolve(self, shown: Shown) -> tuple[np.ndarray, tuple[str, ...]]:
        unknown: tuple[str, ...] = ()
        if shown is None:
            return self.offers.live, unknown
        if isinstance(shown, Mapping):
            admitted = {attribute: set(values) for attribute, values in shown.items()}
            slots = [
                slot
                for name, slot in self.offers.items()
                if all(self.of_offer[name].get(attribute) in values for attribute, values in admitted.items())
            ]
            if not slots:
                known = set().union(*self.of_offer.values())
                unknown = tuple(attribute for attribute in shown if attribute not in known)
        else:
            found = self.offers.find(shown)
            slots = sorted(slot for slot in found if slot is not None)
            unknown = tuple(name for name, slot in zip(shown, found, strict=True) if slot is None)
        return np.array(slots, dtype=np.int64), unknown

    # -- state ------------------------------------------------------------------------------------------------

    def state(self) -> Tree:
        """Return everything as a state tree, slots unchanged."""
        return {
            "offers": self.offers.state(),
            "values": self.values.state(),
            "attributes": self.attributes.state(),
            "tasks": self.tasks.state(),
            "of_offer": [[name, attributes] for name, attributes in self.of_offer.items()],
            "value_of": [[key, *pair] for key, pair in self.value_of.items()],
            "task_of_value": self.task_of_value.copy(),
            "departed": list(self._departed),
        }

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.offers = SlotRegistry.from_state(tree["offers"])
        self.values = SlotRegistry.from_state(tree["values"])
        self.attributes = SlotRegistry.from_state(tree["attributes"])
        self.tasks.restore(tree["tasks"])
        self.task_of_offer = np.zeros(self.offers.capacity, dtype=np.int64)
        self.task_of_value = tree["task_of_value"].copy()
        self.of_offer = {name: dict(attributes) for name, attributes in tree["of_offer"]}
        self.value_of = {key: (attribute, value) for key, attribute, value in tree["value_of"]}
        self._departed = OrderedDict.fromkeys(tree["departed"])
        self._users, self.columns_of_string = {}, {}
        self._forget_answers()
        self.columns = np.full((self.offers.capacity, self.attribute_limit), -1, dtype=np.int64)
        for key, (attribute, value) in self.value_of.items():
            slot = self.values.slot(key)
            self.columns_of_string.setdefault(value, []).append((self.match_slot(attribute, slot), slot))
        for name, slot in self.offers.items():
            task = self.tasks.of(name)
            self.task_of_offer[slot] = self.tasks.names.slot(task)
            for attribute, value in self.of_offer[name].items():
                key = value_name(attribute, value, task)
                if key in self.values:
                    self._users[key] = self._users.get(key, 0) + 1
                    self.columns[slot, self.attributes.slot(kept_name(attribute))] = self.values.slot(key)


_ANSWER_BYTES = 400
"""An entry of the cache, its array's head and a selector's own containers."""


def _size_bytes(shown: Shown) -> int:
    """Return what an answer to `shown` takes in the cache, its array's elements left out."""
    if isinstance(shown, Mapping):
        return _ANSWER_BYTES + sum(
            200 + attribute.__sizeof__() + _size_bytes(values) for attribute, values in shown.items()
        )
    return _ANSWER_BYTES + sum(map(str.__sizeof__, shown or ())) + 8 * len(shown or ())
