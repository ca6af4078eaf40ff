"""The baseline `popularity`: how often an offer was taken since it came, recent labels first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.earlier import Earlier

__all__ = ["Popularity"]

_DAY_MS = 86_400_000.0


class Popularity:
    """Labels taken since each offer's addition, halved for every half-life of event time.

    An offer's count stands at a reference time, the latest event time at which it was taken. At time t it has decayed
    for t - reference, or not at all where t is earlier; a label from before the reference adds 1 and leaves the
    reference where it is. So time never runs backwards, whatever order events arrive in, and a late label counts in
    full.
    """

    def __init__(self, half_life_days: float) -> None:
        self._half_life_ms = half_life_days * _DAY_MS
        self._count = np.zeros(0)
        self._reference_ms = np.zeros(0)

    def add(self, slot: int, capacity: int) -> None:
        """Start an offer at 0, in tables of at least ``capacity`` slots."""
        if capacity > self._count.size:
            more = capacity - self._count.size
            self._count = np.append(self._count, np.zeros(more))
            self._reference_ms = np.append(self._reference_ms, np.full(more, -np.inf))
        self._count[slot] = 0.0
        self._reference_ms[slot] = -np.inf

    def scores(self, slots: NDArray[np.integer[Any]], ts: int | NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Return the (R,) decayed counts of (R,) slots at event time ``ts`` in ms, one for all or (R,)."""
        return self._decayed(self._count[slots], self._reference_ms[slots], ts)

    def learn(self, taken: NDArray[np.integer[Any]] | list[int], ts: int | NDArray[np.integer[Any]]) -> None:
        """Count labels, given as distinct slots, at event time ``ts`` in ms, one for all or one each."""
        slots = np.asarray(taken, dtype=np.int64)
        self._count[slots] = self.scores(slots, ts) + 1.0
        self._reference_ms[slots] = np.maximum(self._reference_ms[slots], ts)

    def scores_then_learn(
        self,
        slots: NDArray[np.integer[Any]],
        ts: NDArray[np.int64],
        taken: NDArray[np.integer[Any]],
        taken_ts: NDArray[np.int64],
        earlier: Earlier,
    ) -> NDArray[np.float64]:
        """Score each event's offers, then count its labels, one event after the other, for a whole batch.

        Args:
            slots: (P,) R of each event; ``ts`` (P,) its time in ms.
            taken: (L,) T of each event; ``taken_ts`` (L,) its time in ms.
            earlier: what both hold of the events before.

        Returns:
            (P,) scores.
        """
        count, reference_ms = self._count[slots], self._reference_ms[slots]
        after, at = np.empty(taken.size), np.empty(taken.size)
        for labels in earlier.rounds():
            which = earlier.label[labels]
            again = taken[which]
            self.learn(again, taken_ts[which])
            after[labels], at[labels] = self._count[again], self._reference_ms[again]
        moved = np.flatnonzero(earlier.labels)
        count[moved], reference_ms[moved] = after[earlier.last_label[moved]], at[earlier.last_label[moved]]
        return self._decayed(count, reference_ms, ts)

    def _decayed(
        self,
        count: NDArray[np.float64],
        reference_ms: NDArray[np.float64],
        ts: int | NDArray[np.integer[Any]],
    ) -> NDArray[np.float64]:
        elapsed = np.maximum(ts - reference_ms, 0.0)
        decayed: NDArray[np.float64] = count * np.exp2(elapsed / -self._half_life_ms)
        return decayed

    def offer(self, slot: int) -> tuple[float, float]:
        """Return (count, reference time in ms) of a slot, for the state digest."""
        return float(self._count[slot]), float(self._reference_ms[slot])

    def state(self) -> dict[str, Any]:
        """Return both tables by slot."""
        return {"count": self._count.copy(), "reference_ms": self._reference_ms.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` returned."""
        self._count = np.array(state["count"], dtype=np.float64)
        self._reference_ms = np.array(state["reference_ms"], dtype=np.float64)
