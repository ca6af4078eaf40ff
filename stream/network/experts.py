"""What the published probability is made of: simple experts that only count, beside the network and a part of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stream.network.counts import BASE_INPUTS, VALUE_INPUTS
from stream.network.frame import Frame
from stream.network.mixture import Mixture
from stream.state import Tree

__all__ = ["EXPERTS", "Assessed", "Experts"]

EXPERTS = ("rate", "recent_rate", "offer_rate", "recent_offer_rate", "key_counts", "network_alone", "network")
"""`rate` of all pairs so far; `recent_rate` of the newest; `offer_rate`, smoothed by the offer's attributes, and
its recent form, shifted as all rates were lately; `key_counts`, the offer's rate times what the key took before;
`network_alone`, the output layer on top of the offer's rate, without its pair part; `network`, the whole."""
_HALF_LIFE_EVENTS, _HALF_LIFE_LABELS = 1_000.0, 100.0
"""What is recent counts half after so many events, and after so many labels if that is sooner: where labels are
frequent, few events tell that the rate has changed."""
_STRENGTH_PAIRS = 20.0
_LEAST = 1e-9
"""No expert is surer than this: one pair costs none of them more than 21 nats."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Assessed:
    """What is published of some pairs, and how well it and its parts foresaw their outcomes, in nats."""

    scores: Floats
    """The log-odds `(P,)` of the mixture."""
    network_losses: Floats
    """The network's own loss `(B,)`, summed over each event's pairs."""
    losses: Floats
    """The experts' losses `(N,)` over all pairs."""
    loss: float
    """The mixture's."""
    finite: bool
    """Whether every logit is a number."""


class Experts:
    """The experts and their mixture: state of the network's counts' kind, moved by every event, frozen or not."""

    compiled = False
    """Whether the compiled loop is used."""

    def __init__(self, prevalence: float) -> None:
        self.mixture = Mixture(EXPERTS)
        self.taken = 0.5
        """Labels taken lately, faded by events; `pairs` likewise."""
        self.pairs = 0.5 / prevalence

    def assess(
        self,
        frame: Frame,
        totals: dict[str, float],
        inputs: torch.Tensor,
        alone: torch.Tensor,
        logits: torch.Tensor,
        muted: torch.Tensor,
    ) -> Assessed:
        """Say what is published of a frame's pairs, and what that costs each of those who had a say; changes nothing.

        `inputs` `(P, width)` are the running counts as the network reads them, `alone` `(P,)` the output
        layer's scores and `logits` `(P,)` the network's. Offers that are `muted`, by slot, keep the network's.
        """
        rate = totals["taken"] / totals["possible"]
        recent = (self.taken + _STRENGTH_PAIRS * rate) / (self.pairs + _STRENGTH_PAIRS)
        if self.compiled:
            return self._compiled_assess(frame, np.array([rate, recent]), inputs, alone, logits, muted)
        chances = _chances(rate, recent, inputs, alone, logits)
        if bool(muted.any()):  # what a strategy ignores keeps the prior's probability
            silent = muted[frame.pair_slot]
            chances[:, silent] = chances[-1, silent]
        mixed = torch.from_numpy(self.mixture.weights).to(chances.device) @ chances
        scores = torch.log(mixed) - torch.log1p(-mixed)
        # -ln(1 - p), and for what was taken ln(1 - p) - ln(p) more.
        missed, hit = torch.log1p(-chances), frame.taken.nonzero()[:, 0]
        losses = (missed[:, hit] - torch.log(chances[:, hit])).sum(1) - missed.sum(1)
        own = float(_losses(scores, frame.taken).sum())
        by_pair = _losses(logits.to(torch.float64), frame.taken)
        by_event = torch.zeros(frame.events, dtype=torch.float64, device=logits.device)
        by_event.index_add_(0, frame.pair_event, by_pair)
        finite = bool(torch.isfinite(logits).all())
        arrays = [tensor.cpu().numpy() for tensor in (scores, by_event, losses)]
        return Assessed(arrays[0], arrays[1], arrays[2], own, finite)

    def _compiled_assess(
        self,
        frame: Frame,
        rates: Floats,
        inputs: torch.Tensor,
        alone: torch.Tensor,
        logits: torch.Tensor,
        muted: torch.Tensor,
    ) -> Assessed:
        from stream.network import expert_kernels

        arrays = frame.arrays
        scores, by_event, losses = np.empty(len(arrays.taken)), np.empty(frame.events), np.empty(len(EXPERTS))
        own, finite = expert_kernels.assess(
            inputs.numpy(),
            alone.numpy(),
            logits.numpy(),
            muted.numpy(),
            arrays.pair_slot,
            arrays.pair_offsets,
            arrays.taken,
            rates,
            self.mixture.weights,
            scores,
            by_event,
            losses,
        )
        return Assessed(scores, by_event, losses, own, finite)

    def update(self, frame: Frame, assessed: Assessed) -> None:
        """Take in a batch's outcomes, once it was predicted."""
        number = len(assessed.scores)
        taken = float(frame.arrays.taken.sum())
        labels = max(taken, number * self.taken / self.pairs)  # those that were expected, if fewer came
        fade = 0.5 ** max(frame.events / _HALF_LIFE_EVENTS, labels / _HALF_LIFE_LABELS)
        self.taken = self.taken * fade + taken
        self.pairs = self.pairs * fade + number
        if number:
            self.mixture.update(assessed.losses, assessed.loss, number)

    def state(self) -> Tree:
        """Return everything."""
        return {"taken": self.taken, "pairs": self.pairs, "mixture": self.mixture.state()}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.taken, self.pairs = float(tree["taken"]), float(tree["pairs"])
        self.mixture.restore(tree["mixture"])


def _chances(
    rate: float, recent: float, inputs: torch.Tensor, alone: torch.Tensor, logits: torch.Tensor
) -> torch.Tensor:
    """Return each expert's probability of each pair, float64 `(N, P)`, from the counts as they stand."""
    offer = inputs[:, 0]
    by_value = inputs[:, BASE_INPUTS::VALUE_INPUTS].sum(1)
    shift = math.log(recent / rate)
    key = 0.7 * inputs[:, 2] + 0.5 * (by_value + inputs[:, 4])
    logs = torch.stack((offer, offer + inputs[:, 1] + shift, offer + key))
    found = torch.empty(len(EXPERTS), len(offer), dtype=torch.float64, device=offer.device)
    found[0], found[1] = rate, recent
    found[2:5] = torch.exp(logs)
    odds = offer - torch.log1p(-torch.exp(offer.clamp(max=-1e-6)))
    found[5:] = torch.sigmoid(torch.stack((odds + alone, logits)).to(torch.float64))
    return found.clamp_(_LEAST, 1.0 - _LEAST)


def _losses(logits: torch.Tensor, taken: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of each pair, in nats."""
    return torch.logaddexp(torch.zeros_like(logits), logits) - logits * taken
