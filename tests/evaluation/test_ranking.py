"""The first five, ties included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.evaluation.offers import OfferTable
from stream.evaluation.ranking import quality, top


@given(st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 2.0]), max_size=30), st.randoms(use_true_random=False))
def test_the_top_is_the_head_of_a_full_sort_by_score_then_rank(scores: list[float], rng) -> None:  # type: ignore[no-untyped-def]
    rank = list(range(len(scores)))
    rng.shuffle(rank)
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], rank[i]))[:5]
    assert top(np.array(scores), np.array(rank, dtype=np.int64)).tolist() == expected


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
