"""The first five, ties included."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.evaluation.offers import OfferTable
from stream.evaluation.ranking import qualities, quality, top, tops


@given(st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 2.0]), max_size=30), st.randoms(use_true_random=False))
def test_the_top_is_the_head_of_a_full_sort_by_score_then_rank(scores: list[float], rng) -> None:  # type: ignore[no-untyped-def]
    rank = list(range(len(scores)))
    rng.shuffle(rank)
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], rank[i]))[:5]
    assert top(np.array(scores), np.array(rank, dtype=np.int64)).tolist() == expected


@given(
    st.lists(st.integers(0, 12) | st.just(60), max_size=6),
    st.integers(1, 3),
    st.integers(0, 2**32),
)
def test_a_batch_is_ranked_and_measured_as_its_events_are(sizes: list[int], scorings: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bounds = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    pairs = int(bounds[-1])
    score, rank = rng.integers(-3, 4, (scorings, pairs)) / 2.0, rng.permutation(pairs)
    taken = rng.random(pairs) < 0.2
    events = [slice(first, last) for first, last in itertools.pairwise(bounds.tolist())]
    outside = rng.integers(0, 2, len(sizes))  # labels that were not possible
    best, best_bounds = tops(score, rank, bounds)
    labels = np.array([taken[own].sum() for own in events], dtype=np.int64) + outside
    measured = qualities(taken[best], best_bounds, labels)
    for b, own in enumerate(events):
        ranked = [own.start + top(one[own], rank[own]) for one in score]
        assert best[:, best_bounds[b] : best_bounds[b + 1]].tolist() == [one.tolist() for one in ranked]
        if labels[b]:
            of_event = [own.start + int(pair) for pair in np.flatnonzero(taken[own])] + [-1] * int(outside[b])
            assert measured[b].tolist() == [list(quality(one.tolist(), of_event)) for one in ranked]


def test_recall_and_ndcg_are_one_for_a_perfect_ranking_of_more_labels_than_five() -> None:
    assert quality([3, 1, 4, 0, 2], range(9)) == pytest.approx((1.0, 1.0, 1.0))


def test_a_single_hit_at_the_third_place_of_two_labels() -> None:
    measured = quality([9, 8, 1], {1, 2})
    assert measured.recall_at_5 == 0.5
    assert measured.ndcg_at_5 == pytest.approx(0.5 / (1 + 1 / np.log2(3)))
    assert measured.precision_at_5 == 0.2


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=3), unique=True, max_size=12))
def test_names_rank_by_their_utf_8_bytes(names: list[str]) -> None:
    offers = OfferTable()
    for slot, name in enumerate(names):
        offers.add(slot, name)
    expected = {name: rank for rank, name in enumerate(sorted(names, key=str.encode))}
    assert {name: int(offers.rank[slot]) for name, slot in offers.live()} == expected


def test_ranks_follow_removal_and_rename() -> None:
    offers = OfferTable()
    for slot, name in enumerate("bcd"):
        offers.add(slot, name)
    assert offers.rank[:3].tolist() == [0, 1, 2]
    offers.rename(0, "z")
    assert offers.rank[:3].tolist() == [2, 0, 1]
    offers.remove(1)
    assert offers.rank[[0, 2]].tolist() == [1, 0]
