"""Recall: which share of what was taken is among the first five, of what fits there (contract, part 6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.measures.measure import RankingMeasure

__all__ = ["RECALL"]


def _recall(hits: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = hits.sum(1) / np.minimum(labels, hits.shape[1])
    return found


RECALL = RankingMeasure("recall_at_5", "Prequential recall at 5", _recall)
