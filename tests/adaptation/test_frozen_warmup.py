"""Frozen means frozen: what a warm-up does not train stands still byte for byte (contract, part 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stream.adaptation.transfer.settings import WarmupSettings
from stream.learner.core import LearnerCore
from stream.network.cells import Cells
from stream.network.persistence import weight_entries
from stream.network.table import Table
from stream.state.digest import digest
from stream.testing.streams import apply, events, feature, label, learn, trained
from tests.network.dense import dense

LONG = WarmupSettings(max_events=96, window_events=200)
CHANGES: dict[str, list[dict[str, Any]]] = {
    "numeric": [feature("extra", "numeric")],
    "categorical": [feature("colour", "categorical")],
    "offer": [label("jam", group="g2")],
    "offer with a new value": [label("jam", group="g7", size="m")],
    "both": [feature("extra", "numeric"), feature("colour", "multi_categorical"), label("jam", group="g7")],
    "removal beside an addition": [
        {"op": "remove_feature", "name": "tags"},
        {"op": "retype_feature", "name": "store", "kind": "multi_categorical"},
        {"op": "remove_label", "name": "tea"},
        label("tea", group="g1"),
    ],
}


def _warm(learner: LearnerCore, first: int = 2000, number: int = 96) -> list[Any]:
    labels = ["soap", "milk", "bread", "tea", "jam"]
    return learn(learner, events(number, 4, first, labels))


@pytest.mark.parametrize("strategy", ["carry", "replace"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_frozen_stands_still_and_what_is_new_moves(strategy: str, change: str) -> None:
    learner = trained(strategy, warmup=LONG, hidden=(12, 8))
    report = apply(learner, *CHANGES[change])
    assert report.warmup_started
    frozen, everything = learner.frozen_digest(), _weights(learner)
    for report in _warm(learner, number=80):
        assert report.phase == "warm_up"
        assert 0 < report.parameters_frozen < report.parameters
        assert learner.frozen_digest() == frozen
    assert _weights(learner) != everything, "nothing was trained at all"
    assert learner.summary()["events_frozen"] == 80
    after = learn(learner, events(32, 4, 5000))
    assert after[0].phase == "warm_up"
    assert after[0].warmup_ended is None
    assert after[1].warmup_ended.reason == "bound"
    assert after[1].phase == "train"
    assert learner.summary()["events_frozen"] == 96
    assert learner.summary()["warmups"] == 1


def _weights(learner: LearnerCore) -> str:
    return digest(weight_entries(learner.network))


@pytest.mark.parametrize("strategy", ["carry", "replace"])
def test_every_kind_of_new_part_is_trained(strategy: str) -> None:
    learner = trained(strategy, warmup=LONG)
    apply(learner, *CHANGES["both"])
    network = learner.network
    before = {
        "numeric": network.input.numeric.weight[network.layout.features.slot("extra")].clone(),
        "projection": network.input.projection.weight[network.layout.features.slot("colour")].clone(),
        "offer": network.output.offer.weight[network.layout.offers.offers.slot("jam")].clone(),
        "bias": network.output.offer_bias.weight[network.layout.offers.offers.slot("jam")].clone(),
        "key": dense(network.pairs.key_offer)[:, network.layout.offers.offers.slot("jam")],
    }
    statistics = network.statistics.named(network.layout.features.slot("extra"))
    _warm(learner, number=64)
    after = {
        "numeric": network.input.numeric.weight[network.layout.features.slot("extra")],
        "projection": network.input.projection.weight[network.layout.features.slot("colour")],
        "offer": network.output.offer.weight[network.layout.offers.offers.slot("jam")],
        "bias": network.output.offer_bias.weight[network.layout.offers.offers.slot("jam")],
        "key": dense(network.pairs.key_offer)[:, network.layout.offers.offers.slot("jam")],
    }
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    assert network.statistics.named(network.layout.features.slot("extra")) != statistics
    assert network.statistics.count[network.layout.features.slot("extra")] == 64


@pytest.mark.parametrize("strategy", ["carry", "replace"])
def test_statistics_of_surviving_inputs_stand_still_while_counts_move(strategy: str) -> None:
    learner = trained(strategy, warmup=LONG)
    apply(learner, *CHANGES["both"])
    network = learner.network
    slots = {name: network.layout.features.slot(name) for name in ("price", "age")}
    before = {name: network.statistics.named(slot) for name, slot in slots.items()}
    seen = network.counts.totals["events"]
    _warm(learner, number=64)
    assert {name: network.statistics.named(slot) for name, slot in slots.items()} == before
    assert network.counts.totals["events"] == seen + 64
    _warm(learner, 3000)
    assert {name: network.statistics.named(slot) for name, slot in slots.items()} != before


@pytest.mark.parametrize("table", ["input/numeric", "output/offer", "pairs/wide", "trunk/0/weight"])
def test_a_table_that_trains_what_is_frozen_turns_the_check_red(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = trained("carry", warmup=LONG, hidden=(12, 8))
    apply(learner, *CHANGES["both"])
    network = learner.network
    frozen = learner.frozen_digest()
    victims: dict[str, Any] = {
        "input/numeric": network.input.numeric,
        "output/offer": network.output.offer,
        "pairs/wide": network.pairs.wide,
        "trunk/0/weight": network.trunk.layers[0][0],
    }
    victim = victims[table]
    if isinstance(victim, Cells):
        monkeypatch.setattr(victim, "trained", lambda rows, columns, warming_up: np.ones(len(rows), dtype=bool))
    elif table == "trunk/0/weight":
        backward = network.trunk.backward
        monkeypatch.setattr(
            network.trunk, "backward", lambda by, descent, warming_up: backward(by, descent, warming_up=False)
        )
    elif table == "output/offer":
        # All rows, whatever the phase.
        train = network.output.train
        monkeypatch.setattr(network.output, "train", lambda *a, warming_up, **k: train(*a, warming_up=False, **k))
    else:
        assert isinstance(victim, Table)
        # The gradient of the fresh rows lands on all rows: one forgotten index.
        monkeypatch.setattr(
            victim, "step", lambda gradient, rows=None: Table.step(victim, gradient.mean(0) + 0 * victim.weight)
        )
    _warm(learner, number=32)
    assert learner.frozen_digest() != frozen


@pytest.mark.parametrize("strategy", ["carry", "replace"])
def test_nothing_is_evicted_inside_a_warm_up_and_new_keys_and_values_are_bounded(strategy: str) -> None:
    learner = trained(
        strategy, warmup=LONG, vocabulary_capacity=4, entity_capacity=6, admission_count=1, hidden=(12, 8)
    )
    apply(learner, *CHANGES["both"])
    network = learner.network
    owners, keys = list(network.layout.rows.owner), dict(network.layout.keys.row_of)
    reports = _warm(learner, number=80)
    assert all(owner is None or network.layout.rows.owner[row] == owner for row, owner in enumerate(owners))
    assert keys.items() <= network.layout.keys.row_of.items()
    assert len(network.layout.keys) <= 6
    assert all(len(v.row_of) <= v.capacity <= 6 for v in network.layout.rows.vocabularies.values())
    assert sum(report.parameters_frozen for report in reports) > 0


def test_values_wait_as_rare_while_the_input_layer_is_frozen() -> None:
    learner = trained("carry", warmup=LONG, admission_count=1)
    apply(learner, *CHANGES["offer"])
    owners = list(learner.network.layout.rows.owner)
    _warm(learner, number=80)
    assert learner.network.layout.rows.owner == owners
    _warm(learner, 3000, 96)
    assert len(learner.network.layout.rows.owner) > len(owners)
