"""The loops over pairs behind rankings and baselines, compiled; equal to the last bit to what stands beside them.

See :mod:`stream.evaluation.ranking` and :mod:`stream.evaluation.earlier`, which are used if nothing can be compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.compiler.jit import compiled

__all__ = ["best", "look_back"]

Array = np.ndarray[Any, Any]


@compiled
def best(score: Array, rank: Array, bounds: Array, kept: Array, found: Array, top: int) -> None:
    """Fill ``found`` ``(K, N)`` with each event's ``top`` pairs, best first, ties by rank; its bounds are ``kept``."""
    for scoring in range(score.shape[0]):
        for event in range(len(bounds) - 1):
            first, room, number = kept[event], min(top, bounds[event + 1] - bounds[event]), 0
            for pair in range(bounds[event], bounds[event + 1]):
                value = score[scoring, pair]
                if number == room:
                    last = found[scoring, first + number - 1]
                    other = score[scoring, last]
                    if value < other or (value == other and rank[pair] > rank[last]):
                        continue
                else:
                    number += 1
                place = number - 1
                while place > 0:
                    above = found[scoring, first + place - 1]
                    other = score[scoring, above]
                    if other > value or (other == value and rank[above] < rank[pair]):
                        break
                    found[scoring, first + place] = above
                    place -= 1
                found[scoring, first + place] = pair


@compiled
def look_back(
    slots: Array,
    bounds: Array,
    taken: Array,
    taken_bounds: Array,
    capacity: int,
    pairs: Array,
    labels: Array,
    last_label: Array,
    label: Array,
    sighting: Array,
) -> None:
    """Fill what :class:`stream.evaluation.earlier.Earlier` holds."""
    starts = np.zeros(capacity + 1, dtype=np.int64)
    for slot in taken:
        starts[slot + 1] += 1
    for slot in range(capacity):
        starts[slot + 1] += starts[slot]
    seen, took = np.zeros(capacity, dtype=np.int64), np.zeros(capacity, dtype=np.int64)
    for event in range(len(bounds) - 1):
        for pair in range(bounds[event], bounds[event + 1]):
            slot = slots[pair]
            pairs[pair] = seen[slot]
            labels[pair] = took[slot]
            last_label[pair] = starts[slot] + took[slot] - 1
            seen[slot] += 1
        for index in range(taken_bounds[event], taken_bounds[event + 1]):
            slot = taken[index]
            at = starts[slot] + took[slot]
            label[at] = index
            sighting[at] = took[slot]
            took[slot] += 1
