"""IAK in the learner: insertion, phases, triggers, noise, restores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stream.adaptation import parse_strategy
from stream.adaptation.iak.bottleneck import DECODER, ENCODER, forward
from stream.adaptation.iak.kernel import COMMON, Phase
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    events,
    feature,
    first_step,
    label,
    learn,
    logits,
    restored,
    settings,
)
from tests.adaptation.kernels import PHASE, learner_of, moved, of_kernel, trigger, trunk, weights, with_scene


def test_before_any_trigger_it_is_the_head_alone_on_a_frozen_backbone() -> None:
    learner, control = learner_of(), learner_of("tune-head")
    assert not trunk(learner).kernels
    assert not learner.strategy.stochastic
    probes = events(20, 77, 5000)
    assert logits(learner, probes) == logits(control, probes)


def test_triggers_before_the_backbone_is_frozen_are_the_backbones_own_to_learn_from() -> None:
    learner = LearnerCore(settings("iak", hidden=(12, 8)))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(48, 1))
    trigger(learner)
    assert not trunk(learner).kernels


def test_a_new_kernel_changes_no_bit_of_any_logit() -> None:
    learner = learner_of()
    probes = all_shown(events(20, 77, 5000))
    before = logits(learner, probes)
    assert trigger(learner).warmup_started
    assert trunk(learner).kernels[COMMON].mix == 0.0
    after = logits(learner, probes)
    assert {pair: after[pair] for pair in before} == before


def test_after_phase_1_the_head_sees_nothing_of_the_backbone_but_what_passes_the_bottleneck() -> None:
    learner = learner_of(width=1, inner=2)
    trigger(learner)
    seen = []
    stream = events(400, 2, 2000)
    for start in range(0, 400, 16):
        learn(learner, with_scene(stream[start : start + 16]))
        kernel = trunk(learner).kernels[COMMON]
        seen.append((kernel.phase, kernel.mix))
    assert [mix for phase, mix in seen if phase is Phase.COMPRESSION] == sorted({mix for _, mix in seen})[:-1]
    assert {phase for phase, mix in seen if mix == 1.0} == {Phase.MATCHING, Phase.STEADY}
    part = trunk(learner)
    frame = learner.network.frame(learner.encode(events(16, 3, 3000)))
    part.forward(learner.network.input.forward(frame), frame, training=False)
    ((_, _, done),) = part._passes
    # u has one unit: sorted by it, activations that differ everywhere lie on one curve.
    assert torch.linalg.matrix_rank(done.g) > 2
    weight = {key: table.weight[0] for key, table in part.kernel_tables.items()}
    unseen = torch.linalg.svd(weight["encoder_in"].T)[2][2:]
    moved_g = done.g + 5.0 * torch.from_numpy(np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)) @ unseen
    again = forward(weight, moved_g, mix=1.0, decodes=True, noise=None)
    assert torch.allclose(again.out, done.out, atol=1e-4)


def test_phases_train_what_is_theirs_and_nothing_else_byte_for_byte() -> None:
    learner = learner_of(warmup=16)
    backbone = {name: value for name, value in weights(learner).items() if name.startswith("trunk/")}
    trigger(learner)
    in_phase: dict[Phase, set[str]] = {phase: set() for phase in Phase}
    for step in range(14):
        before, phase = weights(learner), trunk(learner).kernels[COMMON].phase
        learn(learner, events(16, 3, 2000 + 16 * step))
        in_phase[phase] |= moved(before, weights(learner))
    assert of_kernel(in_phase[Phase.COMPRESSION]) == set(ENCODER)
    assert of_kernel(in_phase[Phase.MATCHING]) == set(DECODER)
    assert of_kernel(in_phase[Phase.STEADY]) == {*ENCODER, *DECODER}
    after = weights(learner)
    assert all(after[name] == value for name, value in backbone.items()), "the backbone moved"
    assert any(name.startswith("output/") for name in in_phase[Phase.MATCHING]), "the head stood still"


def test_a_kernel_that_is_left_alone_after_both_phases_stands_still() -> None:
    learner = learner_of(steady_share=0.0)
    trigger(learner)
    learn(learner, events(3 * PHASE, 3, 2000))
    assert trunk(learner).kernels[COMMON].phase is Phase.STEADY
    before = weights(learner)
    learn(learner, events(64, 3, 4000))
    assert of_kernel(moved(before, weights(learner))) == set()


def test_in_the_frozen_warm_up_the_kernel_is_part_of_what_is_new() -> None:
    learner = learner_of(warmup=64)
    assert trigger(learner).warmup_started
    frozen, before = learner.frozen_digest(), weights(learner)
    reports = learn(learner, events(32, 3, 2000))
    assert {report.phase for report in reports} == {"warm_up"}
    assert learner.frozen_digest() == frozen
    assert of_kernel(moved(before, weights(learner))) == set(ENCODER)
    assert trunk(learner).kernels[COMMON].events == 32


def test_a_warm_up_that_no_round_belongs_to_freezes_the_kernel_and_its_clock() -> None:
    learner = learner_of(on_schema=False, warmup=32)
    drift(learner)
    apply(learner, label("jam", group="g3"))
    before, clock = weights(learner), trunk(learner).kernels[COMMON].events
    learn(learner, events(32, 3, 2000))
    assert learner.summary()["events_frozen"] == 32
    assert of_kernel(moved(before, weights(learner))) == set()
    assert trunk(learner).kernels[COMMON].events == clock
    learn(learner, events(32, 3, 3000))
    assert trunk(learner).kernels[COMMON].events > clock


def drift(learner: LearnerCore) -> None:
    """Let the detector report a drift with the next batch."""
    update = learner.drift.update
    learner.drift.update = lambda losses: bool(update(losses)) or True  # type: ignore[method-assign]
    learn(learner, with_scene(events(16, 9, 1500)))
    learner.drift.update = update  # type: ignore[method-assign]


def test_a_drift_of_the_loss_starts_a_round_and_both_triggers_can_be_switched_off() -> None:
    learner = learner_of()
    drift(learner)
    assert trunk(learner).kernels[COMMON].phase is Phase.COMPRESSION
    deaf = learner_of(on_drift=False, on_schema=False)
    drift(deaf)
    trigger(deaf)
    assert not trunk(deaf).kernels


def test_a_trigger_in_a_round_joins_it_and_one_after_it_starts_another_without_leaving_the_bottleneck() -> None:
    learner = learner_of(warmup=16)
    trigger(learner)
    learn(learner, events(32, 3, 2000))
    apply(learner, label("leek", group="g3"))
    drift(learner)
    kernel = trunk(learner).kernels[COMMON]
    assert (kernel.phase, kernel.events) == (Phase.COMPRESSION, 48)
    learn(learner, events(6 * 16, 3, 3000))
    assert kernel.phase is Phase.STEADY
    probes = all_shown(events(20, 77, 5000))
    before = logits(learner, probes)
    apply(learner, label("plum", group="g3"))
    after = logits(learner, probes)
    assert {pair: after[pair] for pair in before} == before
    assert (kernel.phase, kernel.events, kernel.mix) == (Phase.COMPRESSION, 0, 1.0)
    learn(learner, events(48, 3, 4000))
    assert kernel.mix == 1.0


def test_a_rename_starts_nothing() -> None:
    learner = learner_of()
    apply(learner, {"op": "rename_feature", "name": "age", "to": "years"})
    assert not trunk(learner).kernels


@pytest.mark.parametrize("noisy", [True, False])
def test_the_training_pass_is_noisy_only_where_it_is_meant_to_be(noisy: bool) -> None:
    learner = learner_of(stochastic=noisy)
    trigger(learner)
    learn(learner, events(48, 3, 2000))
    assert learner.strategy.stochastic == noisy
    assert ("kl_nats" in learner.strategy.figures()) == noisy, "without noise there is no divergence to speak of"
    network = learner.network
    frame = network.frame(learner.encode(events(16, 3, 3000)))
    plain, training = network.forward(frame), network.forward(frame, training=True)
    assert torch.equal(plain, training) != noisy
    assert torch.equal(training, network.forward(frame, training=True)), "the noise is a function of the step"
    trunk(learner).steps += 1
    assert torch.equal(training, network.forward(frame, training=True)) != noisy


def test_the_control_without_noise_has_no_pull_towards_the_prior() -> None:
    one, other = (learner_of(stochastic=False, beta=beta) for beta in (0.0, 10.0))
    for learner in (one, other):
        trigger(learner)
        learn(learner, events(64, 3, 2000))
    assert weights(one) == weights(other)
    strong, weak = (learner_of(beta=beta, rate=0.05) for beta in (10.0, 0.0))
    for learner in (strong, weak):
        trigger(learner)
        learn(learner, events(PHASE, 3, 2000))
    after = [learner.strategy.figures()["iak_kl_nats_after_compression"] for learner in (strong, weak)]
    assert after[0] < 0.9 * after[1]


def test_the_figures_say_phase_mix_and_kl() -> None:
    learner = learner_of()
    assert learner.strategy.figures() == {"iak_kernels": 0}
    trigger(learner)
    learn(learner, events(32, 3, 2000))
    figures = learner.strategy.figures()
    assert (figures["iak_kernels"], figures["iak_phase"], figures["iak_mix"]) == (1, 1, 0.5)
    assert figures["kl_nats"] == figures["iak_kl_nats"] > 0
    assert figures["iak_kl_nats_before_compression"] > 0
    assert figures["iak_kl_nats_after_matching"] == 0


def test_a_prediction_leaves_no_trace_in_any_phase() -> None:
    learner, quiet = learner_of(), learner_of()
    for one in (learner, quiet):
        trigger(one)
    for step in range(12):
        batch = events(16, 3, 2000 + 16 * step)
        learner.predict(learner.encode(events(11, 8, 7000)))
        encoded = learner.encode(batch)
        first = int(encoded.offsets[first_step(learner, 16)])
        predicted = learner.predict(encoded).logits[:first]
        assert np.allclose(predicted, learn(learner, batch)[0].logits[:first], rtol=1e-5, atol=1e-6)
        learn(quiet, batch)
        assert learner.state_digest() == quiet.state_digest()


@pytest.mark.parametrize("domain", ["", "scene"])
def test_a_restore_in_the_middle_of_each_phase_goes_on_as_if_nothing_had_been(domain: str) -> None:
    learner = learner_of(domain_feature=domain, domain_batch_events=24)
    broken = restored(learner)
    for one in (learner, broken):
        apply(one, feature("scene", "categorical"), label("jam", group="g3"))
    passed = set()
    for step in range(14):
        batch = with_scene(events(16, 3, 2000 + 16 * step))
        broken = restored(broken)
        learn(learner, batch)
        learn(broken, batch)
        assert broken.state_digest() == learner.state_digest()
        passed |= {kernel.phase for kernel in trunk(learner).kernels.values()}
    assert passed == ({*Phase} if not domain else {Phase.COMPRESSION, Phase.MATCHING})
    assert len(trunk(learner).kernels) == (1 if not domain else 4)


def test_replayed_events_train_the_kernel_and_move_no_clock() -> None:
    learner = learner_of(warmup=16)
    trigger(learner)
    learn(learner, events(32, 3, 2000))
    again = events(16, 3, 2000)
    batch = learner.encode(again)
    before, clock = weights(learner), trunk(learner).kernels[COMMON].events
    learner.replay(batch, learner.count_inputs(batch))
    assert of_kernel(moved(before, weights(learner))) == set(ENCODER)
    broken = restored(learner)
    for one in (learner, broken):
        learn(one, events(16, 3, 3000))
    assert trunk(learner).kernels[COMMON].events == clock + 16
    assert broken.state_digest() == learner.state_digest()


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ("iak+scratch", "no backbone"),
        ("iak+bayes-network", "phases"),
        ("iak+tune-head", "both decide what becomes of the trunk"),
    ],
)
def test_what_makes_no_sense_beside_it_is_refused_with_a_sentence(strategy: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        parse_strategy(strategy)
