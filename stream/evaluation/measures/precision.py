"""Precision: which share of the five places was taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.measures.measure import RankingMeasure

__all__ = ["PRECISION"]


def _precision(hits: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = hits.sum(1) / hits.shape[1]
    return found


PRECISION = RankingMeasure("precision_at_5", "Prequential precision at 5", _precision, reported=False)
