"""NDCG with binary gains after Järvelin and Kekäläinen (2002), cut at five (contract, part 6)."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.measures.measure import RankingMeasure
from stream.evaluation.scored import PLACES

__all__ = ["NDCG"]

_GAIN = [1.0 / math.log2(rank + 1) for rank in range(1, PLACES + 1)]
_IDEAL = np.array([0.0, *accumulate(_GAIN)])


def _ndcg(hits: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    gain = np.zeros(len(hits))
    for place, of_place in enumerate(_GAIN):  # in this order, so that an ideal ranking's is 1
        gain += hits[:, place] * of_place
    found: NDArray[np.float64] = gain / _IDEAL[np.minimum(labels, PLACES)]
    return found


NDCG = RankingMeasure("ndcg_at_5", "Prequential NDCG at 5", _ndcg)
