"""Turn interactions into a batch: pure, so that predicting leaves no trace; column by column, so that it is quick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stream.encoding.batch import Batch
from stream.encoding.features import KEY, Features
from stream.encoding.offers import Offers
from stream.encoding.values import MISTYPED, boolean_value, categorical_value, multi_values, numeric_value
from stream.encoding.vocabulary import Vocabulary
from stream.interaction import Interaction
from stream.schema import Kind

__all__ = ["LARGEST_WEIGHT", "encode"]

_LARGEST = 1e18
"""Numeric values are cut here: their squares must stay finite in the running statistics."""
LARGEST_WEIGHT = 2.0**30
"""Event weights are cut here: one valid event must not make float32 sums of squared gradients infinite."""
_PLAIN_NUMBERS = frozenset({float, int, bool, type(None)})


def encode(interactions: Sequence[Interaction], schema_version: int, features: Features, offers: Offers) -> Batch:
    """Return the batch of ``interactions`` under the features and offers in force; changes nothing."""
    ragged = _Ragged()
    present = mistyped = 0
    numeric = np.zeros((len(interactions), features.numeric.capacity))
    values = [event.features for event in interactions]
    for name, kind in features.kinds.items():
        column = [event.get(name) for event in values]
        present += sum(name in event for event in values)
        slot = features.slot(name)
        if kind is Kind.NUMERIC:
            array, wrong = _numbers(column)
            numeric[:, slot] = array
            mistyped += wrong
        else:
            mistyped += ragged.add(column, kind, slot, features.rows.vocabularies[slot])
    if KEY in features.categorical:
        slot = features.categorical.slot(KEY)
        ragged.add([event.key for event in interactions], Kind.CATEGORICAL, slot, features.rows.vocabularies[slot])
    pairs = _Pairs(interactions, offers)
    return Batch(
        schema_version=schema_version,
        ids=[event.id for event in interactions],
        keys=[event.key for event in interactions],
        ts=np.array([event.ts for event in interactions], dtype=np.int64),
        weight=np.array([min(event.weight, LARGEST_WEIGHT) for event in interactions], dtype=np.float32),
        numeric=numeric,
        rows=np.array(ragged.rows, dtype=np.int64),
        row_event=np.array(ragged.events, dtype=np.int64),
        row_slot=np.array(ragged.slots, dtype=np.int64),
        row_weight=np.array(ragged.weights, dtype=np.float32),
        unseen=ragged.unseen,
        pair_event=pairs.event,
        pair_slot=pairs.slot,
        possible=pairs.possible,
        taken=pairs.taken,
        offsets=pairs.offsets,
        labels_dropped=pairs.dropped,
        unknown_features=sum(map(len, values)) - present,
        unknown_shown=pairs.unknown,
        mistyped_values=mistyped,
    )


def _numbers(column: list[Any]) -> tuple[np.ndarray, int]:
    """Return a column as float64 with NaN for missing, and how many values had a wrong type."""
    wrong = 0
    if not _PLAIN_NUMBERS.issuperset(map(type, column)):
        read = [numeric_value(value) for value in column]
        wrong = sum(value is MISTYPED for value in read)
        column = [None if value is MISTYPED else value for value in read]
    array = np.array([np.nan if value is None else float(value) for value in column])
    return np.clip(array, -_LARGEST, _LARGEST), wrong


class _Ragged:
    """The active rows of a batch while they are collected."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.events: list[int] = []
        self.slots: list[int] = []
        self.weights: list[float] = []
        self.unseen: list[tuple[int, str]] = []

    def add(self, column: list[Any], kind: Kind, slot: int, vocabulary: Vocabulary) -> int:
        """Add one feature's values, an event each; return how many had a wrong type."""
        row_of, missing, rare = vocabulary.row_of, vocabulary.missing, vocabulary.rare
        before, wrong = len(self.rows), 0
        if kind is Kind.MULTI_CATEGORICAL:
            for event, value in enumerate(column):
                found = multi_values(value)
                if found is None or found is MISTYPED:
                    wrong += found is MISTYPED
                    self.rows.append(missing)
                    self.events.append(event)
                    self.weights.append(1.0)
                    continue
                assert isinstance(found, tuple)
                weight = 1.0 / np.sqrt(len(found)) if found else 0.0
                for item in found:
                    row = row_of.get(item)
                    if row is None:
                        self.unseen.append((slot, item))
                        row = rare
                    self.rows.append(row)
                    self.events.append(event)
                    self.weights.append(weight)
        else:
            read: Callable[[object], object] = _boolean_text if kind is Kind.BOOLEAN else categorical_value
            for value in column:
                text = value if type(value) is str and kind is Kind.CATEGORICAL else read(value)
                if text is None or text is MISTYPED:
                    wrong += text is MISTYPED
                    self.rows.append(missing)
                    continue
                assert isinstance(text, str)
                row = row_of.get(text)
                if row is None:
                    self.unseen.append((slot, text))
                    row = rare
                self.rows.append(row)
            self.events += range(len(column))
            self.weights += [1.0] * len(column)
        self.slots += [slot] * (len(self.rows) - before)
        return wrong


def _boolean_text(value: object) -> object:
    read = boolean_value(value)
    return ("true" if read else "false") if isinstance(read, bool) else read


class _Pairs:
    """The (event, offer) pairs of a batch: every live offer that was possible or taken."""

    def __init__(self, interactions: Sequence[Interaction], offers: Offers) -> None:
        slot_of = offers.offers.get
        scratch = np.zeros(offers.offers.capacity, dtype=bool)
        slots: list[np.ndarray] = []
        possible: list[np.ndarray] = []
        taken: list[np.ndarray] = []
        sizes = np.zeros(len(interactions) + 1, dtype=np.int64)
        self.dropped = self.unknown = 0
        for index, event in enumerate(interactions):
            admitted, unknown = offers.possible(event.shown)
            self.unknown += unknown
            labels = [slot for slot in map(slot_of, event.labels) if slot is not None]
            self.dropped += len(event.labels) - len(labels)
            inside = np.ones(len(admitted), dtype=bool)
            if labels:
                scratch[labels] = True
                hit = scratch[admitted]
                if int(hit.sum()) < len(labels):
                    scratch[admitted] = False
                    extra = np.flatnonzero(scratch)
                    scratch[extra] = False
                    admitted = np.concatenate([admitted, extra])
                    inside = np.concatenate([inside, np.zeros(len(extra), dtype=bool)])
                    hit = np.concatenate([hit, np.ones(len(extra), dtype=bool)])
                scratch[labels] = False
            else:
                hit = np.zeros(len(admitted), dtype=bool)
            slots.append(admitted)
            possible.append(inside)
            taken.append(hit)
            sizes[index + 1] = len(admitted)
        self.offsets = np.cumsum(sizes)
        self.slot = np.concatenate(slots) if slots else np.zeros(0, dtype=np.int64)
        self.possible = np.concatenate(possible) if possible else np.zeros(0, dtype=bool)
        self.taken = np.concatenate(taken) if taken else np.zeros(0, dtype=bool)
        self.event = np.repeat(np.arange(len(interactions), dtype=np.int64), sizes[1:])
