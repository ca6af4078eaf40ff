"""The first five of a ranking, and how good they are (contract, part 6)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.compiler.available import compiles
from stream.evaluation.scored import PLACES, RankingQuality

__all__ = ["TOP", "qualities", "quality", "top", "tops"]

TOP = PLACES
"""How many offers of a ranking count."""

_GAIN = [1.0 / math.log2(rank + 1) for rank in range(1, TOP + 1)]
_IDEAL = [0.0, *accumulate(_GAIN)]
_MAX_PADDING = 16
"""Side by side, each event takes as many places as the largest; beyond so many a pair a full sort costs less."""


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


def tops(
    score: NDArray[np.float64], rank: NDArray[np.int64], bounds: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return what :func:`top` does, for K scorings of B events at once.

    Args:
        score: (K, P) finite scores; the R pairs of event b are those from ``bounds[b]`` to ``bounds[b + 1]``.
        rank: (P,) ranks, which break ties.
        bounds: (B + 1,) bounds into the pairs.

    Returns:
        (K, N) indices of pairs, and the (B + 1,) bounds of the events therein: min(5, R) each, best first.
    """
    scorings, (events, pairs) = len(score), (len(bounds) - 1, score.shape[1])
    sizes = np.diff(bounds)
    kept = np.concatenate(([0], np.minimum(sizes, TOP).cumsum()))
    if compiles():
        from stream.evaluation.loops import best as best_by_loop

        found = np.empty((scorings, int(kept[-1])), dtype=np.intp)
        best_by_loop(score, rank, bounds, kept, found, TOP)
        return found, kept
    event = np.repeat(np.arange(events), sizes)
    width = int(sizes.max(initial=0))
    candidate = np.ones(score.shape, dtype=bool)
    if width > TOP and events * width <= _MAX_PADDING * pairs:
        place = event * width + np.arange(pairs) - bounds[event]
        side_by_side = np.full((scorings, events * width), -np.inf)
        for one, row in zip(score, side_by_side, strict=True):
            row[place] = one
        fifth = np.partition(side_by_side.reshape(scorings, events, width), width - TOP, axis=2)[:, :, width - TOP]
        candidate = score >= np.repeat(fifth, sizes, axis=1)
    scoring, pair = np.divmod(np.flatnonzero(candidate), max(pairs, 1))
    group = scoring * events + event[pair]
    order = np.lexsort((rank[pair], -score[scoring, pair], group))
    sizes = np.bincount(group, minlength=scorings * events)
    place = np.arange(len(order)) - np.repeat(sizes.cumsum() - sizes, sizes)
    best: NDArray[np.intp] = pair[order][place < TOP].reshape(scorings, -1)
    return best, kept


def qualities(hit: NDArray[np.bool_], bounds: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what :func:`quality` does, for K rankings of B events at once, as (B, K, 3).

    ``hit`` (K, N) says which of the first five are in T, event by event within ``bounds`` (B + 1,); ``labels`` (B,) is
    |T|. Rows of events without labels mean nothing.
    """
    events = len(labels)
    event = np.repeat(np.arange(events), np.diff(bounds))
    hits = np.zeros((len(hit), events, TOP))
    hits[:, event, np.arange(hit.shape[1]) - bounds[event]] = hit
    gain = np.zeros(hits.shape[:2])
    for place in range(TOP):  # in the order in which `quality` adds them
        gain += hits[:, :, place] * _GAIN[place]
    best = np.clip(labels, 1, TOP)
    found = hits.sum(axis=2)
    measures: NDArray[np.float64] = np.stack((found / best, gain / np.array(_IDEAL)[best], found / TOP), axis=2)
    return measures.transpose(1, 0, 2)
