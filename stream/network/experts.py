"""What the published probability is made of: simple experts that only count, beside the network and a part of it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from stream.network.counts import BASE_INPUTS, VALUE_INPUTS
from stream.network.frame import Frame
from stream.network.mixture import Mixture
from stream.state import Tree

__all__ = ["EXPERTS", "Experts"]

EXPERTS = ("rate", "recent_rate", "offer_rate", "recent_offer_rate", "key_counts", "network_alone", "network")
"""``rate`` of all pairs so far; ``recent_rate`` of the newest; ``offer_rate``, smoothed by the offer's attributes, and
its recent form; ``key_counts``, the offer's rate times what the key took before; ``network_alone``, the output layer on
top of the offer's rate, without its pair part; ``network``, the whole."""
_HALF_LIFE_EVENTS = 1_000.0
_STRENGTH_PAIRS = 20.0
_LEAST = 1e-9
"""No expert is surer than this: one pair costs none of them more than 21 nats."""

Floats = NDArray[np.float64]


class Experts:
    """The experts and their mixture: state of the network's counts' kind, moved by every event, frozen or not."""

    def __init__(self, prevalence: float) -> None:
        self.mixture = Mixture(EXPERTS)
        self.taken = 0.5
        """Labels taken lately, faded by events; ``pairs`` likewise."""
        self.pairs = 0.5 / prevalence

    def chances(
        self,
        totals: dict[str, float],
        inputs: torch.Tensor,
        alone: torch.Tensor,
        logits: torch.Tensor,
    ) -> torch.Tensor:
        """Return each expert's probability of each pair, float64 ``(N, P)``, from the counts as they stand.

        ``inputs`` ``(P, width)`` are the running counts as the network reads them, ``alone`` ``(P,)`` the output
        layer's scores and ``logits`` ``(P,)`` the network's.
        """
        rate = totals["taken"] / totals["possible"]
        recent = (self.taken + _STRENGTH_PAIRS * rate) / (self.pairs + _STRENGTH_PAIRS)
        offer = inputs[:, 0]
        by_value = inputs[:, BASE_INPUTS::VALUE_INPUTS].sum(1)
        logs = torch.stack((offer, offer + inputs[:, 1], offer + 0.7 * inputs[:, 2] + 0.5 * (by_value + inputs[:, 4])))
        found = torch.empty(len(EXPERTS), len(offer), dtype=torch.float64, device=offer.device)
        found[0], found[1] = rate, recent
        found[2:5] = torch.exp(logs)
        odds = offer - torch.log1p(-torch.exp(offer.clamp(max=-1e-6)))
        found[5:] = torch.sigmoid(torch.stack((odds + alone, logits)).to(torch.float64))
        return found.clamp_(_LEAST, 1.0 - _LEAST)

    def scores(self, chances: torch.Tensor) -> Floats:
        """Return the log-odds ``(P,)`` of the mixture of ``chances`` ``(N, P)``."""
        weights = torch.from_numpy(self.mixture.weights).to(chances.device)
        mixed = weights @ chances
        return np.asarray((torch.log(mixed) - torch.log1p(-mixed)).cpu().numpy())

    def update(self, frame: Frame, chances: torch.Tensor, scores: Floats) -> None:
        """Take in a batch's outcomes, once it was predicted."""
        taken = frame.taken.to(torch.float64)
        number = len(taken)
        fade = 0.5 ** (frame.events / _HALF_LIFE_EVENTS)
        self.taken = self.taken * fade + float(taken.sum())
        self.pairs = self.pairs * fade + number
        if not number:
            return
        # -ln(1 - p), and for what was taken ln(1 - p) - ln(p) more.
        missed = torch.log1p(-chances)
        hit = taken.nonzero()[:, 0]
        losses = (missed[:, hit] - torch.log(chances[:, hit])).sum(1) - missed.sum(1)
        own = np.logaddexp(0.0, scores).sum() - scores[hit.cpu().numpy()].sum()
        self.mixture.update(losses.cpu().numpy(), float(own), number)

    def state(self) -> Tree:
        """Return everything."""
        return {"taken": self.taken, "pairs": self.pairs, "mixture": self.mixture.state()}

    def restore(self, tree: Tree) -> None:
        """Take back what :meth:`state` returned."""
        self.taken, self.pairs = float(tree["taken"]), float(tree["pairs"])
        self.mixture.restore(tree["mixture"])
