"""The baseline `popularity`: how often an offer was taken since it came, recent labels first."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Popularity"]

_DAY_MS = 86_400_000.0


class Popularity:
    """Labels taken since each offer's addition, halved for every half-life of event time.

    An offer's count stands at a reference time, the latest event time at which it was taken. At time t it has decayed
    for t - reference, or not at all if t is earlier; a label from before the reference adds 1 and leaves the
    reference where it is. So time never runs backwards, whatever order events arrive in, and a late label counts in
    full. (`stream.evaluation.loops.rank_and_learn` does it.)
    """

    def __init__(self, half_life_days: float) -> None:
        self.half_life_ms = half_life_days * _DAY_MS
        self.table = np.zeros((0, 2))
        """By slot the count and its reference time in ms."""

    def add(self, slot: int, capacity: int) -> None:
        """Start an offer at 0, in tables of at least `capacity` slots."""
        if capacity > len(self.table):
            self.table = np.concatenate([self.table, np.zeros((capacity - len(self.table), 2))])
        self.table[slot] = 0.0, -np.inf

    def offer(self, slot: int) -> tuple[float, float]:
        """Return (count, reference time in ms) of a slot, for the state digest."""
        return float(self.table[slot, 0]), float(self.table[slot, 1])

    def state(self) -> dict[str, Any]:
        """Return the table by slot."""
        return {"table": self.table.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.table = np.array(state["table"], dtype=np.float64)
