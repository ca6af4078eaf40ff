"""The first five of a ranking, and how good they are (contract, part 6)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.scored import RankingQuality

__all__ = ["TOP", "quality", "top"]

TOP = 5
"""How many offers of a ranking count."""

_GAIN = [1.0 / math.log2(rank + 1) for rank in range(1, TOP + 1)]
_IDEAL = [0.0, *accumulate(_GAIN)]


def top(score: NDArray[np.floating[Any]], rank: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the indices of the min(5, R) best of (R,) finite scores, best first, ties by ascending (R,) rank.

    Costs a partial sort plus a full one of those that tie with the fifth.
    """
    beyond = score.size - TOP
    if beyond <= 0:
        return np.lexsort((rank, -score))
    candidates = (score >= np.partition(score, beyond)[beyond]).nonzero()[0]
    best: NDArray[np.intp] = candidates[np.lexsort((rank[candidates], -score[candidates]))[:TOP]]
    return best


def quality(ranked: Sequence[int], taken: Collection[int]) -> RankingQuality:
    """Measure a ranking's first five slots against the slots in T, of which there is at least one.

    NDCG with binary gains after Järvelin and Kekäläinen (2002), cut at five.
    """
    hits = 0
    gain = 0.0
    for place, slot in enumerate(ranked):
        if slot in taken:
            hits += 1
            gain += _GAIN[place]
    best = min(TOP, len(taken))
    return RankingQuality(hits / best, gain / _IDEAL[best], hits / TOP)
