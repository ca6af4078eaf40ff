"""The strategy `bayes-output`: offers as logistic regressions with a posterior, inside the learner."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from stream.adaptation.bayes.output_layer import BayesOutputLayer
from stream.adaptation.bayes.settings import BayesSettings
from stream.adaptation.transfer.settings import WarmupSettings
from stream.learner.core import LearnerCore
from stream.network.settings import OptimiserSettings
from stream.settings.learner import LearnerSettings
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    events,
    label,
    learn,
    restored,
    settings,
    trained_under,
)

HALF_LIFE = 200


def _settings(strategy: str = "bayes-output", **bayes: Any) -> LearnerSettings:
    options: dict[str, Any] = {"half_life_events": HALF_LIFE, "output_precision": 4.0, "newton_steps": 30, **bayes}
    return dataclasses.replace(
        settings(strategy, hidden=(12, 8)),
        bayes=BayesSettings(**options),
        optimiser=OptimiserSettings(step_events=16, step_age=0),
    )


def _trained(number: int = 96, **bayes: Any) -> LearnerCore:
    return trained_under(_settings(**bayes), number)


def _layer(learner: LearnerCore) -> BayesOutputLayer:
    assert isinstance(learner.network.output, BayesOutputLayer)
    return learner.network.output


def _theta(learner: LearnerCore, name: str) -> torch.Tensor:
    slot, layer = learner.network.layout.offers.offers.slot(name), _layer(learner)
    return torch.cat([layer.offer.weight[slot], layer.offer_bias.weight[slot][None]]).double()


def _precision(learner: LearnerCore, name: str) -> torch.Tensor:
    slot, width = learner.network.layout.offers.offers.slot(name), len(_layer(learner).prior)
    lower = torch.zeros(width, width, dtype=torch.float64)
    rows, columns = torch.tril_indices(width, width)
    lower[rows, columns] = _layer(learner).precision[slot]
    return lower + lower.tril(-1).T


def test_a_step_is_the_exact_update_with_the_rest_of_the_logit_as_its_offset() -> None:
    """J as the papers write it, from what the network said before the step: its slope at the new weights is zero."""
    learner = _trained()
    interactions = events(16, 1, 500)
    batch = learner.encode(interactions)
    network = learner.network
    frame = network.frame(batch)
    logits = network.forward(frame).double()
    hidden = torch.nn.functional.pad(network._hidden.double(), (0, 1), value=1.0)
    before = {name: (_theta(learner, name), _precision(learner, name)) for name in ("soap", "milk", "tea")}
    updated = _layer(learner).updated.clone()
    learner.learn(batch)
    frame.weight = network.frame(batch).weight  # the step's own weights are in the mean that they are relative to
    for name, (mean, precision) in before.items():
        slot = network.layout.offers.offers.slot(name)
        mine = (frame.pair_slot == slot).nonzero()[:, 0]
        design = hidden[frame.pair_event[mine]]
        offset = logits[mine] - design @ mean
        theta = _theta(learner, name).requires_grad_()
        keep = 0.5 ** ((96 + 16 - int(updated[slot])) / HALF_LIFE)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            offset + design @ theta, frame.taken[mine].double(), reduction="none"
        )
        prior, moved = _layer(learner).prior, theta - mean
        weight = frame.weight[frame.pair_event[mine]].double()
        j = (weight * losses).sum() + keep / 2 * moved @ precision @ moved + (1 - keep) / 2 * theta @ (prior * theta)
        j.backward()
        assert theta.grad is not None
        curved = keep * precision + (1 - keep) * prior.diag()
        # A step's weights are kept in float32: what is left of the slope is that rounding times the curvature.
        assert float(theta.grad.abs().max()) < 1e-4
        chance = torch.sigmoid(offset + design @ theta.detach())
        curved = curved + design.T @ ((weight * chance * (1 - chance))[:, None] * design)
        assert torch.allclose(_precision(learner, name), curved, rtol=1e-5, atol=1e-6)
        assert not torch.equal(theta.detach(), mean)


def test_what_an_offer_missed_is_forgotten_at_its_next_update_at_once() -> None:
    learner = _trained()
    slot, layer = learner.network.layout.offers.offers.slot("tea"), _layer(learner)
    before, kept = int(layer.updated[slot]), _precision(learner, "tea")
    others = events(48, 1, 500, labels=[])
    for each in others:
        each.shown = ("soap",)
    learn(learner, others)
    assert int(layer.updated[slot]) == before
    assert torch.equal(_precision(learner, "tea"), kept)
    one = events(16, 2, 900, labels=[])
    for each in one:
        each.shown, each.weight = ("tea",), 1e-12
    learn(learner, one)
    assert int(layer.updated[slot]) == 160
    share = 0.5 ** ((160 - before) / HALF_LIFE)
    assert torch.allclose(_precision(learner, "tea"), share * kept + (1 - share) * layer.prior.diag(), rtol=1e-6)


def test_a_new_offer_has_the_prior_also_where_another_had_the_slot_or_the_name() -> None:
    learner = _trained()
    prior = _layer(learner).prior.diag()
    apply(learner, {"op": "remove_label", "name": "soap"}, label("jam", group="g1"))
    assert torch.equal(_precision(learner, "jam"), prior)
    assert not _theta(learner, "jam").any()
    apply(learner, label("soap", group="g1"))
    assert torch.equal(_precision(learner, "soap"), prior)
    known = _precision(learner, "milk")
    apply(learner, {"op": "rename_label", "name": "milk", "to": "oat"})
    assert torch.equal(_precision(learner, "oat"), known)
    assert not torch.equal(known, prior)


def test_a_warm_up_moves_the_posteriors_of_new_offers_alone() -> None:
    learner = LearnerCore(dataclasses.replace(_settings(), warmup=WarmupSettings(max_events=96, window_events=200)))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(96))
    assert apply(learner, label("jam", group="g2")).warmup_started
    before = {name: _precision(learner, name) for name in ("soap", "milk", "bread", "tea", "jam")}
    learn(learner, events(64, 4, 2000, ["soap", "milk", "jam"]))
    assert learner.warmup.active
    moved = {name for name, value in before.items() if not torch.equal(_precision(learner, name), value)}
    assert moved == {"jam"}


def test_beyond_the_bound_precision_is_diagonal_for_good_and_that_is_said() -> None:
    cells = 4 * 9**2
    learner = _trained(full_cells=cells)
    assert learner.strategy.figures()["bayes_output_full_precision"] == 1
    variances = {name: torch.linalg.inv(_precision(learner, name)).diagonal() for name in ("soap", "milk")}
    report = apply(learner, label("jam", group="g2"))
    [remark] = report.remarks
    assert remark.startswith(f"bayes-output: 5 offers x 9^2 cells are more than bayes.full_cells = {cells}")
    assert remark.endswith("precision is diagonal from here on")
    layer = _layer(learner)
    for name, variance in variances.items():
        kept = layer.precision[learner.network.layout.offers.offers.slot(name)]
        assert torch.allclose(kept, 1 / variance, rtol=1e-9)
    assert torch.equal(layer.precision[learner.network.layout.offers.offers.slot("jam")], layer.prior)
    learn(learner, events(48, 3, 700, ["soap", "milk", "jam"]))
    report = apply(learner, {"op": "remove_label", "name": "jam"})
    assert not report.remarks
    figures = learner.strategy.figures()
    assert figures["bayes_output_full_precision"] == 0
    assert figures["bayes_output_failed_updates"] == 0
    again = restored(learner)
    assert again.state_digest() == learner.state_digest()
    learn(learner, events(32, 5, 900))
    learn(again, events(32, 5, 900))
    assert again.state_digest() == learner.state_digest()
    assert again.strategy.figures()["bayes_output_full_precision"] == 0


def test_a_diagonal_learns_too() -> None:
    still = {"output_precision": 1e9, "bias_precision": 1e9}  # offers' weights that do not leave their prior
    probes = events(96, 7, 4000)
    full, diagonal, prior = (
        learn(one, probes) for one in (_trained(320), _trained(320, full_cells=0), _trained(320, **still))
    )
    losses = [float(np.mean([report.loss for report in told])) for told in (full, diagonal)]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    for told in (full, diagonal):
        moved = [np.abs(one.logits - other.logits).mean() for one, other in zip(told, prior, strict=True)]
        assert np.mean(moved) > 0.01


def test_an_offer_that_is_ignored_has_no_posterior_to_speak_of() -> None:
    learner = LearnerCore(_settings("never+bayes-output"))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(48))
    apply(learner, label("jam", group="g2"))
    learn(learner, events(48, 4, 2000, ["soap", "jam"]))
    assert torch.equal(_precision(learner, "jam"), _layer(learner).prior.diag())
    assert not _theta(learner, "jam").any()
    batch = learner.encode(events(4, 9, 3000))
    variance = learner.predict(batch, variance=True).variance
    assert variance is not None
    jam = batch.pair_slot == learner.network.layout.offers.offers.slot("jam")
    assert not variance[jam].any()
    assert (variance[~jam] > 0).all()


def test_the_clock_of_forgetting_goes_on_with_each_step_of_a_batch_and_over_events_without_an_offer() -> None:
    learner = LearnerCore(dataclasses.replace(_settings(), optimiser=OptimiserSettings(step_events=5, step_age=0)))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, [dataclasses.replace(one, shown=(), labels=()) for one in events(16)])  # the first is one step
    batch = events(16, first=16)
    for place, one in enumerate(batch):
        one.shown, one.labels, one.weight = (("tea",) if place < 10 else ("soap",) if place < 13 else ()), (), 1.0
    learn(learner, batch)
    layer, slot = _layer(learner), learner.network.layout.offers.offers.slot
    assert [int(layer.updated[slot(name)]) for name in ("tea", "soap", "milk")] == [26, 31, 0]
    assert layer.clock == 32


def test_an_offer_that_was_not_seen_for_long_is_uncertain_again() -> None:
    learner = _trained(160)
    probe = learner.encode(all_shown(events(1, 9, 3000)))
    spread = []
    for first in (500, 900, 4000):
        variance = learner.predict(probe, variance=True).variance
        assert variance is not None
        spread.append(dict(zip(probe.pair_slot.tolist(), variance.tolist(), strict=True)))
        others = events(400, 1, first, labels=[])
        for one in others:
            one.shown = ("soap",)
        learner.network.hold_backbone()
        learn(learner, others)
    tea, soap = (learner.network.layout.offers.offers.slot(name) for name in ("tea", "soap"))
    assert spread[0][tea] < spread[1][tea] < spread[2][tea]
    assert spread[2][soap] < spread[2][tea]
