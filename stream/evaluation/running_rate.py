"""The loss of who knows nothing but how often pairs were taken so far: what any network has to be better than."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["RunningRate"]


class RunningRate:
    """Gives every pair the probability (taken + 1/2) / (pairs + 1) over all events before its own.

    That is Krichevsky and Trofimov's estimate (1981): on any sequence its summed loss is within ln(pairs) / 2 + 1 nats
    of the best constant rate, which nobody knows beforehand.
    """

    def __init__(self) -> None:
        self._taken = 0
        self._pairs = 0

    def score_then_learn(self, taken: int, pairs: int) -> float:
        """Return the loss in nats, summed over an event's `pairs` of which `taken` were taken; then count it."""
        rate = (self._taken + 0.5) / (self._pairs + 1.0)
        self._taken += taken
        self._pairs += pairs
        return -(taken * math.log(rate) + (pairs - taken) * math.log1p(-rate)) if pairs else 0.0

    def state(self) -> dict[str, Any]:
        """Return both counts."""
        return {"taken": self._taken, "pairs": self._pairs}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` returned."""
        self._taken, self._pairs = int(state["taken"]), int(state["pairs"])
