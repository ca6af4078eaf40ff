"""The strategy `glmix`: the network as the fixed effect, the keys' own weights as random effects with a posterior."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from stream.adaptation.glmix.random_effects import RandomEffects
from stream.adaptation.glmix.settings import GlmixSettings
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.network.settings import OptimiserSettings
from stream.settings.learner import LearnerSettings
from stream.testing.streams import FEATURES, OFFERS, apply, events, label, learn, restored, settings, trained_under
from tests.network.dense import dense, dense_counts


def _settings(strategy: str = "glmix", **glmix: Any) -> LearnerSettings:
    options: dict[str, Any] = {"half_life_events": 300, "value_precision": 2.0, "offer_precision": 5.0, **glmix}
    return dataclasses.replace(
        settings(strategy),
        glmix=GlmixSettings(newton_steps=30, **options),
        optimiser=OptimiserSettings(step_events=16, step_age=0),
    )


def _trained(number: int = 160, **glmix: Any) -> LearnerCore:
    return trained_under(_settings(**glmix), number)


def _pairs(learner: LearnerCore) -> RandomEffects:
    assert isinstance(learner.network.pairs, RandomEffects)
    return learner.network.pairs


@pytest.mark.parametrize("order", ["attributes-first", "offers-first"])
def test_coordinates_are_trained_in_order_each_with_the_others_newest_scores_as_its_offset(order: str) -> None:
    """Every cell of every coordinate by hand, from what the network said before the step."""
    learner = _trained(order=order)
    network, pairs = learner.network, _pairs(learner)
    batch = learner.encode(events(16, 1, 500))
    network.admit_keys(batch, 160, warming_up=False)
    frame = network.frame(batch)
    logits = network.forward(frame).double()
    network.cells.begin(frame, warming_up=False)  # what the outcomes call for has its prior from the start
    old = {
        name: (dense(table).double(), dense(table, "squares").double(), dense_counts(table, -1))
        for name, table in (("offer", pairs.key_offer), ("value", pairs.key_value))
    }
    learner.learn(batch)
    there = {name: cells.live()[:2] for name, cells in (("offer", pairs.key_offer), ("value", pairs.key_value))}
    frame.weight = network.frame(batch).weight  # the step's own weights are in the mean that they are relative to
    attributes = [
        ("value", frame.pair_columns[:, slot]) for _, slot in sorted(network.layout.offers.attributes.items())
    ]
    offer = [("offer", frame.pair_slot)]
    rows, checked = frame.entity[frame.pair_event], 0
    for name, columns in attributes + offer if order == "attributes-first" else offer + attributes:
        table = pairs.key_value if name == "value" else pairs.key_offer
        weight, precision, updated = old[name]
        posterior, certainty = dense(table), dense(table, "squares")
        known = set(zip(*(part.tolist() for part in there[name]), strict=True))
        new_logits = logits.clone()
        for row, column in {(int(r), int(c)) for r, c in zip(rows, columns, strict=True)}:
            if (row, column) not in known:
                continue
            mine = ((rows == row) & (columns == column)).nonzero()[:, 0]
            theta = posterior[row, column].double().requires_grad_()
            offset = logits[mine] - weight[row, column]
            keep = 0.5 ** ((176 - int(updated[row, column])) / 300)
            share = frame.weight[frame.pair_event[mine]].double()
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                offset + theta, frame.taken[mine].double(), reduction="none"
            )
            moved = theta - weight[row, column]
            pull, ridge = keep * precision[row, column], (1 - keep) * table.prior
            ((share * losses).sum() + pull / 2 * moved**2 + ridge / 2 * theta**2).backward()
            assert theta.grad is not None
            assert abs(float(theta.grad)) < 1e-5
            chance = torch.sigmoid(offset + theta.detach())
            wanted = pull + ridge + (share * chance * (1 - chance)).sum()
            assert float(certainty[row, column]) == pytest.approx(float(wanted), rel=1e-5)
            new_logits[mine] = offset + theta.detach()
            checked += 1
        logits = new_logits
    assert checked > 40


def test_a_key_without_a_row_keeps_the_prior_and_new_names_enter_with_it() -> None:
    learner = _trained()
    pairs = _pairs(learner)
    assert not dense(pairs.key_offer)[0].any()
    assert (dense(pairs.key_offer, "squares")[0] == 5.0).all()
    apply(learner, label("jam", group="g9"), {"op": "remove_label", "name": "soap"}, label("x", size="m"))
    slots = [learner.network.layout.offers.offers.slot(name) for name in ("jam", "x")]
    assert (dense(pairs.key_offer, "squares")[:, slots] == 5.0).all()
    assert not dense(pairs.key_offer)[:, slots].any()
    assert not dense_counts(pairs.key_offer, -1)[:, slots].any()


def test_a_restored_learner_goes_on_as_the_other_does() -> None:
    learner = _trained()
    again = restored(learner)
    for one in (learner, again):
        learn(one, events(64, 3, 900))
    assert again.state_digest() == learner.state_digest()
    assert np.array_equal(_pairs(again).key_value.counts[:, -1], _pairs(learner).key_value.counts[:, -1])


def test_it_joins_with_a_bayesian_output_layer_and_not_with_a_quadratic_over_all_weights() -> None:
    learner = LearnerCore(_settings("glmix+bayes-output"))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(64))
    network = learner.network
    frame = network.frame(learner.encode(events(8, 2, 700)))
    network.forward(frame)
    total, single = network.logit_variance(frame), [part.logit_variance(frame) for _, part in network.parts()]
    known = [value for value in single if value is not None]
    assert total is not None
    assert len(known) == 2
    assert torch.allclose(total, known[0] + known[1])
    for other in ("glmix", "bayes-output"):
        with pytest.raises(ConfigurationError, match="do not go together: each would keep a posterior"):
            _settings(f"bayes-network+{other}")
