"""PeterRec: patches start as an identity, the backbone never moves again, patches do not pile up, folding is honest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from stream.adaptation.backbone.settings import BackboneSettings
from stream.adaptation.peterrec.method import PeterRec
from stream.adaptation.peterrec.patched_trunk import PatchedTrunk
from stream.adaptation.peterrec.settings import PeterRecSettings
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.network.persistence import parameter_counts, weight_entries
from stream.network.settings import OptimiserSettings
from stream.records.reasons import WarmupEnd
from stream.settings.learner import LearnerSettings
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    distance,
    events,
    feature,
    label,
    learn,
    logits,
    restored,
    settings,
    trained_under,
)

BOTH = pytest.mark.parametrize("strategy", ["peterrec-serial", "peterrec-parallel"])
LABELS = ["soap", "milk", "bread", "tea", "jam"]


def _settings(strategy: str, *, pretrain: int = 96, hidden: tuple[int, ...] = (12, 8), **own: Any) -> LearnerSettings:
    backbone = BackboneSettings(pretrain_events=pretrain)
    return settings(strategy, hidden=hidden, backbone=backbone, peterrec=PeterRecSettings(**own))


def _trained(strategy: str, number: int = 160, **options: Any) -> LearnerCore:
    return trained_under(_settings(strategy, **options), number)


def _trunk(learner: LearnerCore) -> PatchedTrunk:
    assert isinstance(learner.network.trunk, PatchedTrunk)
    return learner.network.trunk


def _weights(learner: LearnerCore) -> dict[str, np.ndarray]:
    return {name: value for name, value in weight_entries(learner.network) if isinstance(value, np.ndarray)}


def _backbone(learner: LearnerCore) -> dict[str, np.ndarray]:
    held = ("input/", "trunk/0", "trunk/1")
    return {name: value.copy() for name, value in _weights(learner).items() if name.startswith(held)}


@BOTH
@pytest.mark.parametrize("batch", [16, 20])
def test_a_patch_that_is_inserted_changes_no_bit(strategy: str, batch: int) -> None:
    learner = LearnerCore(_settings(strategy, pretrain=10_000))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(160), batch)
    probes = all_shown(events(batch, 77, 5000))
    before = logits(learner, probes)
    learner.network.hold_backbone()
    assert _trunk(learner).inserted
    assert logits(learner, probes) == before
    learn(learner, events(32, 1))
    assert logits(learner, probes) != before


@BOTH
def test_until_it_is_pre_trained_the_network_learns_what_carry_learns(strategy: str) -> None:
    """Bit for bit in plain steps of whole blocks of 64 events, to which the patched trunk fills its rows up."""
    whole = OptimiserSettings(step_events=64, step_age=0)
    both = [
        replace(wanted, optimiser=whole, network=replace(wanted.network, kernels="plain"))
        for wanted in (settings("carry", hidden=(12, 8)), _settings(strategy, pretrain=10_000))
    ]
    plain, patched = map(LearnerCore, both)
    for learner in (plain, patched):
        apply(learner, *FEATURES, *OFFERS)
        learn(learner, events(128), 64)
    one, two = _weights(plain), _weights(patched)
    assert all(np.array_equal(value, two[name]) for name, value in one.items())
    assert {name.split("/")[1] for name in two.keys() - one.keys()} == {"patch"}


@pytest.mark.parametrize(
    ("strategy", "patches"), [("peterrec-serial", 1), ("peterrec-serial", 0), ("peterrec-parallel", 0)]
)
def test_the_whole_gradient_is_that_of_autograd(strategy: str, patches: int) -> None:
    """By the trunk's input, through two patched layers, before anything moves."""
    learner = _trained(strategy, hidden=(12, 8, 8), patches=patches)
    trunk = _trunk(learner)
    generator = torch.Generator().manual_seed(2)
    for patch in trunk.patches.values():
        for _, table in patch.tables():
            table.weight.copy_(torch.randn(table.weight.shape, generator=generator) * 0.3)
    frame = learner.network.frame(learner.encode(events(9, 3, 900)))
    z = torch.randn(9, 12, generator=generator)
    hidden = trunk.forward(z, frame, training=True)[:9]
    leaf = z.double().requires_grad_()

    def patched(layer: int, x: torch.Tensor) -> Any:
        if layer not in trunk.patches:
            return 0.0
        down, down_bias, up, up_bias = (table.weight[0].double() for _, table in trunk.patches[layer].tables())
        return torch.nn.functional.gelu(x @ down + down_bias, approximate="tanh") @ up + up_bias

    serial = strategy == "peterrec-serial"
    h = torch.relu(leaf + patched(0, leaf))
    for layer, (weight, bias) in enumerate(trunk.layers, 1):
        u = h @ weight.weight[0].double() + bias.weight[0].double()
        bent = torch.relu(u + patched(layer, u if serial else h))
        h = h + bent if h.shape == bent.shape else bent
    assert torch.allclose(hidden.double(), h.detach(), atol=1e-4)
    by_hidden = torch.randn(9, 8, generator=generator)
    (h * by_hidden.double()).sum().backward()  # type: ignore[no-untyped-call]
    rows = torch.cat([by_hidden, torch.zeros(55, 8)])
    by_z = trunk.backward(rows, learner.network.descent, warming_up=False)
    assert by_z is not None
    assert leaf.grad is not None
    assert torch.allclose(by_z.double(), leaf.grad, atol=1e-4)
    assert set(trunk.patches) == ({0, 1, 2} if serial and patches == 0 else {1, 2})


@BOTH
def test_the_backbone_stands_still_through_hundreds_of_changes_and_one_patch_set_is_left(strategy: str) -> None:
    learner = _trained(strategy, 96)
    assert _trunk(learner).inserted
    backbone = _backbone(learner)
    sizes = set()
    for step in range(75):
        apply(learner, feature("extra", "numeric"), label("jam", group=f"g{step % 3}"))
        learn(learner, events(16, step, 1000 + 32 * step, LABELS))
        apply(learner, {"op": "remove_feature", "name": "extra"}, {"op": "remove_label", "name": "jam"})
        learn(learner, events(16, step, 1016 + 32 * step))
        sizes.add(sum(table.rows for patch in _trunk(learner).patches.values() for _, table in patch.tables()))
    assert sizes == {8 if strategy == "peterrec-serial" else 4}
    assert learner.summary()["events_trained"] == 96 + 150 * 16
    now = _weights(learner)
    moved = {name for name, value in backbone.items() if name in now and not np.array_equal(now[name], value)}
    # What a removed input leaves behind is folded into the bias, as carry does it: no training.
    assert moved <= {"input/bias/"}
    assert {"trunk/0/weight/", "trunk/0/bias/", "input/numeric/age"} <= backbone.keys()
    patched = [value for name, value in now.items() if name.startswith("trunk/patch/1/up/")]
    assert len(patched) == 1
    assert float(np.abs(patched[0]).max()) > 0


@BOTH
def test_patches_take_part_in_the_warm_up_of_a_change_and_in_none_while_they_are_not_inserted(strategy: str) -> None:
    for pretrain, expected in ((96, True), (10_000, False)):
        learner = _trained(strategy, pretrain=pretrain)
        assert apply(learner, label("jam", group="g2")).warmup_started
        assert bool(_trunk(learner).any_fresh) is expected
        up = _trunk(learner).patches[1].up.weight.clone()
        learn(learner, events(16, 4, 2000, LABELS))
        assert torch.equal(up, _trunk(learner).patches[1].up.weight) is not expected
        learn(learner, events(128, 4, 3000, LABELS))
        assert not _trunk(learner).any_fresh


def test_a_replaced_layer_trains_on_a_frozen_trunk() -> None:
    learner = _trained("replace+peterrec-serial")
    trunk = _trunk(learner).layers[0][0].weight.clone()
    apply(learner, feature("extra", "numeric"))
    age = learner.network.input.numeric.weight[learner.network.layout.features.slot("age")].clone()
    learn(learner, events(256, 4, 2000))
    assert not learner.warmup.active
    assert not torch.equal(age, learner.network.input.numeric.weight[learner.network.layout.features.slot("age")])
    assert torch.equal(trunk, _trunk(learner).layers[0][0].weight)


@BOTH
@pytest.mark.parametrize("after_warmup", ["keep", "fold"])
def test_a_learner_saved_in_the_middle_goes_on_as_if_it_had_not_been(strategy: str, after_warmup: str) -> None:
    learner = _trained(strategy, after_warmup=after_warmup)
    apply(learner, label("jam", group="g2"), feature("extra", "numeric"))
    learn(learner, events(32, 4, 2000, LABELS))
    other = restored(learner)
    for one in (learner, other):
        learn(one, events(96, 4, 3000, LABELS))
        apply(one, label("x", group="g2", task="second"))
        learn(one, events(48, 4, 4000, LABELS))
    assert other.state_digest() == learner.state_digest()
    assert learner.strategy.figures() == other.strategy.figures()


@BOTH
def test_a_fold_keeps_the_linear_part_starts_the_patch_anew_and_says_how_much_it_explains(strategy: str) -> None:
    learner = _trained(strategy, 1600, after_warmup="fold")
    apply(learner, label("jam", group="g2"))
    learn(learner, events(48, 4, 2000, LABELS))
    trunk = _trunk(learner)
    probes = all_shown(events(64, 77, 5000))
    before, weight = logits(learner, probes), trunk.layers[0][0].weight.clone()
    up = trunk.patches[1].up.weight.clone()
    learner._end_warmup(WarmupEnd.BOUND)
    assert trunk.folds == 1
    assert float(up.abs().max()) > 0
    assert float(trunk.patches[1].up.weight.abs().max()) == 0
    assert not torch.equal(weight, trunk.layers[0][0].weight)
    explained = learner.strategy.figures()["peterrec_fold_explained"]
    folded = distance(logits(learner, probes), before)
    trunk.layers[0][0].weight.copy_(weight)
    lost = distance(logits(learner, probes), before)
    assert 0.5 < explained < 1.0, "a patch that is not linear cannot be folded exactly"
    assert 0 < folded < lost


def test_a_fold_comes_after_a_warm_up_and_never_after_a_rename_or_beside_a_second_task() -> None:
    learner = _trained("peterrec-serial", after_warmup="fold")
    trunk = _trunk(learner)
    apply(learner, {"op": "rename_label", "name": "tea", "to": "chai"})
    learn(learner, events(64, 4, 2000))
    assert trunk.folds == 0
    apply(learner, label("jam", group="g2"))
    learn(learner, events(160, 4, 3000, LABELS))
    assert trunk.folds == 1
    apply(learner, label("r", group="g2", task="second"))
    learn(learner, events(160, 4, 4000, [*LABELS, "r"]))
    assert not learner.warmup.active
    assert trunk.folds == 1


@BOTH
def test_the_size_of_a_patch_is_reported_beside_the_backbone(strategy: str) -> None:
    learner = _trained(strategy, hidden=(128, 128), patches=1)
    figures = learner.strategy.figures()
    assert figures["peterrec_tasks"] == figures["peterrec_patches"] == 1
    assert figures["peterrec_patch_parameters"] == 128 * 16 * 2 + 16 + 128
    assert figures["peterrec_share_of_trunk"] == pytest.approx(0.25, abs=0.01)  # h/8 in a square matrix
    assert 0 < figures["peterrec_share_of_backbone"] < figures["peterrec_share_of_trunk"]
    small = _trained(strategy, hidden=(128, 128), bottleneck=8, patches=1)
    assert small.strategy.figures()["peterrec_share_of_trunk"] == pytest.approx(0.125, abs=0.01)
    total = parameter_counts(learner.network)[0] - parameter_counts(small.network)[0]
    assert total == 128 * 8 * 2 + 8


def test_settings_without_a_place_for_a_patch_are_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"peterrec\.patches = 2 .* peterrec-parallel .* Use 1"):
        _settings("peterrec-parallel", patches=2)
    for options in ({"strategy": "peterrec-parallel"}, {"strategy": "peterrec-serial", "patches": 1}):
        with pytest.raises(ConfigurationError, match=r"network\.hidden = \(12,\) has no matrix .* Use two widths"):
            _settings(hidden=(12,), **options)
    with pytest.raises(ConfigurationError, match=r"cannot fold a patch of the input layer"):
        PeterRecSettings(patches=2, after_warmup="fold")
    with pytest.raises(ConfigurationError, match=r"do not go together: scratch starts a new network"):
        _settings("scratch+peterrec-serial")


def test_one_hidden_layer_can_be_patched_on_its_own_sum() -> None:
    learner = _trained("peterrec-serial", hidden=(12,))
    assert set(_trunk(learner).patches) == {0}
    assert float(_trunk(learner).patches[0].up.weight.abs().max()) > 0
    method = learner.strategy.methods["peterrec-serial"]
    assert isinstance(method, PeterRec)
    assert method.figures()["peterrec_share_of_trunk"] == 0.0


def test_the_representation_is_the_plain_trunk_s_and_leaves_no_trace() -> None:
    learner = _trained("peterrec-serial")
    batch = learner.encode(events(8, 5, 900))
    before, digest = learner.represent(batch), learner.state_digest()
    assert before.shape == (8, 8)
    assert learner.state_digest() == digest
    _trunk(learner).patches[1].up.weight.fill_(1.0)
    assert np.array_equal(learner.represent(batch), before), "a patch shows in the shared representation"
    assert not np.array_equal(learner.represent(learner.encode(events(8, 6, 950))), before)
