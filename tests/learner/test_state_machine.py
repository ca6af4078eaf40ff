"""Any sequence of changes, training and restarts leaves a learner whose parts agree with one another."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from hypothesis import HealthCheck
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stream.adaptation.transfer.settings import WarmupSettings
from stream.encoding.features import KEY, slot_name
from stream.learner.core import LearnerCore
from stream.network.counts import BY_KEY, BY_OFFER, BY_VALUE
from stream.network.persistence import is_finite
from stream.schema import Kind
from stream.testing.streams import apply, event, feature, label, learn, restored, settings

FEATURES = st.sampled_from(["price", "age", "member", "store", "tags", "extra", "colour"])
OFFERS = st.sampled_from(["soap", "milk", "bread", "tea", "jam", "a", "b"])
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["group", "brand", "third"]), st.sampled_from(["g1", "g2", "b1", "s1", "t1", "z"]), max_size=2
)
TIGHT: dict[str, Any] = {
    "vocabulary_capacity": 3,
    "entity_capacity": 3,
    "pair_cells": 64,
    "departed_capacity": 1,
    "candidate_capacity": 2,
    "admission_count": 1,
    "attributes": 2,
}


class _Life(RuleBasedStateMachine):
    @initialize(strategy=st.sampled_from(["carry", "replace"]), tight=st.booleans())
    def begin(self, strategy: str, tight: bool) -> None:
        bounds = TIGHT if tight else {}
        self.learner = LearnerCore(settings(strategy, warmup=WarmupSettings(max_events=24, window_events=8), **bounds))
        self.rng = random.Random(0)
        self.number = 0
        apply(self.learner, feature("age", "numeric"), feature("tags", "multi_categorical"), label("soap", group="g1"))

    @rule(name=FEATURES, kind=st.sampled_from(list(Kind)))
    def add_or_retype_feature(self, name: str, kind: Kind) -> None:
        op = "retype_feature" if name in self.learner.schema.features else "add_feature"
        apply(self.learner, {"op": op, "name": name, "kind": kind.value})

    @rule(name=FEATURES)
    def remove_feature(self, name: str) -> None:
        if name in self.learner.schema.features:
            apply(self.learner, {"op": "remove_feature", "name": name})

    @rule(name=FEATURES, to=FEATURES)
    def rename_feature(self, name: str, to: str) -> None:
        live = self.learner.schema.features
        if name in live and to not in live:
            apply(self.learner, {"op": "rename_feature", "name": name, "to": to})

    @rule(name=OFFERS, attributes=ATTRIBUTES)
    def add_or_update_label(self, name: str, attributes: dict[str, str]) -> None:
        op = "update_label" if name in self.learner.schema.labels else "add_label"
        apply(self.learner, {"op": op, "name": name, "attributes": attributes})

    @rule(name=OFFERS)
    def remove_label(self, name: str) -> None:
        if name in self.learner.schema.labels:
            apply(self.learner, {"op": "remove_label", "name": name})

    @rule(name=OFFERS, to=OFFERS)
    def rename_label(self, name: str, to: str) -> None:
        live = self.learner.schema.labels
        if name in live and to not in live:
            apply(self.learner, {"op": "rename_label", "name": name, "to": to})

    @rule(number=st.integers(1, 24))
    def train(self, number: int) -> None:
        stream = [event(self.number + place, self.rng, ["soap", "milk", "jam", "a"]) for place in range(number)]
        self.number += number
        reports = learn(self.learner, stream, 8)
        assert reports[-1].events_trained_total == self.number
        for report in reports:
            assert 0 <= report.parameters_frozen <= report.parameters
            assert (report.parameters_frozen > 0) <= (report.phase == "warm_up")
            assert report.pairs == sum(score.bce_pairs for score in report.scores)
            assert np.isfinite(report.loss)
            assert report.features_live == len(self.learner.schema.features)
            assert report.labels_live == len(self.learner.schema.labels)

    @rule()
    def save_and_restore(self) -> None:
        before = self.learner.state_digest(), self.learner.frozen_digest()
        self.learner = restored(self.learner)
        assert (self.learner.state_digest(), self.learner.frozen_digest()) == before

    @precondition(lambda self: self.number > 0)
    @rule()
    def predict(self) -> None:
        before = self.learner.state_digest()
        batch = self.learner.encode([event(9, random.Random(1)), event(10, random.Random(2))])
        assert np.isfinite(self.learner.predict(batch).logits).all()
        assert self.learner.state_digest() == before

    @invariant()
    def weights_are_finite(self) -> None:
        assert is_finite(self.learner.network)

    @invariant()
    def registers_hold_what_the_schema_says(self) -> None:
        features, offers, schema = (
            self.learner.network.layout.features,
            self.learner.network.layout.offers,
            self.learner.schema,
        )
        assert features.kinds == dict(schema.features)
        numeric = {name for name, kind in schema.features.items() if kind is Kind.NUMERIC}
        assert set(features.numeric) == numeric
        assert set(features.categorical) == {KEY} | {slot_name(name) for name in schema.features.keys() - numeric}
        assert set(offers.offers) == set(schema.labels)
        assert offers.of_offer == {name: dict(attributes) for name, attributes in schema.labels.items()}

    @invariant()
    def no_row_leaks(self) -> None:
        network, rows = self.learner.network, self.learner.network.layout.rows
        owned = sorted(row for vocabulary in rows.vocabularies.values() for row in vocabulary.rows())
        assert owned == sorted(row for row, _, _ in rows.owners())
        assert rows.live == len(owned)
        assert set(rows.vocabularies) == set(network.layout.features.categorical.slots())
        assert all(len(v.row_of) <= max(2, rows.capacity) for v in rows.vocabularies.values())
        assert all(len(v.candidates) <= rows.candidate_capacity for v in rows.vocabularies.values())
        for _, cells in network.pairs.pair_tables():
            assert cells.used <= cells.reserved <= cells.capacity
            assert len(set(cells.names[: cells.used].tolist())) == cells.used
            assert not cells.weights[: cells.used, 2].any()
        assert len(network.layout.keys) <= network.layout.keys.capacity

    @invariant()
    def values_and_columns_agree(self) -> None:
        network, offers = self.learner.network, self.learner.network.layout.offers
        assert len(offers.attributes) <= network.settings.attributes
        used = set()
        for name, slot in offers.offers.items():
            for attribute, index in offers.attributes.items():
                value = offers.of_offer[name].get(attribute)
                column = int(offers.columns[slot, index])
                if value is None:
                    assert column == -1
                else:
                    key = offers.values.names[column]
                    assert key is not None
                    assert offers.value_of[key] == (attribute, value)
                    used.add(key)
        assert used <= set(offers.values)
        assert len(set(offers.values) - used) <= network.settings.departed_capacity
        assert set(offers.value_of) == set(offers.values)
        for row, slot, value in network.layout.rows.owners():
            wanted = dict(offers.columns_of_string.get(value, ()))
            if row in (network.layout.rows.vocabularies[slot].missing, network.layout.rows.vocabularies[slot].rare):
                wanted = {}
            assert {a: int(v) for a, v in enumerate(network.layout.matches[row]) if v >= 0} == wanted

    @invariant()
    def freed_slots_are_zero(self) -> None:
        network = self.learner.network
        live = {
            "numeric": network.layout.features.numeric.slots(),
            "missing": network.layout.features.numeric.slots(),
            "projection": network.layout.features.categorical.slots(),
            "flags": network.layout.features.categorical.slots(),
            "rows": [row for row, _, _ in network.layout.rows.owners()],
            "offer": network.layout.offers.offers.slots(),
            "offer_bias": network.layout.offers.offers.slots(),
            "value": network.layout.offers.values.slots(),
            "value_bias": network.layout.offers.values.slots(),
        }
        for layer in (network.input, network.output, network.pairs):
            for name, table in layer.tables():
                if name in live:
                    free = np.setdiff1d(np.arange(table.rows), live[name]).tolist()
                    assert not table.weight[free].any(), name
                    for moment, tensor in table.moments.items():
                        start = table.prior if moment == "squares" else 0.0
                        assert bool((tensor[free] == start).all()), (name, moment)
        keys = {row + 1 for row in network.layout.keys.row_of.values()}
        for name, cells in network.pairs.pair_tables():
            rows = {row + 1 for row, _, _ in network.layout.rows.owners()} if name == "wide" else keys
            offers = network.layout.offers
            columns = (offers.offers if name == "key_offer" else offers.values).slots()
            found_rows, found_columns, _ = cells.live()
            assert set(found_rows.tolist()) <= rows, name
            assert set(found_columns.tolist()) <= set(columns), name
        counts = network.counts
        for names, slots in (
            (BY_OFFER, network.layout.offers.offers.slots()),
            (BY_VALUE, network.layout.offers.values.slots()),
            (BY_KEY, sorted(keys)),
        ):
            for name in names:
                free = np.setdiff1d(np.arange(len(counts.arrays[name])), slots)
                assert not counts.arrays[name][free].any(), name
        for name in ("count", "mean", "m2", "missing"):
            column = getattr(network.statistics, name).copy()
            column[network.layout.features.numeric.slots()] = 0.0
            assert not column.any()


_Life.TestCase.settings = given_settings(
    max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAnyLife = _Life.TestCase
