"""By what a stream's events and offers may be told apart: domain, task, how rare an event's rarest value is."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from stream.bench.adaptation.stream import BenchStream
from stream.encoding.values import MISTYPED, categorical_value, multi_values
from stream.records.interaction import Interaction
from stream.schema import Kind, Op, Schema

__all__ = ["TASK", "domains_of", "rarity_of", "tasks_of"]

TASK = "task"
"""The offer attribute that says what an offer is: a purchase, a redemption, a profile field."""


def tasks_of(stream: BenchStream) -> list[str]:
    """Return the values that offers have of the attribute `task`, sorted; empty if none has it."""
    found = set()
    for version in stream.versions:
        for change in version.changes:
            if change.op in (Op.ADD_LABEL, Op.UPDATE_LABEL) and change.attributes is not None:
                found.add(change.attributes.get(TASK))
    return sorted(task for task in found if task is not None)


def domains_of(stream: BenchStream) -> tuple[NDArray[np.int64], list[str]]:
    """Return each event's domain `(N,)` as a place in the sorted list of names; -1 if it names none."""
    values = [
        categorical_value(item.features.get(stream.domain)) if stream.domain is not None else None
        for item in stream.items
        if isinstance(item, Interaction)
    ]
    named = [value if isinstance(value, str) else None for value in values]
    names = sorted({value for value in named if value is not None})
    place = {name: index for index, name in enumerate(names)}
    return np.array([-1 if value is None else place[value] for value in named], dtype=np.int64), names


def rarity_of(stream: BenchStream) -> NDArray[np.int64]:
    """Return how often each event's rarest categorical value `(N,)` had been seen before; -1 for one without values."""
    schema = Schema.empty()
    seen: Counter[tuple[str, str]] = Counter()
    rarest: list[int] = []
    for item in stream.items:
        if not isinstance(item, Interaction):
            schema = schema.apply(item)
            continue
        values: list[tuple[str, str]] = []
        for name, kind in schema.features.items():
            if kind is Kind.CATEGORICAL:
                value = categorical_value(item.features.get(name))
                if isinstance(value, str):
                    values.append((name, value))
            elif kind is Kind.MULTI_CATEGORICAL:
                several = multi_values(item.features.get(name))
                if several is not MISTYPED and isinstance(several, tuple):
                    values += [(name, value) for value in several]
        rarest.append(min((seen[value] for value in values), default=-1))
        seen.update(values)
    return np.array(rarest, dtype=np.int64)
