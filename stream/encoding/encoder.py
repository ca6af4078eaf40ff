"""Turn interactions into a batch: pure, so that predicting leaves no trace; column by column, so that it is quick."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import chain
from typing import Any

import numpy as np

from stream.encoding.batch import Batch
from stream.encoding.features import KEY, Features
from stream.encoding.kept_name import any_long, kept_name
from stream.encoding.offers import Offers
from stream.encoding.slots import SlotRegistry
from stream.encoding.values import MISTYPED, Mistyped, boolean_value, categorical_value, multi_values, numeric_value
from stream.encoding.vocabulary import Vocabulary
from stream.records.interaction import Interaction
from stream.schema import Kind

__all__ = ["encode"]

_EXACT = 2.0**53
"""Below it a float64 holds every integer."""
_PLAIN_NUMBERS = frozenset({float, int, bool, type(None)})
_STRINGS = frozenset({str})


def encode(interactions: Sequence[Interaction], schema_version: int, features: Features, offers: Offers) -> Batch:
    """Return the batch of ``interactions`` under the features and offers in force; changes nothing."""
    values = [event.features for event in interactions]
    keys = [None if event.key is None else kept_name(event.key) for event in interactions]
    numeric, rounded, mistyped = _numbers(values, features.numeric)
    ragged = _Ragged(len(interactions))
    for name, kind in features.kinds.items():
        if kind is not Kind.NUMERIC:
            slot = features.slot(name)
            column = [event.get(name) for event in values]
            mistyped += ragged.add(column, kind, slot, features.rows.vocabularies[slot])
    if KEY in features.categorical:
        slot = features.categorical.slot(KEY)
        ragged.add_keys([event.key for event in interactions], slot, features.rows.vocabularies[slot])
    rows, row_event, row_slot, row_weight = ragged.arrays()
    known = features.kinds.keys()
    unknown = Counter(name for event in values if not event.keys() <= known for name in event if name not in known)
    pairs = _Pairs(interactions, offers)
    return Batch(
        schema_version=schema_version,
        ids=[event.id for event in interactions],
        keys=keys,
        ts=np.array([event.ts for event in interactions], dtype=np.int64),
        weight=np.array([event.weight for event in interactions], dtype=np.float64),
        numeric=numeric,
        rounded=rounded,
        rows=rows,
        row_event=row_event,
        row_slot=row_slot,
        row_weight=row_weight,
        unseen=ragged.unseen,
        pair_event=pairs.event,
        pair_slot=pairs.slot,
        possible=pairs.possible,
        taken=pairs.taken,
        offsets=pairs.offsets,
        labels_dropped=pairs.unknown_labels.total(),
        unknown_features=unknown.total(),
        unknown_shown=pairs.unknown_shown.total(),
        mistyped_values=mistyped,
        labels=sum(len(event.labels) for event in interactions),
        feature_values=sum(map(len, values)),
        unknown_names={"feature": unknown, "label": pairs.unknown_labels, "shown": pairs.unknown_shown},
    )


def _numbers(values: list[dict[str, Any]], slots: SlotRegistry) -> tuple[np.ndarray, np.ndarray, int]:
    """Return all numeric features ``(B, capacity)``, NaN for missing; which were rounded; how many had a wrong type."""
    numeric = np.zeros((len(values), slots.capacity))
    names = slots.names
    rows = [[event.get(name) for name in names] for event in values]  # type: ignore[arg-type]
    wrong = 0
    if not _PLAIN_NUMBERS.issuperset(map(type, chain.from_iterable(rows))):
        read = [[numeric_value(value) for value in row] for row in rows]
        wrong = sum(value is MISTYPED for row in read for value in row)
        rows = [[None if value is MISTYPED else value for value in row] for row in read]
    if names and values:
        numeric[:, : len(names)] = np.array(rows, dtype=np.float64)
    rounded = np.abs(numeric) >= _EXACT
    for event, slot in np.argwhere(rounded).tolist():
        value = rows[event][slot]
        rounded[event, slot] = type(value) is int and int(numeric[event, slot]) != value
    if slots.free_slots:
        numeric[:, [slot for slot, name in enumerate(names) if name is None]] = 0.0
    return numeric, rounded, wrong


class _Ragged:
    """The active rows of a batch while they are collected, feature by feature, event by event within one."""

    def __init__(self, events: int) -> None:
        self.unseen: list[tuple[int, str]] = []
        self._events = events
        self._slots: list[int] = []
        self._rows: list[int] = []
        self._counts: list[int] = []
        """Rows of each feature and event."""
        self._weights: list[float] = []
        """The weight of each of these rows."""

    def add(self, column: list[Any], kind: Kind, slot: int, vocabulary: Vocabulary) -> int:
        """Add one feature's values, an event each; return how many had a wrong type."""
        self._slots.append(slot)
        if kind is Kind.MULTI_CATEGORICAL:
            return self._add_lists(column, slot, vocabulary)
        self._counts += [1] * len(column)
        self._weights += [1.0] * len(column)
        return self._add_values(column, kind, slot, vocabulary)

    def add_keys(self, keys: list[str | None], slot: int, vocabulary: Vocabulary) -> None:
        """Add the events' keys; an anonymous event has no row, not even that of a missing value."""
        if None not in keys:
            self.add(keys, Kind.CATEGORICAL, slot, vocabulary)
            return
        known = [key for key in keys if key is not None]
        self._slots.append(slot)
        self._counts += [int(key is not None) for key in keys]
        self._weights += [1.0] * len(keys)
        self._add_values(known, Kind.CATEGORICAL, slot, vocabulary)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return each row with its event, its feature's slot and its weight, ``(N,)`` each; event after event."""
        every = np.arange(self._events * len(self._slots), dtype=np.int64) % max(self._events, 1)
        slots = np.repeat(np.array(self._slots, dtype=np.int64), self._events)
        counts = np.array(self._counts, dtype=np.int64)
        events = np.repeat(every, counts)
        # A stable sort of 16-bit numbers takes linear time.
        order = np.argsort(events.astype(np.int16) if self._events < 1 << 15 else events, kind="stable")
        return (
            np.array(self._rows, dtype=np.int64)[order],
            events[order],
            np.repeat(slots, counts)[order],
            np.repeat(np.array(self._weights, dtype=np.float32), counts)[order],
        )

    def _add_lists(self, column: list[Any], slot: int, vocabulary: Vocabulary) -> int:
        row_of, missing, rare = vocabulary.row_of, vocabulary.missing, vocabulary.rare
        wrong = 0
        for value in column:
            if type(value) is list and _STRINGS.issuperset(map(type, value)):
                found: Collection[str] | Mistyped | None = dict.fromkeys(value)
            else:
                found = multi_values(value)
            if found is None or found is MISTYPED:
                wrong += found is MISTYPED
                self._rows.append(missing)
                self._counts.append(1)
                self._weights.append(1.0)
                continue
            assert not isinstance(found, Mistyped)
            rows = list(map(row_of.get, found))  # what has a row is kept as it is
            if (None in rows or vocabulary.shortened) and any_long(found):
                found = [kept_name(item) for item in found]
                rows = list(map(row_of.get, found))
            if None in rows:
                self.unseen += [(slot, item) for item, row in zip(found, rows, strict=True) if row is None]
                rows = [rare if row is None else row for row in rows]
            self._rows += rows  # type: ignore[arg-type] # no None is left
            self._counts.append(len(rows))
            self._weights.append(1.0 / math.sqrt(len(rows) or 1))
        return wrong

    def _add_values(self, column: list[Any], kind: Kind, slot: int, vocabulary: Vocabulary) -> int:
        row_of, wrong = vocabulary.row_of, 0
        if kind is Kind.BOOLEAN or not _STRINGS.issuperset(map(type, column)):
            read: Callable[[object], object] = _boolean_text if kind is Kind.BOOLEAN else categorical_value
            column = list(map(read, column))
            wrong = column.count(MISTYPED)
            column = [None if text is MISTYPED else text for text in column] if wrong else column
        rows = list(map(row_of.get, column))  # what has a row is kept as it is
        if (None in rows or vocabulary.shortened) and any_long(column):
            column = [text and kept_name(text) for text in column]
            rows = list(map(row_of.get, column))
        if None in rows:
            self.unseen += [
                (slot, text) for text, row in zip(column, rows, strict=True) if row is None and text is not None
            ]
            rare, missing = vocabulary.rare, vocabulary.missing
            filled = (missing if text is None else rare for text in column)
            rows = [other if row is None else row for row, other in zip(rows, filled, strict=True)]
        self._rows += rows  # type: ignore[arg-type] # no None is left
        return wrong


def _boolean_text(value: object) -> object:
    read = boolean_value(value)
    return ("true" if read else "false") if isinstance(read, bool) else read


class _Pairs:
    """The (event, offer) pairs of a batch: every live offer that was possible or taken."""

    def __init__(self, interactions: Sequence[Interaction], offers: Offers) -> None:
        slot_of, capacity = offers.offers.get, offers.offers.capacity
        shown: list[np.ndarray] = []
        labels: list[int] = []
        numbers = np.zeros(len(interactions), dtype=np.int64)
        self.unknown_labels: Counter[str] = Counter()
        self.unknown_shown: Counter[str] = Counter()
        for index, event in enumerate(interactions):
            admitted, unknown = offers.possible(event.shown)
            if unknown:
                self.unknown_shown.update(unknown)
            shown.append(admitted)
            if event.labels:
                live = [slot for slot in map(slot_of, event.labels) if slot is not None]
                if len(live) < len(event.labels):
                    self.unknown_labels.update(name for name in event.labels if slot_of(name) is None)
                numbers[index] = len(live)
                labels += live
        every = np.arange(len(interactions), dtype=np.int64)
        sizes = np.array([len(admitted) for admitted in shown], dtype=np.int64)
        self.slot = np.concatenate(shown) if shown else np.zeros(0, dtype=np.int64)
        self.event = np.repeat(every, sizes)
        self.possible = np.ones(self.slot.size, dtype=bool)
        self.taken = np.zeros(self.slot.size, dtype=bool)
        if labels:
            self._take(np.repeat(every, numbers) * capacity + labels, sizes, capacity)
        self.offsets = np.searchsorted(self.event, np.arange(len(interactions) + 1))

    def _take(self, labels: np.ndarray, sizes: np.ndarray, capacity: int) -> None:
        """Mark the pairs of ``labels``, event x capacity + slot each; one that was not shown gets a pair of its own."""
        # Both ascend, as an event's slots do: a label is found among the pairs by bisection.
        labels = np.unique(labels)
        pairs = self.event * capacity + self.slot
        found = np.searchsorted(pairs, labels)
        inside = np.append(pairs, -1)[found] == labels
        self.taken[found[inside]] = True
        if not inside.all():
            event, slot = np.divmod(labels[~inside], capacity)
            ends = np.cumsum(sizes)[event]
            self.slot, self.event = np.insert(self.slot, ends, slot), np.insert(self.event, ends, event)
            self.possible, self.taken = np.insert(self.possible, ends, False), np.insert(self.taken, ends, True)
