"""An online mixture of experts with a bound on what it loses to the best of them, and to the best in each of k spells.

The published probability of a pair is the weighted mean of the experts' (Vovk 1998, "A game of prediction with expert
advice"), so its loss is never above the weighted mean of theirs. Each round, a batch, divides the weights by the
exponential of the experts' losses; then a share of every weight goes to all alike, so that another expert can take over
(Herbster and Warmuth 1998, "Tracking the best expert"). A round has many pairs, of which none is known before all were
predicted: what that can cost beyond a single pair's is measured as it happens, and lowers the rate at which weights
move (AdaHedge: de Rooij, van Erven, Gruenwald and Koolen 2014, "Follow the leader if you can, hedge if you must").
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stream.state import Tree

__all__ = ["Mixture"]

Floats = NDArray[np.float64]


class Mixture:
    """Weights of `names`, from uniform ones; it sees losses only, in nats, and knows nothing of who predicts.

    Over T rounds its loss is at most that of any expert + `regret_bound`. Where each round has one pair the rate
    stays 1, and the bound is `ln N + sum of -ln(1 - share)`, at most `ln N + ln (T + 1)`.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.rounds = 0
        self.gap_nats = 0.0
        """By how much the rounds' losses were above those of a game whose every pair is a round."""
        self.heat_nats = 0.0
        """What of that gap lowers the rate: in one round as much as halves it, because a jump says little of noise."""
        self.shared_nats = 0.0
        """What the shares have cost at most, over the rate at which they were paid."""
        self.log_weights: Floats = np.full(len(names), -math.log(len(names)))
        self.loss_sums: Floats = np.zeros(len(names))
        """The experts' losses so far, in nats over all pairs."""
        self.loss_sum = 0.0
        """The mixture's own."""
        self.pairs = 0

    @property
    def weights(self) -> Floats:
        """Return the experts' weights `(N,)`, which sum to 1."""
        return np.exp(self.log_weights)

    @property
    def rate(self) -> float:
        """Return the power to which a loss enters the weights: 1, or what the measured gap allows."""
        most = math.log(len(self.names))
        return 1.0 if self.heat_nats <= most else most / self.heat_nats

    @property
    def regret_bound(self) -> float:
        """Return by how many nats the loss so far can be above the best expert's, by the proof."""
        return math.log(len(self.names)) / self.rate + self.gap_nats + self.shared_nats

    def update(self, losses: Floats, own: float, pairs: int) -> None:
        """Take in a round: the experts' losses `(N,)` and the mixture's `own`, summed over its `pairs`."""
        rate = self.rate
        moved = self.log_weights - rate * (losses - losses.min())
        total = float(np.logaddexp.reduce(moved))
        gap = max(0.0, own - (float(losses.min()) - total / rate))
        self.gap_nats += gap
        self.heat_nats += min(gap, math.log(len(self.names)) / rate)
        self.log_weights = moved - total
        slower = self.rate
        if slower < rate:
            self.log_weights = self.log_weights * (slower / rate)
            self.log_weights -= float(np.logaddexp.reduce(self.log_weights))
        self.rounds += 1
        share = 1.0 / (self.rounds + 1)
        kept = math.log1p(-share)
        self.log_weights = np.logaddexp(self.log_weights + kept, math.log(share / len(self.names)))
        self.shared_nats -= kept / slower
        self.loss_sums = self.loss_sums + losses
        self.loss_sum += own
        self.pairs += pairs

    def state(self) -> Tree:
        """Return everything, the experts' numbers by name."""
        return {
            "rounds": self.rounds,
            "gap_nats": self.gap_nats,
            "heat_nats": self.heat_nats,
            "shared_nats": self.shared_nats,
            "log_weights": dict(zip(self.names, self.log_weights.tolist(), strict=True)),
            "loss_sums": dict(zip(self.names, self.loss_sums.tolist(), strict=True)),
            "loss_sum": self.loss_sum,
            "pairs": self.pairs,
        }

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.rounds, self.pairs = int(tree["rounds"]), int(tree["pairs"])
        self.gap_nats, self.heat_nats = float(tree["gap_nats"]), float(tree["heat_nats"])
        self.shared_nats = float(tree["shared_nats"])
        self.loss_sum = float(tree["loss_sum"])
        self.log_weights = np.array([tree["log_weights"][name] for name in self.names])
        self.loss_sums = np.array([tree["loss_sums"][name] for name in self.names])
