"""Turn interactions into a batch: pure, so that predicting leaves no trace; in few passes, so that it is quick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from stream.encoding.batch import Batch
from stream.encoding.features import Features
from stream.encoding.kept_name import LONGEST, kept_name
from stream.encoding.offers import Offers
from stream.encoding.pairs import Pairs
from stream.encoding.plan import Plan
from stream.encoding.rows import Rows
from stream.encoding.values import MISTYPED, numeric_value
from stream.records.interaction import Interaction

__all__ = ["encode"]

_EXACT = 2.0**53
"""Below it a float64 holds every integer."""
_PLAIN_NUMBERS = frozenset({float, int, bool, type(None)})


def encode(interactions: Sequence[Interaction], schema_version: int, features: Features, offers: Offers) -> Batch:
    """Return the batch of `interactions` under the features and offers in force; changes nothing."""
    plan = features.plan
    values = [event.features for event in interactions]
    keys = [event.key for event in interactions]
    if any(len(key) > LONGEST for key in keys if key is not None):
        keys = [None if key is None else kept_name(key) for key in keys]
    numeric, rounded, numbers, mistyped = _numbers(values, plan, features.numeric.capacity)
    rows = Rows(values, keys, plan)
    feature_values = sum(map(len, values))
    unknown: Counter[str] = Counter()
    if numbers + rows.present != feature_values:  # some are unknown, or null
        known = plan.known
        unknown.update(name for event in values if not event.keys() <= known for name in event if name not in known)
    pairs = Pairs(interactions, offers)
    return Batch(
        schema_version=schema_version,
        ids=[event.id for event in interactions],
        keys=keys,
        ts=np.array([event.ts for event in interactions], dtype=np.int64),
        weight=np.array([event.weight for event in interactions], dtype=np.float64),
        numeric=numeric,
        rounded=rounded,
        rows=rows.rows,
        row_event=rows.row_event,
        row_slot=rows.row_slot,
        row_weight=rows.row_weight,
        unseen=rows.unseen,
        pair_event=pairs.event,
        pair_slot=pairs.slot,
        listed=np.array([isinstance(event.shown, tuple) for event in interactions], dtype=bool),
        possible=pairs.possible,
        taken=pairs.taken,
        offsets=pairs.offsets,
        labels_dropped=pairs.unknown_labels.total(),
        unknown_features=unknown.total(),
        unknown_shown=pairs.unknown_shown.total(),
        mistyped_values=mistyped + rows.mistyped,
        labels=pairs.labels,
        feature_values=feature_values,
        unknown_names={"feature": unknown, "label": pairs.unknown_labels, "shown": pairs.unknown_shown},
    )


def _numbers(values: list[dict[str, Any]], plan: Plan, capacity: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Return all numeric features `(B, capacity)`, NaN for missing, and which were rounded.

    And how many values there were, and how many of them had a wrong type.
    """
    numeric = np.zeros((len(values), capacity))
    names: Any = plan.numeric
    flat: list[Any] = list(chain.from_iterable([map(event.get, names) for event in values]))
    present = len(flat) - flat.count(None)
    wrong = 0
    if not _PLAIN_NUMBERS.issuperset(map(type, flat)):
        read = [numeric_value(value) for value in flat]
        wrong = read.count(MISTYPED)
        flat = [None if value is MISTYPED else value for value in read]
    if flat:
        numeric[:, : len(names)] = np.array(flat, dtype=np.float64).reshape(len(values), len(names))
    rounded = np.abs(numeric) >= _EXACT
    if rounded.any():
        for event, slot in np.argwhere(rounded).tolist():
            value = flat[event * len(names) + slot]
            rounded[event, slot] = type(value) is int and int(numeric[event, slot]) != value
    if len(plan.free):
        numeric[:, plan.free] = 0.0
    return numeric, rounded, present, wrong
