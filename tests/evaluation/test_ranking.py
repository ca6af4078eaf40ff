"""The first five, ties included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.evaluation.entity_attribute_counts import EntityAttributeCounts
from stream.evaluation.measures import RANKING_MEASURES
from stream.evaluation.offers import OfferTable
from stream.evaluation.quality import RankingQuality
from tests.evaluation.ranked import ranked


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 2.0]), max_size=30), max_size=4),
    st.randoms(use_true_random=False),
)
def test_the_top_is_the_head_of_a_full_sort_by_score_then_rank(scores: list[list[float]], rng) -> None:  # type: ignore[no-untyped-def]
    rank = list(range(32))
    rng.shuffle(rank)
    counts = EntityAttributeCounts("", 100)
    for slot in range(32):
        counts.add(slot, {}, 32)
    shown = [rng.sample(range(32), len(some)) for some in scores]
    taken = [rng.sample(range(32), rng.randrange(8)) for _ in scores]
    found, hits, labels = ranked(
        counts, [None] * len(scores), shown, taken, score=scores, rank=np.array(rank, dtype=np.int64)
    )
    for event, some in enumerate(scores):
        expected = sorted(zip(some, shown[event], strict=True), key=lambda each: (-each[0], rank[each[1]]))[:5]
        assert list(found[event][0].items()) == [(slot, score) for score, slot in expected]
        assert hits[event, 0, : len(expected)].tolist() == [slot in taken[event] for _, slot in expected]
        assert not hits[event, 0, len(expected) :].any()
        assert labels[event] == sorted(taken[event], key=rank.__getitem__)


def _quality(places: list[int], labels: int) -> RankingQuality:
    hits = np.array([[place in places for place in range(1, 6)]])
    return RankingQuality(*(float(measure.of(hits, np.array([labels]))[0]) for measure in RANKING_MEASURES.values()))


def test_recall_and_ndcg_are_one_for_a_perfect_ranking_of_more_labels_than_five() -> None:
    assert _quality([1, 2, 3, 4, 5], 9) == pytest.approx((1.0, 1.0, 1.0))


def test_a_single_hit_at_the_third_place_of_two_labels() -> None:
    measured = _quality([3], 2)
    assert measured.recall_at_5 == 0.5
    assert measured.ndcg_at_5 == pytest.approx(0.5 / (1 + 1 / np.log2(3)))
    assert measured.precision_at_5 == 0.2


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=3), unique=True, max_size=12))
def test_names_rank_by_their_utf_8_bytes(names: list[str]) -> None:
    offers = OfferTable()
    for slot, name in enumerate(names):
        offers.add(slot, name)
    assert [name for _, name in sorted((offers.rank[slot], name) for name, slot in offers.live())] == sorted(
        names, key=str.encode
    )


def test_ranks_have_room_however_many_names_come_between_two() -> None:
    offers = OfferTable()
    names = [
        "a",
        "b",
        *("a" + "a" * number for number in range(1, 100)),
        *("b" + "b" * number for number in range(1, 9)),
    ]
    for slot, name in enumerate(names):
        offers.add(slot, name)
    assert len({*offers.rank[: len(names)].tolist()}) == len(names)
    assert sorted(names) == [names[slot] for slot in np.argsort(offers.rank[: len(names)])]


def test_names_lent_stay_as_they_were() -> None:
    offers = OfferTable()
    offers.add(0, "a")
    lent = offers.names
    offers.rename(0, "b")
    offers.remove(0)
    offers.add(0, "c")
    assert list(lent) == ["a"]
    assert list(offers.names) == ["c"]


def test_ranks_follow_removal_and_rename() -> None:
    offers = OfferTable()
    for slot, name in enumerate("bcd"):
        offers.add(slot, name)
    assert np.argsort(offers.rank[:3]).tolist() == [0, 1, 2]
    offers.rename(0, "z")
    assert np.argsort(offers.rank[:3]).tolist() == [1, 2, 0]
    offers.remove(1)
    assert offers.rank[0] > offers.rank[2]
