"""The loops of the measures, compiled, give what they give interpreted, to the last bit."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.evaluation import calibration, loops
from stream.evaluation.entity_attribute_counts import EntityAttributeCounts
from stream.evaluation.loss import pair_losses
from stream.evaluation.popularity import Popularity
from tests.evaluation.ranked import ranked

DAY_MS = 86_400_000


def plain(loop: Any) -> Any:
    return getattr(loop, "py_func", loop)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 30))
def test_rankings_and_baselines_are_the_same_interpreted(seed: int, events: int, offers: int) -> None:
    draw = np.random.default_rng(seed)
    counts, popularity = EntityAttributeCounts("a", 20), Popularity(2.0)
    for slot in range(offers):
        counts.add(slot, {"a": f"v{slot % 7}"} if slot % 3 else {}, 32)
        popularity.add(slot, 32)
    others = copy.deepcopy(counts), copy.deepcopy(popularity)
    shown = [draw.permutation(offers)[: draw.integers(0, offers + 1)].tolist() for _ in range(events)]
    labels = [draw.permutation(offers)[: draw.integers(0, min(3, offers) + 1)].tolist() for _ in range(events)]
    score = [draw.integers(0, 4, len(some)).tolist() for some in shown]
    keys = [f"k{number}" if number else None for number in draw.integers(0, 4, events)]
    ts = (2 * DAY_MS * draw.integers(0, 9, events)).tolist()
    rank = draw.permutation(32)
    same = {"ts": ts, "score": score, "rank": rank}
    ours = ranked(counts, keys, shown, labels, popularity=popularity, **same)
    theirs = ranked(others[0], keys, shown, labels, popularity=others[1], loop=plain(loops.rank_and_learn), **same)
    assert ours[0] == theirs[0]
    assert ours[1].tolist() == theirs[1].tolist()
    assert ours[2] == theirs[2]
    assert popularity.table.tolist() == others[1].table.tolist()
    assert counts.offers.tolist() == others[0].offers.tolist()
    assert list(counts.counted()) == list(others[0].counted())


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 5), st.sampled_from([1e-12, 1.0, 30.0, 1e5, 1e30]))
def test_sums_are_exactly_rounded_whatever_the_order_of_the_pairs(seed: int, events: int, scale: float) -> None:
    draw = np.random.default_rng(seed)
    sizes = draw.integers(0, 40, events)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    logit, taken = scale * draw.standard_normal(int(offsets[-1])), draw.random(int(offsets[-1])) < 0.3
    terms = pair_losses(logit, taken)
    shuffled = [index for event in range(events) for index in draw.permutation(sizes[event]) + offsets[event]]
    found = []
    for order, loop in ((np.arange(len(logit)), plain(loops.totals)), (np.array(shuffled, dtype=int), loops.totals)):
        losses, labels = np.zeros((events, 3)), np.zeros(events, dtype=np.int64)
        codes = np.zeros(len(logit), dtype=np.int64)
        loop(offsets, taken[order], logit[order], terms[order], losses, labels, codes)
        assert codes.tolist() == calibration.codes(logit, taken)[order].tolist()
        assert losses[:, 1].tolist() == sizes.tolist()
        found.append((losses[:, 0].tolist(), labels.tolist()))
    assert found[0] == found[1]
    spans = [slice(first, last) for first, last in pairwise(offsets)]
    assert found[0] == ([math.fsum(terms[span]) for span in spans], [int(taken[span].sum()) for span in spans])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 9))
def test_windows_are_the_same_interpreted(seed: int, events: int, length: int) -> None:
    draw = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(draw.integers(0, 9, events))]).astype(np.int64)
    codes = draw.integers(0, 12, offsets[-1])
    rows = np.column_stack([draw.random((events, 2)), draw.integers(0, 2, events)])
    blocks = draw.integers(0, 5, (3, 12)).astype(np.int32)
    found = []
    for pool, append in ((plain(loops.pool), plain(loops.append)), (loops.pool, loops.append)):
        held, window, everything = blocks.copy(), blocks.sum(0, dtype=np.int64), np.zeros(12, dtype=np.int64)
        pool(offsets, codes, 5, 2, held, window, everything)
        ring, total, contested = np.zeros((length, 3)), np.ones(3), np.ones(3)
        append(rows, ring, 7, total, contested)
        found.append([each.tolist() for each in (held, window, everything, ring, total, contested)])
        assert window.tolist() == held.sum(0).tolist()
        assert everything.sum() == offsets[-1]
    assert found[0] == found[1]
