"""Event weights without their unit: what training multiplies an event's loss by (contract, part 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.state import Tree

__all__ = ["LARGEST_RELATIVE_WEIGHT", "RelativeWeights"]

LARGEST_RELATIVE_WEIGHT = 10.0
"""What one event counts for at most, in events of mean weight; in the running mean too."""


class RelativeWeights:
    """The running mean of the weights seen, each counted as `LARGEST_RELATIVE_WEIGHT` times that mean at most.

    A weight within that is divided by the mean as it is. One beyond it neither moves the mean, and with it what all
    others count, nor the network by more than a bounded step: the importance that it asks for is cut (Ionides 2008,
    "Truncated importance sampling", doi 10.1198/106186008X320456).
    """

    def __init__(self) -> None:
        self.events = 0
        self.mean = 0.0

    def of(self, weights: NDArray[np.float64], *, seen: bool) -> NDArray[np.float32]:
        """Return weights `(B,)` over their running mean, which takes these in first if they are newly `seen`."""
        if seen and len(weights):
            self._take(weights)
        mean = self.mean or 1.0
        # Cut before it is divided: no quotient overflows.
        cut = np.minimum(weights / LARGEST_RELATIVE_WEIGHT, mean)
        return np.asarray(cut / mean * LARGEST_RELATIVE_WEIGHT, dtype=np.float32)

    def _take(self, weights: NDArray[np.float64]) -> None:
        """Find the mean that says itself which weights are beyond the bound: the least number of them that fits."""
        total = self.events + len(weights)
        ascending = np.sort(weights)
        mean = float(np.cumsum(ascending / total)[-1] + self.mean * (self.events / total))
        if ascending[-1] / LARGEST_RELATIVE_WEIGHT <= mean:  # no weight is beyond it
            self.events, self.mean = total, mean
            return
        descending = ascending[::-1]
        beyond = np.arange(len(weights))
        rest = np.cumsum(ascending / total)[::-1] + self.mean * (self.events / total)
        room = 1.0 - LARGEST_RELATIVE_WEIGHT * beyond / total
        with np.errstate(over="ignore"):
            means = rest / np.where(room > 0.0, room, np.nan)
        fits = np.flatnonzero(descending / LARGEST_RELATIVE_WEIGHT <= means)
        # None fits if a few weights among zeros are all there is: then as many are beyond it as may be.
        place = int(fits[0]) if len(fits) else int(np.flatnonzero(room > 0.0)[-1])
        self.events, self.mean = total, float(means[place])

    def state(self) -> Tree:
        """Return both numbers."""
        return {"events": self.events, "mean": self.mean}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.events, self.mean = int(tree["events"]), float(tree["mean"])
