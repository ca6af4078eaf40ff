"""The arithmetic of one IAK kernel against torch's own: KL, gradients, identity and bottleneck."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from stream.adaptation.iak.bottleneck import DECODER, ENCODER, Penalty, Weights, backward, forward, kl_nats
from stream.adaptation.iak.kernel_start import Activations, start_weights
from stream.network.initial import normal

H, INNER, R, EVENTS = 7, 5, 3, 6
SHAPES = {
    "encoder_in": (H, INNER),
    "encoder_out": (INNER, 2 * R),
    "projection": (R, H),
    "decoder_in": (R, INNER),
    "decoder_out": (INNER, H),
}


def kernel(seed: int = 0) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    weights: Weights = {}
    for name, shape in SHAPES.items():
        weights[name] = torch.randn(shape, generator=generator, dtype=torch.float64)
        weights[f"{name}_bias"] = torch.randn(shape[1:], generator=generator, dtype=torch.float64)
    return weights


def draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_kl_is_that_of_torch_distributions() -> None:
    mu, logvar = draw(EVENTS, R), draw(EVENTS, R, seed=2)
    theirs = kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(kl_nats(mu, logvar), theirs, atol=1e-12)
    assert kl_nats(torch.zeros(1, R), torch.zeros(1, R)).item() == 0.0


@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("decodes", [False, True])
@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("penalty", [None, Penalty(0.05, 0.2)])
def test_every_gradient_is_that_of_autograd(mix: float, decodes: bool, noisy: bool, penalty: Penalty | None) -> None:
    weights = {name: value.requires_grad_() for name, value in kernel().items()}
    g, noise = draw(EVENTS, H).requires_grad_(), draw(EVENTS, R, seed=3) if noisy else None
    by_out, events = draw(EVENTS, H, seed=4), draw(EVENTS, seed=5).abs()
    done = forward(weights, g, mix=mix, decodes=decodes, noise=noise)
    assert bool(((done.raw < -8) | (done.raw > 4)).any()), "no log-variance is beyond its bounds"
    loss = (done.out * by_out).sum()
    if penalty is not None:
        distance = (1 - mix) * ((done.bar - g.detach()) ** 2).sum(1)
        # The squared distance is to a target that stands still; g itself gets its gradient through the encoder alone.
        loss = loss + (events * (penalty.beta * kl_nats(done.mu, done.logvar) + penalty.alpha * distance)).sum()
    by_theirs = torch.autograd.grad(loss, [g, *weights.values()], allow_unused=True)
    # None where the kernel does not reach the loss
    theirs: dict[str, torch.Tensor | None] = dict(zip(["g", *weights], by_theirs, strict=True))
    with torch.no_grad():
        by_g, found = backward(weights, done, by_out, events, penalty, (*ENCODER, *DECODER))
    assert found.keys() == ({*ENCODER, *DECODER} if decodes else {*ENCODER})
    for name, gradient in (("g", by_g), *found.items()):
        wanted = theirs[name]
        assert torch.allclose(gradient, torch.zeros_like(gradient) if wanted is None else wanted, atol=1e-10), name


@pytest.mark.parametrize("trained", [ENCODER, DECODER, ()])
def test_of_what_does_not_train_no_gradient_is_computed(trained: tuple[str, ...]) -> None:
    weights = kernel()
    done = forward(weights, draw(EVENTS, H), mix=0.5, decodes=True, noise=None)
    _, found = backward(weights, done, draw(EVENTS, H), torch.ones(EVENTS), Penalty(1.0, 1.0), trained)
    assert found.keys() == set(trained)


def test_at_mix_zero_the_result_is_the_input_and_at_one_nothing_gets_past_the_bottleneck() -> None:
    weights, g = kernel(), draw(EVENTS, H)
    assert torch.equal(forward(weights, g, mix=0.0, decodes=True, noise=None).out, g)
    # The encoder reads H units through one of INNER: there are directions of g that it cannot see.
    unseen = torch.linalg.svd(weights["encoder_in"].T)[2][INNER:]
    other = g + draw(EVENTS, H - INNER, seed=6) @ unseen
    for mix, same in ((1.0, True), (0.5, False)):
        one, two = (forward(weights, x, mix=mix, decodes=True, noise=None).out for x in (g, other))
        assert torch.allclose(one, two, atol=1e-12) == same


def test_a_new_kernel_keeps_most_of_what_varies_and_its_units_have_unit_variance() -> None:
    h, r, inner = 24, 6, 12
    activations = Activations(h, torch.device("cpu"))
    source = np.random.default_rng(0)
    lead = source.normal(size=(5, h))
    for _ in range(50):
        batch = source.normal(size=(64, 5)) @ lead + 0.01 * source.normal(size=(64, h)) + 3.0
        activations.update(torch.from_numpy(batch))
    start = start_weights(activations, 3, "common", r, inner)
    weights = {
        name: torch.from_numpy(np.asarray(start.get(name, np.zeros(shape)), dtype=np.float64).reshape(shape))
        for name, shape in (
            ("encoder_in", (h, inner)),
            ("encoder_in_bias", (inner,)),
            ("encoder_out", (inner, 2 * r)),
            ("encoder_out_bias", (2 * r,)),
            ("projection", (r, h)),
            ("projection_bias", (h,)),
        )
    }
    g = torch.from_numpy(source.normal(size=(2000, 5)) @ lead + 3.0)
    done = forward(weights, g, mix=1.0, decodes=False, noise=None)
    assert float(((done.out - g) ** 2).sum() / ((g - g.mean(0)) ** 2).sum()) < 0.01
    assert torch.allclose(done.mu.var(0)[:5], torch.ones(5, dtype=torch.float64), atol=0.15)
    assert torch.equal(done.logvar, torch.full_like(done.logvar, -4.0))
    again = start_weights(activations, 3, "common", r, inner)
    assert all(np.array_equal(start[name], again[name]) for name in start)
    other = start_weights(activations, 3, "domain d1", r, inner)
    assert not np.array_equal(start["encoder_in"], other["encoder_in"])


@pytest.mark.parametrize(("width", "inner"), [(9, 4), (2, 12), (6, 2)])
def test_what_no_sketch_fills_starts_seeded_and_leaves_the_projection_as_it_is(width: int, inner: int) -> None:
    activations = Activations(4, torch.device("cpu"))
    activations.update(torch.from_numpy(np.random.default_rng(1).normal(size=(64, 4))))
    start = start_weights(activations, 0, "common", width, inner)
    units = min(width, inner // 2, 4)
    assert not start["projection"][units:].any()
    assert start["projection"][:units].any()
    assert start["encoder_in"].any(0).all(), "a hidden unit that is zero on both sides would never learn"
    assert start["encoder_out"][:, :width].any(0).all()


def test_activations_without_spread_give_a_start_that_is_finite() -> None:
    activations = Activations(4, torch.device("cpu"))
    assert all(np.isfinite(value).all() for value in start_weights(activations, 0, "common", 1, 2).values())
    activations.update(torch.zeros(8, 4))
    assert all(np.isfinite(value).all() for value in start_weights(activations, 0, "common", 1, 2).values())


def test_the_draws_are_standard_normal_and_belong_to_their_names() -> None:
    draws = normal(0, "noise", [f"1 {event}" for event in range(4000)], 8)
    assert abs(float(draws.mean())) < 0.02
    assert abs(float(draws.std()) - 1.0) < 0.02
    assert 0.025 < float((np.abs(draws) > 2.0).mean()) < 0.07
    assert np.isfinite(draws).all()
    assert np.array_equal(normal(0, "noise", ["1 7"], 8)[0], draws[7])
    assert not np.array_equal(normal(1, "noise", ["1 7"], 8)[0], draws[7])
