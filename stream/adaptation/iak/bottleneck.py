"""The arithmetic of one IAK kernel: a Gaussian bottleneck and what stands around it, forward and backward.

`mu, logvar = split(E(g))`, `u = mu + exp(logvar / 2) eps`, `g_bar = P(u)` and
`g_hat = (1 - a) g + a (P(u) + D(u))`. E and D have one hidden layer, P is linear. The information-bottleneck loss
(Alemi et al., "Deep Variational Information Bottleneck", ICLR 2017, as a reading of arXiv 2501.14268) of one event is
`BCE summed over its pairs + beta KL(N(mu, s^2) || N(0, 1)) + alpha (1 - a) |g_bar - sg(g)|^2`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["DECODER", "ENCODER", "LOGVAR_RANGE", "Penalty", "Weights", "backward", "forward", "kl_nats"]

ENCODER = ("encoder_in", "encoder_in_bias", "encoder_out", "encoder_out_bias", "projection", "projection_bias")
"""E and P: what knowledge compression trains."""
DECODER = ("decoder_in", "decoder_in_bias", "decoder_out", "decoder_out_bias")
"""D: what knowledge matching trains."""
LOGVAR_RANGE = (-8.0, 4.0)

Weights = dict[str, torch.Tensor]
"""One kernel's weights by the names above."""


@dataclass(frozen=True, slots=True)
class Penalty:
    """What the loss adds to BCE, per event: `beta` times the KL in nats, `alpha` times the squared distance."""

    beta: float
    alpha: float


@dataclass(slots=True)
class Pass:
    """What `forward` leaves for `backward`: `n` events, width `h`, bottleneck `r`."""

    g: torch.Tensor
    inside: torch.Tensor
    mu: torch.Tensor
    raw: torch.Tensor
    logvar: torch.Tensor
    noise: torch.Tensor | None
    u: torch.Tensor
    bar: torch.Tensor
    decoded: torch.Tensor | None
    """Hidden units of D; None while D is off."""
    mix: float
    out: torch.Tensor
    """`g_hat` `(n, h)`."""


def kl_nats(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """Return KL( N(mu, exp(logvar)) || N(0, 1) ) `(n,)`, summed over the `r` units `(n, r)`."""
    return 0.5 * (mu * mu + torch.exp(logvar) - 1.0 - logvar).sum(1)


def forward(w: Weights, g: torch.Tensor, *, mix: float, decodes: bool, noise: torch.Tensor | None) -> Pass:
    """Take activations `g` `(n, h)` through a kernel; `noise` `(n, r)` is eps, None for `u = mu`.

    At `mix` 0 the result is `g`, bit for bit; at 1 nothing of `g` gets past `u`.
    """
    inside = torch.relu(torch.addmm(w["encoder_in_bias"], g, w["encoder_in"]))
    mu, raw = torch.addmm(w["encoder_out_bias"], inside, w["encoder_out"]).chunk(2, 1)
    logvar = raw.clamp(*LOGVAR_RANGE)
    u = mu if noise is None else mu + torch.exp(0.5 * logvar) * noise
    bar = known = torch.addmm(w["projection_bias"], u, w["projection"])
    decoded = None
    if decodes:
        decoded = torch.relu(torch.addmm(w["decoder_in_bias"], u, w["decoder_in"]))
        known = bar + torch.addmm(w["decoder_out_bias"], decoded, w["decoder_out"])
    out = g if mix == 0.0 else known if mix == 1.0 else (1.0 - mix) * g + mix * known
    return Pass(g, inside, mu, raw, logvar, noise, u, bar, decoded, mix, out)


def backward(
    w: Weights,
    done: Pass,
    gradient: torch.Tensor,
    weight: torch.Tensor,
    penalty: Penalty | None,
    trained: tuple[str, ...],
) -> tuple[torch.Tensor, Weights]:
    """Return the gradient by `g` `(n, h)`, and of the `trained` weights the gradients, summed over the events.

    `gradient` `(n, h)` is that of the weighted BCE by `g_hat`, `weight` `(n,)` the events' own weights, by
    which the penalties count too. Without `penalty` the loss is BCE alone.
    """
    found: Weights = {}

    def linear(name: str, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        if name in trained:
            found[name] = before.T @ after
            found[f"{name}_bias"] = after.sum(0)
        return after @ w[name].T

    by_known = done.mix * gradient
    by_bar = by_known
    if penalty is not None and penalty.alpha and done.mix < 1.0:
        by_bar = by_known + (2.0 * penalty.alpha * (1.0 - done.mix)) * weight[:, None] * (done.bar - done.g)
    by_u = linear("projection", done.u, by_bar)
    if done.decoded is not None:
        by_decoded = linear("decoder_out", done.decoded, by_known) * (done.decoded > 0)
        by_u = by_u + linear("decoder_in", done.u, by_decoded)
    by_mu, by_logvar = by_u, torch.zeros_like(by_u)
    if done.noise is not None:
        by_logvar = by_u * done.noise * (0.5 * torch.exp(0.5 * done.logvar))
    if penalty is not None and penalty.beta:
        scale = penalty.beta * weight[:, None]
        by_mu = by_mu + scale * done.mu
        by_logvar = by_logvar + scale * (0.5 * (torch.exp(done.logvar) - 1.0))
    low, high = LOGVAR_RANGE
    by_raw = by_logvar * ((done.raw >= low) & (done.raw <= high))
    by_inside = linear("encoder_out", done.inside, torch.cat([by_mu, by_raw], 1)) * (done.inside > 0)
    by_g = linear("encoder_in", done.g, by_inside)
    return (by_g if done.mix == 1.0 else (1.0 - done.mix) * gradient + by_g), found
