"""Running location and scale of numeric inputs in plain passes of NumPy: what the compiled ones are held to.

A numeric input is standardised by its rank: each column keeps a digest of its values, some tens of points in ascending
order with a weight each (a merging t-digest: Dunning and Ertl 2019, arXiv 1902.04023), and a value becomes the normal
score of its place among them, linear between two points. So no unit, shift or tail matters, an outlier is worth one
event, and normally distributed inputs pass as they are.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from stream.network.statistics import POINTS, RunningStatistics

__all__ = ["PlainStatistics"]

_HALF_LIFE_EVENTS, _RESOLVED_STEPS = 20_000.0, 8.0

Floats = NDArray[np.float64]


class PlainStatistics(RunningStatistics):
    """The same columns; what is read of a batch, and how it moves them, in plain passes."""

    def standardise(self, numeric: Floats, live: NDArray[np.integer]) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal scores ``(B, slots)`` of values, 0 where missing, and the mask of missing, float32."""
        absent = np.isnan(numeric)
        masked = np.zeros_like(numeric, dtype=np.float32)
        masked[:, live] = absent[:, live]
        scores = np.zeros_like(numeric, dtype=np.float32)
        known = live[self.weights[live, -1] > 0]
        if len(known) and len(numeric):
            scores[:, known] = np.where(absent[:, known], 0.0, self._scored(numeric[:, known], known))
        return scores, masked

    def _scored(self, values: Floats, slots: NDArray[np.integer]) -> Floats:
        """Return the normal scores of ``values`` ``(B, n)``: linear between points, beyond all that of the last."""
        points, scores = self.points[slots], self.normal_scores()[slots]
        found = np.where(np.isnan(values), 0.0, values).T
        column = np.arange(len(slots))[:, None]
        below, upto = _places(points, found, np.less), _places(points, found, np.less_equal)
        low = np.where(upto > below, below, np.maximum(below - 1, 0))
        high = np.minimum(upto, POINTS - 1)
        first, last = points[column, low], points[column, high]
        # Halved, because the distance of two numbers may be more than the largest.
        span = 0.5 * last - 0.5 * first
        share = np.divide(0.5 * found - 0.5 * first, span, out=np.zeros(span.shape), where=span > 0)
        return np.asarray(((1.0 - share) * scores[column, low] + share * scores[column, high]).T)

    def normal_scores(self) -> Floats:
        """Return the normal score ``(slots, POINTS)`` of each point's rank: the middle one, if points are equal."""
        place = np.arange(POINTS)
        starts = np.diff(self.points, axis=1, prepend=np.nan) != 0
        head = np.maximum.accumulate(np.where(starts, place, 0), 1)
        ends = np.roll(starts, -1, 1)
        ends[:, -1] = True
        tail = np.minimum.accumulate(np.where(ends, place, POINTS)[:, ::-1], 1)[:, ::-1]
        upto = np.cumsum(self.weights, 1)
        below = np.take_along_axis(upto - self.weights, head, 1)
        rank = 0.5 * (below + np.take_along_axis(upto, tail, 1)) / np.maximum(upto[:, -1:], 1e-300)
        # In whole rows of 64, so that no column's bits depend on how many stand beside it.
        found: Floats = torch.special.ndtri(torch.from_numpy(np.clip(rank, 1e-12, 1.0 - 1e-12))).numpy()
        return found

    def update(self, numeric: Floats, read: np.ndarray, slots: NDArray[np.integer]) -> None:
        """Take a batch ``(B, slots)`` into the columns ``slots``; ``read`` are the scores that it was read as."""
        if len(slots) == 0 or len(numeric) == 0:
            return
        present = ~np.isnan(numeric[:, slots])
        number = present.sum(0).astype(float)
        self.missing[slots] += len(numeric) - number
        some = number > 0
        slots, present, number = slots[some], present[:, some], number[some]
        if not len(slots):
            return
        first = self.count[slots] == 0
        self._merge(numeric[:, slots], present, number, slots)
        scored = read[:, slots].astype(np.float64)
        if first.any():  # nothing was known of them: as they would be read from here on
            scored[:, first] = self.standardise(numeric, slots[first])[0][:, slots[first]]
        self._count(np.where(present, scored, 0.0), present, number, slots)

    def _count(self, scored: Floats, present: NDArray[np.bool_], number: Floats, slots: NDArray[np.integer]) -> None:
        """Take standardised values into count, mean and m2 (Chan, Golub and LeVeque 1979)."""
        mean = scored.sum(0) / number
        m2 = (np.where(present, scored - mean, 0.0) ** 2).sum(0)
        held, total = self.count[slots], self.count[slots] + number
        delta = mean - self.mean[slots]
        self.m2[slots] += m2 + delta**2 * held * (number / total)
        self.mean[slots] += delta * (number / total)
        self.count[slots] = total

    def _merge(self, values: Floats, present: NDArray[np.bool_], number: Floats, slots: NDArray[np.integer]) -> None:
        """Take a batch's values into the digests: sorted among the points, then gathered by rank.

        The bins of ranks are fine at the ends and coarse in the middle: an outlier stands alone in one.
        """
        kept = self.weights[slots] * 0.5 ** (number / _HALF_LIFE_EVENTS)[:, None]
        points = np.concatenate([self.points[slots], np.where(present, values, 0.0).T], 1)
        weights = np.concatenate([kept, present.T.astype(float)], 1)
        # What weighs nothing goes to the end, beside the largest value.
        order = np.argsort(np.where(weights > 0, points, np.inf), 1, kind="stable")
        points, weights = np.take_along_axis(points, order, 1), np.take_along_axis(weights, order, 1)
        cumulative = np.cumsum(weights, 1)
        rank = (cumulative - 0.5 * weights) / cumulative[:, -1:]
        bins = np.floor(POINTS * (0.5 + np.arcsin(np.clip(2.0 * rank - 1.0, -1.0, 1.0)) / np.pi)).astype(np.int64)
        place = (np.minimum(bins, POINTS - 1) + np.arange(len(slots))[:, None] * POINTS).ravel()
        size = len(slots) * POINTS
        gathered: Floats = np.bincount(place, weights.ravel(), minlength=size).astype(np.float64)
        # From the bin's first value on: where all are the same, so is their mean, to the last bit.
        heads = np.flatnonzero(np.diff(place, prepend=-1))
        origin = np.zeros(size)
        origin[place[heads]] = points.ravel()[heads]
        share = np.divide(weights.ravel(), gathered[place], out=np.zeros(place.shape), where=weights.ravel() > 0)
        shift = np.bincount(place, share * (0.5 * points.ravel() - 0.5 * origin[place]), minlength=size)
        middle = (origin + shift + shift).reshape(len(slots), POINTS)
        self.points[slots], self.weights[slots] = _packed(middle, gathered.reshape(len(slots), POINTS))

    # -- what float64 cannot tell apart -----------------------------------------------------------------------------

    def unresolved(self, numeric: Floats, rounded: NDArray[np.bool_], slots: NDArray[np.integer]) -> int:
        """Return how many values of a batch stand in a column whose values float64 cannot tell apart.

        Those whose spread is a few steps of float64 only; and those that read as all the same, where ``rounded``
        ``(B, slots)`` says that an integer had to be rounded.
        """
        if not len(slots) or not len(numeric):
            return 0
        low, high = self._ends(slots)
        span = 0.5 * high - 0.5 * low
        step = np.spacing(np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(float).tiny))
        narrow = span <= 0.5 * _RESOLVED_STEPS * step
        if not narrow.any():
            return 0
        blurred = slots[narrow & ((span > 0) | rounded[:, slots].any(0))]
        return int((~np.isnan(numeric[:, blurred])).sum())

    def _ends(self, slots: NDArray[np.integer]) -> tuple[Floats, Floats]:
        """Return the points at the ranks 0.05 and 0.95 of each column; both 0 before its first value."""
        weights = self.weights[slots]
        rank = np.cumsum(weights, 1) / np.maximum(weights.sum(1, keepdims=True), 1e-300)
        row = np.arange(len(slots))
        low, high = (rank < 0.05).sum(1), np.minimum((rank < 0.95).sum(1), POINTS - 1)
        points = self.points[slots]
        return points[row, np.minimum(low, POINTS - 1)], points[row, high]


def _places(points: Floats, found: Floats, before: np.ufunc) -> NDArray[np.int64]:
    """Return how many ``points`` ``(n, POINTS)``, ascending by column, lie ``before`` each ``found`` ``(n, B)``."""
    column = np.arange(len(points))[:, None]
    place = np.zeros(found.shape, dtype=np.int64)
    step = POINTS // 2
    while step:
        place += step * before(points[column, place + (step - 1)], found)
        step //= 2
    return np.asarray(place + before(points[column, place], found))


def _packed(points: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the bins with what weighs nothing moved to the front, where it repeats the first point that weighs."""
    order = np.argsort(weights > 0, 1, kind="stable")
    points, weights = np.take_along_axis(points, order, 1), np.take_along_axis(weights, order, 1)
    empty = (weights == 0.0).sum(1)
    first = points[np.arange(len(points)), np.minimum(empty, POINTS - 1)]
    points = np.where(weights > 0, points, first[:, None])
    return np.maximum.accumulate(points, 1), weights
