"""The loop over a batch's pairs, told in lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from stream.evaluation import loops
from stream.evaluation.entity_attribute_counts import EntityAttributeCounts
from stream.evaluation.popularity import Popularity
from stream.evaluation.scored import PLACES

Scores = list[list[dict[int, float]]]


def ranked(
    counts: EntityAttributeCounts,
    keys: Sequence[str | None],
    shown: Sequence[Sequence[int]],
    taken: Sequence[Sequence[int]],
    *,
    popularity: Popularity | None = None,
    ts: Sequence[int] | None = None,
    score: Sequence[Sequence[float]] | None = None,
    rank: np.ndarray | None = None,
    loop: Callable[..., Any] = loops.rank_and_learn,
) -> tuple[Scores, np.ndarray, list[list[int]]]:
    """Return, for each event and ranking, the scores of the first five by slot, best first; the hits; the labels."""
    capacity = len(counts.offers)
    if popularity is None:
        popularity = Popularity(28.0)
        for slot in range(capacity):
            popularity.add(slot, capacity)
    slots = [sorted({*of, *labels}) for of, labels in zip(shown, taken, strict=True)]
    flat = [(event, slot) for event, some in enumerate(slots) for slot in some]
    labels = np.array([len(of) for of in taken], dtype=np.int64)
    logit = [
        dict(zip(shown[event], score[event], strict=True)).get(slot, 0.0) if score else 0.0 for event, slot in flat
    ]
    who = counts.numbers_of(list(keys), labels, np.flatnonzero(labels))
    best = np.zeros((len(keys), 3, PLACES), dtype=np.int32)
    held, patterns = np.zeros(best.shape), np.zeros(best.shape[:2], dtype=np.int64)
    sizes, bounds = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys) + 1, dtype=np.int64)
    found = np.zeros(int(labels.sum()), dtype=np.int32)
    loop(
        np.concatenate([[0], np.cumsum([len(some) for some in slots], dtype=np.int64)]),
        np.array([slot for _, slot in flat], dtype=np.int64),
        np.array([slot in shown[event] for event, slot in flat], dtype=np.bool_),
        np.array([slot in taken[event] for event, slot in flat], dtype=np.bool_),
        np.array(logit, dtype=np.float64),
        np.array([0] * len(keys) if ts is None else ts, dtype=np.int64),
        *(who, np.arange(capacity) if rank is None else rank),
        *(popularity.half_life_ms, popularity.table, counts.offers, counts.max_pairs, *counts.arrays()),
        *(best, held, patterns, sizes, found, bounds),
    )
    counts.learned()
    hits = (patterns[:, :, None] >> np.arange(PLACES) & 1).astype(np.bool_)
    scores = [
        [dict(zip(best[event, which, :size].tolist(), held[event, which].tolist(), strict=False)) for which in range(3)]
        for event, size in enumerate(sizes.tolist())
    ]
    return scores, hits, [found[first:last].tolist() for first, last in pairwise(bounds)]
