"""Running location and scale of numeric inputs, robust and free of units: they belong to the model.

A numeric input is standardised by its rank: each column keeps a digest of its values, some tens of points in ascending
order with a weight each (a merging t-digest: Dunning and Ertl 2019, arXiv 1902.04023), and a value becomes the normal
score of its place among them, linear between two points. So no unit, shift or tail matters, an outlier is worth one
event, and normally distributed inputs pass as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.network import statistics_kernels as kernels
from stream.state import Tree

__all__ = ["POINTS", "RunningStatistics"]

POINTS = 64
"""Points of a column's digest, a power of two."""
_HALF_LIFE_EVENTS = 20_000.0
"""Values of an input after which what it was like before counts half."""
_RESOLVED_STEPS = 8.0
"""A column whose middle nine tenths span fewer float64 steps than this is not resolved."""

_BY_COLUMN = ("count", "mean", "m2", "missing")
_DIGEST = ("points", "weights")
_ALL = (*_BY_COLUMN, *_DIGEST)

Floats = NDArray[np.float64]


class RunningStatistics:
    """Digests by numeric slot, float64; an input is standardised by what was known before its batch.

    ``count`` and ``missing`` count a column's values and the events without one; ``mean`` and ``m2`` are of the
    standardised values, Welford's sums: what a removal leaves behind is at that mean.
    """

    def __init__(self) -> None:
        self.count = np.zeros(8)
        self.mean = np.zeros(8)
        self.m2 = np.zeros(8)
        self.missing = np.zeros(8)
        self.points = np.zeros((8, POINTS))
        """Ascending; before the first value all 0."""
        self.weights = np.zeros((8, POINTS))
        """In values, faded; a point of weight 0 says nothing."""
        self.new = np.zeros(8, dtype=bool)
        """Columns added by a change whose warm-up runs: theirs alone move in it, whatever else is trained."""

    def reserve(self, slots: int) -> None:
        """Make room for ``slots`` columns."""
        extra = slots - len(self.count)
        if extra > 0:
            for name in (*_ALL, "new"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros((extra, *old.shape[1:]), dtype=old.dtype)]))

    def start(self, slot: int) -> None:
        """Begin a new input's column."""
        self.clear(slot)
        self.new[slot] = True

    def clear(self, slot: int) -> None:
        """Forget a column."""
        for name in _ALL:
            getattr(self, name)[slot] = 0.0
        self.new[slot] = False

    def missing_rate(self, slot: int) -> float:
        """Return the share of events in which the input was missing, 0 before the first."""
        events = self.count[slot] + self.missing[slot]
        return float(self.missing[slot] / events) if events else 0.0

    def mean_input(self, slot: int) -> float:
        """Return the mean, over all events, of what the network read in this column: 0 where it was missing."""
        events = self.count[slot] + self.missing[slot]
        return float(self.mean[slot] * (self.count[slot] / events)) if events else 0.0

    def standardise(self, numeric: Floats, live: NDArray[np.integer]) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal scores ``(B, slots)`` of values, 0 where missing, and the mask of missing, float32."""
        masked, scores = np.zeros(numeric.shape, dtype=np.float32), np.zeros(numeric.shape, dtype=np.float32)
        kernels.standardise(numeric, live, self.points, self.weights, scores, masked)
        return scores, masked

    def normal_scores(self) -> Floats:
        """Return the normal score ``(slots, POINTS)`` of each point's rank: the middle one, if points are equal."""
        found = np.empty(self.points.shape)
        kernels.point_scores(self.points, self.weights, found)
        return found

    def update(self, numeric: Floats, read: np.ndarray, slots: NDArray[np.integer]) -> None:
        """Take a batch ``(B, slots)`` into the columns ``slots``; ``read`` are the scores that it was read as."""
        kernels.merge(
            *(numeric, read, slots, _HALF_LIFE_EVENTS),
            *(self.points, self.weights, self.count, self.mean, self.m2, self.missing),
        )

    # -- what float64 cannot tell apart -----------------------------------------------------------------------------

    def unresolved(self, numeric: Floats, rounded: NDArray[np.bool_], slots: NDArray[np.integer]) -> int:
        """Return how many values of a batch stand in a column whose values float64 cannot tell apart.

        Those whose spread is a few steps of float64 only; and those that read as all the same, where ``rounded``
        ``(B, slots)`` says that an integer had to be rounded.
        """
        return int(kernels.unresolved(numeric, rounded, slots, _RESOLVED_STEPS, self.points, self.weights))

    # -- state ------------------------------------------------------------------------------------------------------

    def named(self, slot: int) -> list[float]:
        """Return one column's statistics, for the state digest."""
        columns = [
            *(getattr(self, name)[slot : slot + 1] for name in _BY_COLUMN),
            *(getattr(self, name)[slot] for name in _DIGEST),
        ]
        return [float(value) for value in np.concatenate(columns)]

    def state(self) -> Tree:
        """Return the sums as arrays."""
        return {name: getattr(self, name).copy() for name in (*_ALL, "new")}

    def restore(self, tree: Tree) -> None:
        """Take back what :meth:`state` returned."""
        for name in (*_ALL, "new"):
            setattr(self, name, tree[name].copy())
