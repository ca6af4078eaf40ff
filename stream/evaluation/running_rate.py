"""The loss of who knows nothing but how often pairs were taken so far: what any network has to be better than."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RunningRate"]


class RunningRate:
    """Gives every pair the probability (taken + 1/2) / (pairs + 1) over all events before its own.

    That is Krichevsky and Trofimov's estimate (1981): on any sequence its summed loss is within ln(pairs) / 2 + 1 nats
    of the best constant rate, which nobody knows beforehand.
    """

    def __init__(self) -> None:
        self._taken = 0
        self._pairs = 0

    def score_then_learn(self, taken: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the loss in nats, summed over each event's `pairs` of which `taken` were taken; then count them."""
        takens, numbers = np.cumsum(taken), np.cumsum(pairs)
        rate = (self._taken + takens - taken + 0.5) / (self._pairs + numbers - pairs + 1.0)
        if len(taken):
            self._taken += int(takens[-1])
            self._pairs += int(numbers[-1])
        loss: NDArray[np.float64] = 0.0 - (taken * np.log(rate) + (pairs - taken) * np.log1p(-rate))
        return loss

    def state(self) -> dict[str, Any]:
        """Return both counts."""
        return {"taken": self._taken, "pairs": self._pairs}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._taken, self._pairs = int(state["taken"]), int(state["pairs"])
