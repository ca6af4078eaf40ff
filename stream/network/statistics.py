"""Running mean and variance of numeric inputs, and how often each is missing: they belong to the model."""

from __future__ import annotations

import numpy as np

from stream.state import Tree

__all__ = ["RunningStatistics"]

_NAMES = ("count", "mean", "m2", "missing")
_CLIP = 5.0


class RunningStatistics:
    """Welford sums by numeric slot, float64; an input is standardised by what was known before its batch."""

    def __init__(self) -> None:
        self.count = np.zeros(8)
        self.mean = np.zeros(8)
        self.m2 = np.zeros(8)
        self.missing = np.zeros(8)
        self.new = np.zeros(8, dtype=bool)
        """Columns added by a change whose warm-up runs: theirs alone move in it, whatever else is trained."""

    def reserve(self, slots: int) -> None:
        """Make room for ``slots`` columns."""
        for name in (*_NAMES, "new"):
            old = getattr(self, name)
            if slots > len(old):
                setattr(self, name, np.concatenate([old, np.zeros(slots - len(old), dtype=old.dtype)]))

    def start(self, slot: int) -> None:
        """Begin a new input's column."""
        self.clear(slot)
        self.new[slot] = True

    def clear(self, slot: int) -> None:
        """Forget a column."""
        for name in _NAMES:
            getattr(self, name)[slot] = 0.0
        self.new[slot] = False

    def missing_rate(self, slot: int) -> float:
        """Return the share of events in which the input was missing, 0 before the first."""
        events = self.count[slot] + self.missing[slot]
        return float(self.missing[slot] / events) if events else 0.0

    def standardise(self, numeric: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values ``(B, slots)`` with mean 0 and variance 1, cut at 5, and the mask of missing ones, float32."""
        absent = np.isnan(numeric)
        spread = np.sqrt(self.m2 / np.maximum(self.count, 1.0))
        known = (self.count > 1) & (spread > 1e-12 * np.maximum(1.0, np.abs(self.mean)))
        scaled = np.where(known, (numeric - self.mean) / np.where(known, spread, 1.0), 0.0)
        scaled = np.where(absent, 0.0, np.clip(scaled, -_CLIP, _CLIP))
        masked = np.zeros_like(numeric, dtype=np.float32)
        masked[:, live] = absent[:, live]
        return scaled.astype(np.float32), masked

    def update(self, numeric: np.ndarray, slots: np.ndarray) -> None:
        """Take a batch ``(B, slots)`` into the statistics of the columns ``slots`` (Chan, Golub and LeVeque 1979)."""
        if len(slots) == 0 or len(numeric) == 0:
            return
        column = numeric[:, slots]
        present = ~np.isnan(column)
        number = present.sum(0).astype(float)
        filled = np.where(present, column, 0.0)
        mean = filled.sum(0) / np.maximum(number, 1.0)
        m2 = (np.where(present, column - mean, 0.0) ** 2).sum(0)
        before, total = self.count[slots], self.count[slots] + number
        delta = mean - self.mean[slots]
        share = number / np.maximum(total, 1.0)
        self.m2[slots] += np.where(number > 0, m2 + delta**2 * before * share, 0.0)
        self.mean[slots] += np.where(number > 0, delta * share, 0.0)
        self.count[slots] = total
        self.missing[slots] += len(numeric) - number

    def named(self, slot: int) -> list[float]:
        """Return one column's statistics, for the state digest."""
        return [float(getattr(self, name)[slot]) for name in _NAMES]

    def state(self) -> Tree:
        """Return the sums as arrays."""
        return {name: getattr(self, name).copy() for name in (*_NAMES, "new")}

    def restore(self, tree: Tree) -> None:
        """Take back what :meth:`state` returned."""
        for name in (*_NAMES, "new"):
            setattr(self, name, tree[name].copy())
