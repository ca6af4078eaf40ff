"""What every measure says of every ranking that there can be: a ranking's first five places were taken or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.measures import RankingMeasure
from stream.evaluation.scored import PLACES

__all__ = ["MeasureTable"]

_LABELS = 16
"""Numbers of labels up to which values are looked up; beyond, they are worked out."""


class MeasureTable:
    """Values of M measures by pattern and number of labels.

    Bit p of a pattern says that the offer in place p, the best being 0, was taken.
    """

    def __init__(self, measures: Sequence[RankingMeasure]) -> None:
        self._measures = measures
        every, labels = np.arange(1 << PLACES), np.arange(1, _LABELS)
        known = self._work_out(np.repeat(every, len(labels)), np.tile(labels, len(every)))
        self._known = np.zeros((len(every), _LABELS, len(measures)))
        self._known[:, 1:] = known.reshape(len(every), len(labels), -1)

    def of(self, patterns: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the values ``(n, K x M)`` of K rankings of n events, by patterns ``(n, K)`` and labels ``(n,)``."""
        if labels.max(initial=0) < _LABELS:
            found = self._known[patterns, labels[:, None]]
        else:
            found = self._work_out(patterns.ravel(), np.repeat(labels, patterns.shape[1]))
        return found.reshape(len(patterns), patterns.shape[1] * len(self._measures))

    def _work_out(self, patterns: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        hits = (patterns[:, None] >> np.arange(PLACES) & 1).astype(np.bool_)
        return np.stack([measure.of(hits, labels) for measure in self._measures], axis=1)
