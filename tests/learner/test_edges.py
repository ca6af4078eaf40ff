"""What is empty, unknown, huge or beyond a bound: counted, never fatal, never silent."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from stream.learner.core import LearnerCore
from stream.network.persistence import is_finite
from stream.records.interaction import Interaction
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    event,
    events,
    feature,
    label,
    learn,
    logits,
    restored,
    settings,
    trained,
)

STRATEGIES = ("carry", "replace")
TIGHT: dict[str, Any] = {
    "vocabulary_capacity": 3,
    "entity_capacity": 3,
    "pair_cells": 64,
    "departed_capacity": 1,
    "candidate_capacity": 2,
    "admission_count": 1,
}


def one(**fields: Any) -> Interaction:
    """A plain event with some fields of its own."""
    plain: dict[str, Any] = {"id": "x", "key": "k1", "ts": 0, "features": {}, "labels": ()}
    return Interaction(**{**plain, **fields})


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("entity", [True, False])
def test_without_features_or_labels_events_count_as_trained(strategy: str, entity: bool) -> None:
    learner = LearnerCore(settings(strategy, entity_embedding=entity))
    apply(learner)
    report = learn(learner, events(16))[0]
    assert (report.phase, report.pairs, report.loss, report.labels_dropped > 0) == ("idle", 0, 0.0, True)
    apply(learner, *FEATURES)
    learn(learner, events(16, first=100))
    apply(learner, *OFFERS)
    learn(learner, events(80, first=200))
    apply(learner, *({"op": "remove_feature", "name": change["name"]} for change in FEATURES))
    learn(learner, events(80, first=300))
    apply(learner, *({"op": "remove_label", "name": change["name"]} for change in OFFERS))
    learn(learner, events(16, first=400))
    assert learner.events_trained == 208
    assert restored(learner).state_digest() == learner.state_digest()
    assert learner.predict(learner.encode(events(3))).logits.shape == (0,)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ten_versions_in_a_row_without_an_event_leave_a_learner_that_learns(strategy: str) -> None:
    learner = LearnerCore(settings(strategy))
    apply(learner, *FEATURES, *OFFERS)
    for step in range(10):
        apply(learner, feature(f"f{step}", "numeric"), label(f"l{step}", group=f"g{step}"))
    assert learner.schema.version == 11
    assert learner.summary()["warmups"] == 1
    assert learn(learner, events(200))[-1].phase == "train"


def test_a_batch_of_one_event_and_an_empty_prediction() -> None:
    learner = trained(number=32)
    assert learn(learner, events(1, first=500))[0].events == 1
    assert learner.predict(learner.encode([])).logits.shape == (0,)


def test_an_empty_batch_trains_nothing_and_is_refused() -> None:
    learner = trained(number=32)
    before = learner.state_digest()
    with pytest.raises(ValueError, match="empty"):
        learner.learn(learner.encode([]))
    assert learner.state_digest() == before


def test_what_is_unknown_is_counted_and_does_no_harm() -> None:
    learner = trained(number=64)
    strange = one(
        key="nobody",
        features={"what": 1, "price": "dear", "store": [], "tags": {"a": 1}, "member": 2},
        labels=("nothing", "soap"),
        shown=("nowhere", "milk"),
    )
    report = learner.learn(learner.encode([strange]))
    assert (report.unknown_features, report.unknown_shown, report.labels_dropped) == (1, 1, 1)
    assert report.mistyped_values == 4
    assert report.scores[0].labels == ["soap"]
    assert report.scores[0].possible == 1
    assert report.pairs == 2, "a label outside shown is trained too"


@pytest.mark.parametrize(
    ("shown", "offers"),
    [
        (None, {"soap", "milk", "bread", "tea"}),
        ((), set()),
        ({}, {"soap", "milk", "bread", "tea"}),
        ({"group": ()}, set()),
        ({"group": ("g2", "g1")}, {"soap", "milk", "bread"}),
        ({"group": ("g2",), "brand": ("b1",)}, {"milk"}),
        ({"nothing": ("g1",)}, set()),
        (("selector",), set()),
        (("tea", "none"), {"tea"}),
    ],
)
def test_shown_admits_what_the_contract_says_in_any_order_of_asking(shown: Any, offers: set[str]) -> None:
    learner = trained(number=16)
    for _ in range(2):
        others: list[Any] = [(), {}, None, ("selector",)]
        learner.encode([one(shown=other) for other in others])
        batch = learner.encode([one(shown=shown)])
        names = learner.network.layout.offers.offers.names
        assert {names[slot] for slot in batch.pair_slot[batch.possible]} == offers


def test_an_event_of_weight_zero_trains_nothing_but_is_counted() -> None:
    learner = LearnerCore(settings())
    apply(learner, *FEATURES, *OFFERS)
    weights = learner.frozen_digest()
    stream = events(16)
    for interaction in stream:
        interaction.weight = 0.0
    statistics = learner.network.statistics
    learn(learner, stream)
    assert learner.events_trained == 16
    assert statistics.count.sum() > 0
    assert learner.network.counts.totals["events"] == 16
    assert learner.frozen_digest() != weights, "rows were admitted and statistics moved"
    network = learner.network
    assert not network.output.offer_bias.weight.any()
    assert not network.pairs.key_offer.weights[:, 0].any()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_huge_numbers_weights_and_times_leave_the_weights_finite(strategy: str) -> None:
    learner = LearnerCore(settings(strategy))
    apply(learner, *FEATURES, *OFFERS)
    rng = random.Random(0)
    for step in range(12):
        stream = [event(step * 8 + place, rng) for place in range(8)]
        stream[0].features["price"] = rng.choice([1e300, -1e300, 1.7e308, 10**300])
        stream[1].features["age"] = -1e300
        stream[2].weight = 1e300
        stream[3].ts = rng.choice([8_640_000_000_000_000, -8_640_000_000_000_000, 0])
        stream[4].weight = 5e-324
        learner.learn(learner.encode(stream))
        assert np.isfinite(list(logits(learner, all_shown(events(8))).values())).all()
    assert is_finite(learner.network)
    assert restored(learner).state_digest() == learner.state_digest()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_tight_bounds_hold_and_evictions_are_counted(strategy: str) -> None:
    learner = LearnerCore(settings(strategy, **TIGHT))
    apply(learner, *FEATURES, *OFFERS)
    evictions = 0
    rng = random.Random(1)
    for step in range(30):
        if step % 6 == 5:
            apply(learner, label(f"n{step}", group=f"new{step}"), {"op": "remove_label", "name": f"n{step - 6}"}) if (
                step > 5
            ) else apply(learner, label("n5", group="new5"))
        stream = [event(step * 8 + place, rng) for place in range(8)]
        for place, interaction in enumerate(stream):
            interaction.key = f"key-{rng.randint(0, 40)}"
            interaction.features["store"] = f"store-{step}-{place}"
        evictions += learner.learn(learner.encode(stream)).evictions
        network = learner.network
        assert len(network.layout.keys) <= 3
        assert all(
            len(v.row_of) <= 3 and len(v.candidates) <= 2
            for v in network.layout.rows.vocabularies.values()
            if not v.closed
        )
        departed = len(network.layout.offers.state()["departed"])
        assert departed <= 1
    assert evictions > 100
    assert is_finite(learner.network)


def test_a_value_with_an_odd_name_takes_nobodys_place_in_the_digest() -> None:
    learner = LearnerCore(settings(admission_count=1))
    apply(learner, feature("a", "categorical"), feature("a\0b", "categorical"), label("o", g="\0missing"))
    odd = ["\0missing", "\0rare", "events", "candidates", "b\0c", "c", "\0events", "", " missing", '"']
    for _ in range(2):
        learn(learner, [one(key=value, features={"a": value, "a\0b": value}) for value in odd])
    assert len(learner.state_digest()) == 32
    network = learner.network
    vocabulary = network.layout.rows.vocabularies[network.layout.features.slot("a")]
    assert set(odd) == set(vocabulary.row_of)
    assert (network.layout.matches[vocabulary.missing] == -1).all(), "the row for missing is no value"
    assert (network.layout.matches[vocabulary.row_of["\0missing"]] >= 0).any()
    assert restored(learner).state_digest() == learner.state_digest()


def test_attributes_beyond_the_limit_share_no_weights_but_selectors_see_them() -> None:
    learner = LearnerCore(settings(attributes=2))
    apply(learner, label("o", a="1", b="2", c="3"), label("p", c="3"), label("q", d="4"))
    assert set(learner.network.layout.offers.attributes) == {"a", "b"}
    assert len(learner.network.layout.offers.values) == 2
    learn(learner, [one(shown={"c": ("3",)}, labels=("o",))] * 16)
    batch = learner.encode([one(shown={"c": ("3",)})])
    assert len(batch.pair_slot) == 2
    apply(learner, {"op": "update_label", "name": "o", "attributes": {"b": "2", "d": "5"}})
    learn(learner, [one(shown={"c": ("3",)}, labels=("o",))] * 16)
    assert len(learner.encode([one(shown={"c": ("3",)})]).pair_slot) == 1
    assert restored(learner).state_digest() == learner.state_digest()


def test_an_attribute_that_an_update_takes_away_stays_known_to_the_other_offers() -> None:
    learner = trained()
    probes = all_shown(events(9, 50, 900))
    before = logits(learner, probes)
    apply(learner, {"op": "update_label", "name": "milk", "attributes": {}})
    after = logits(learner, probes)
    assert {pair: value for pair, value in after.items() if pair[1] != "milk"} == {
        pair: value for pair, value in before.items() if pair[1] != "milk"
    }
    assert any(after[pair] != before[pair] for pair in before if pair[1] == "milk")
    assert (learner.network.layout.offers.columns[learner.network.layout.offers.offers.slot("milk")] == -1).all()


def test_a_duplicate_version_changes_nothing_and_a_rejected_one_neither() -> None:
    from stream.errors import SchemaRejected
    from stream.testing.streams import version

    learner = trained(number=32)
    before = learner.state_digest()
    assert learner.apply(version(1, [*FEATURES, *OFFERS])).duplicate
    with pytest.raises(SchemaRejected):
        learner.apply(version(2, [label("fine"), {"op": "remove_label", "name": "not there"}]))
    with pytest.raises(SchemaRejected):
        learner.apply(version(3, [label("fine")]))
    assert learner.state_digest() == before
