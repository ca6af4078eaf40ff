"""The compiled loops of the measures give what the plain passes give, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.evaluation import earlier, ranking


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 30))
def test_loops_and_plain_passes_agree(seed: int, events: int, offers: int) -> None:
    draw = np.random.default_rng(seed)
    shown = [np.sort(draw.permutation(offers)[: draw.integers(0, offers + 1)]) for _ in range(events)]
    labels = [draw.permutation(offers)[: draw.integers(0, min(3, offers) + 1)] for _ in range(events)]
    bounds = np.concatenate([[0], np.cumsum([len(some) for some in shown])]).astype(np.int64)
    taken_bounds = np.concatenate([[0], np.cumsum([len(some) for some in labels])]).astype(np.int64)
    slots, taken = np.concatenate(shown).astype(np.int32), np.concatenate(labels).astype(np.int32)
    score = draw.integers(0, 4, (3, len(slots))) / 4.0
    rank = draw.permutation(offers)[slots]
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for loops in (True, False):
            patch.setattr(earlier, "compiles", lambda loops=loops: loops)
            patch.setattr(ranking, "compiles", lambda loops=loops: loops)
            found.append((earlier.Earlier.of(slots, bounds, taken, taken_bounds), ranking.tops(score, rank, bounds)))
    (ours, (best, kept)), (theirs, (plain, plain_kept)) = found
    assert np.array_equal(best, plain)
    assert np.array_equal(kept, plain_kept)
    for name in ("pairs", "labels", "label", "sighting"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    some = theirs.labels > 0
    assert np.array_equal(ours.last_label[some], theirs.last_label[some])
