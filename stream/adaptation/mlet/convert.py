"""A learner with single tables for one whose categorical tables are products of factors, and the other way round.

Serving needs no factors: `merged` stores their product, a fraction of the size. `factorised` lets training
with factors start from what single tables have learnt. In both the function stays; only optimiser state of the
categorical tables starts anew, because what was measured on one form says nothing of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from stream.adaptation import Seat, parse_strategy
from stream.adaptation.mlet.factorised_input import FactorisedInput
from stream.adaptation.mlet.settings import MletSettings
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.network.persistence import parameter_counts
from stream.network.table import Table
from stream.records.interaction import Interaction
from stream.schema import Kind
from stream.settings.learner import LearnerSettings

__all__ = ["factorised", "largest_difference", "merged", "with_factors"]

_MLET = "mlet"
_PROBES = 256
_PROBED_AT_ONCE = 32


def merged(learner: LearnerCore) -> LearnerCore:
    """Return the learner with the product of each pair of factors as a single table, and without `mlet`.

    Raises ConfigurationError if its tables are single ones already.
    """
    layer = learner.network.input
    if not isinstance(layer, FactorisedInput):
        raise ConfigurationError(
            f"strategy = {learner.settings.strategy!r} has single tables: there is nothing to merge; it serves as it is"
        )
    kept = [entry.name for entry in parse_strategy(learner.settings.strategy) if entry.name != _MLET]
    settings = replace(learner.settings, strategy="+".join(kept))
    table = LearnerCore(settings).network.input.rows
    table.grow(layer.rows.rows)
    vocabularies = learner.network.layout.rows.vocabularies
    table.weight.copy_(layer.merged_rows((slot, found.rows()) for slot, found in vocabularies.items()))
    _mark_as(layer.rows, table)
    return _with_tables(learner, settings, {"input/rows": table})


def with_factors(settings: LearnerSettings, inner: int) -> LearnerSettings:
    """Return the settings with `mlet` in the strategy, and its inner dimension."""
    return replace(settings, strategy=f"{settings.strategy}+{_MLET}", mlet=MletSettings(inner=inner))


def factorised(learner: LearnerCore, settings: LearnerSettings) -> LearnerCore:
    """Return the learner with factors in the place of its single tables, under `settings`, whose strategy has `mlet`.

    Raises ConfigurationError if it has factors already, or if `mlet.inner` is too small to hold its tables.
    """
    source = learner.network.input
    if isinstance(source, FactorisedInput):
        raise ConfigurationError(
            f"strategy = {learner.settings.strategy!r} has factors already: merge the checkpoint first"
        )
    target = LearnerCore(settings).network.input
    if not isinstance(target, FactorisedInput):
        raise ConfigurationError(f"strategy = {settings.strategy!r} has no factors: add +{_MLET}")
    if target.row_width < target.dim:
        raise ConfigurationError(
            f"mlet.inner = {target.row_width} is below network.embedding_dim = {target.dim}: factors so narrow cannot "
            "hold the tables that are there; raise it"
        )
    network = learner.network
    target.rows.grow(source.rows.rows)
    target.factor.grow(source.projection.rows)
    names = dict(network.layout.features.categorical.items())
    target.factorise(
        source.rows.weight,
        ((name, slot, network.layout.rows.vocabularies[slot].rows()) for name, slot in names.items()),
    )
    _mark_as(source.rows, target.rows)
    _mark_as(source.projection, target.factor)
    return _with_tables(learner, settings, {"input/rows": target.rows, "input/factor": target.factor})


def _mark_as(source: Table, target: Table) -> None:
    target.fresh.copy_(source.fresh)
    target.held.copy_(source.held)
    target.holds = source.holds


def _with_tables(learner: LearnerCore, settings: LearnerSettings, tables: dict[str, Table]) -> LearnerCore:
    """Return a copy of the learner under other settings, with `tables` between values and projections."""
    tree = learner.state()
    kept = {name: table for name, table in tree["network"]["tables"].items() if name not in _BETWEEN}
    tree["network"]["tables"] = kept | {name: table.state() for name, table in tables.items()}
    methods = [entry.name for entry in parse_strategy(settings.strategy) if entry.seat is not Seat.CHANGE]
    tree["strategy"] = {name: tree["strategy"].get(name, {}) for name in methods}
    tree["parameters"] = list(parameter_counts(LearnerCore.from_state(tree, settings).network))
    return LearnerCore.from_state(tree, settings)


_BETWEEN = frozenset({"input/rows", "input/factor"})


def largest_difference(first: LearnerCore, second: LearnerCore) -> tuple[float, float]:
    """Return the largest difference between two learners' logits, and the largest of the first's, on made-up events.

    The learners share schema, vocabularies and statistics. The events take the features' values in turn, and every live
    offer is possible in each.
    """
    probes = _probes(first)
    difference = largest = 0.0
    while batch := list(islice(probes, _PROBED_AT_ONCE)):
        logits = first.predict(first.encode(batch)).logits.astype(np.float64)
        if logits.size:
            difference = max(difference, float(np.abs(second.predict(second.encode(batch)).logits - logits).max()))
            largest = max(largest, float(np.abs(logits).max()))
    return difference, largest


def _probes(learner: LearnerCore) -> Iterator[Interaction]:
    network = learner.network
    vocabularies = network.layout.rows.vocabularies
    features = network.layout.features
    values: dict[str, list[Any]] = {}
    for name, kind in features.kinds.items():
        known = [] if kind is Kind.NUMERIC else list(vocabularies[features.slot(name)].row_of)
        values[name] = [None, -1.0, 1.0] if kind is Kind.NUMERIC else [None, "\0seen by nobody", *known]
        if kind is Kind.BOOLEAN:
            values[name] = [None, False, True]
    keys = ["", *network.layout.keys.row_of]
    events = min(_PROBES, max([len(keys), *map(len, values.values())]))
    for number in range(events):
        chosen = {name: found[number * max(1, len(found) // events) % len(found)] for name, found in values.items()}
        yield Interaction(
            id=str(number),
            key=keys[number % len(keys)],
            ts=learner.event_time_ms or 0,
            features={
                name: [value] if features.kinds[name] is Kind.MULTI_CATEGORICAL and value is not None else value
                for name, value in chosen.items()
            },
            labels=(),
        )
