"""What the two baselines count, forget and give up."""

import numpy as np
import pytest

from stream.evaluation import EvaluationSettings
from stream.evaluation.entity_attribute_counts import EntityAttributeCounts
from stream.evaluation.popularity import Popularity

DAY_MS = 86_400_000


def _counts(attribute: str = "", max_pairs: int = 100, offers: int = 4, **attributes: str) -> EntityAttributeCounts:
    counts = EntityAttributeCounts(attribute, max_pairs)
    for slot in range(offers):
        counts.add(slot, attributes, capacity=8)
    return counts


def _c(counts: EntityAttributeCounts, key: str, slots: int = 4) -> list[float]:
    """c alone: what a key that nothing is known of would get is taken off."""
    every = np.arange(slots)
    return (counts.scores(key, every) - counts.scores("nobody", every)).round(9).tolist()  # type: ignore[no-any-return]


NONE = np.zeros(0, dtype=np.int64)


def test_popularity_halves_in_a_half_life_of_event_time() -> None:
    popularity = Popularity(half_life_days=2)
    popularity.add(0, capacity=4)
    popularity.learn([0], 10 * DAY_MS)
    assert popularity.scores(np.array([0]), 10 * DAY_MS) == 1.0
    assert popularity.scores(np.array([0]), 12 * DAY_MS) == 0.5
    assert popularity.scores(np.array([0]), 13 * DAY_MS) == pytest.approx(2**-1.5)


def test_a_late_label_counts_in_full_and_does_not_turn_time_back() -> None:
    popularity = Popularity(half_life_days=2)
    popularity.add(0, capacity=4)
    popularity.learn([0], 10 * DAY_MS)
    popularity.learn([0], 6 * DAY_MS)
    assert popularity.scores(np.array([0]), 4 * DAY_MS) == 2.0
    assert popularity.scores(np.array([0]), 12 * DAY_MS) == 1.0


def test_an_events_labels_add_one_each_to_their_common_value() -> None:
    counts = _counts("category", category="TEA")
    counts.learn("k", NONE, [0, 1])
    assert _c(counts, "k") == [2, 2, 2, 2]
    assert _c(counts, "l") == [0, 0, 0, 0]
    assert counts.pairs == 1


def test_counts_under_a_value_outlive_the_offers_that_had_it() -> None:
    counts = _counts("category", offers=1, category="TEA")
    counts.learn("k", NONE, [0])
    counts.remove(0)
    counts.add(0, {"category": "TEA"}, 8)
    assert _c(counts, "k", 1) == [1]
    assert counts.scores("nobody", np.array([0])) == 30 * 0.5 / 10


def test_update_label_leaves_past_counts_under_the_old_value_and_finds_them_there_again() -> None:
    counts = _counts("category", offers=2, category="TEA")
    counts.learn("k", NONE, [0])
    counts.update(0, {"category": "SOAP"})
    assert _c(counts, "k", 2) == [0, 1]
    counts.update(0, {})
    counts.learn("k", NONE, [0, 0])
    counts.update(0, {"category": "TEA"})
    assert _c(counts, "k", 2) == [1, 1]
    counts.update(0, {})
    assert _c(counts, "k", 2) == [2, 1]


def test_own_names_go_with_their_offer_without_being_evictions() -> None:
    counts = _counts(offers=3)
    for key in "kl":
        counts.learn(key, NONE, [0, 1])
    counts.learn("m", NONE, [0])
    assert counts.pairs == 5
    counts.remove(0)
    counts.add(0, {}, 8)
    assert counts.pairs == 2
    assert _c(counts, "k", 3) == [0, 1, 0]
    assert _c(counts, "m", 3) == [0, 0, 0]
    assert counts.state()["keys"] == ["k", "l"]
    assert counts.evictions == 0


def test_beyond_the_bound_the_key_longest_without_labels_gives_up_its_longest_untouched_value_first() -> None:
    counts = _counts(max_pairs=4)
    counts.learn("k", NONE, [0, 1])
    counts.learn("l", NONE, [0, 1])
    counts.learn("k", NONE, [0])
    assert (counts.pairs, counts.evictions) == (4, 0)
    counts.learn("m", NONE, [2])
    assert (_c(counts, "l"), counts.evictions) == ([0, 1, 0, 0], 1)
    counts.learn("m", NONE, [0, 3])
    assert (_c(counts, "l"), _c(counts, "k"), counts.evictions) == ([0, 0, 0, 0], [2, 0, 0, 0], 3)
    assert counts.pairs == 4


def test_counts_of_removed_offers_push_nothing_out() -> None:
    counts = _counts(max_pairs=2)
    counts.learn("k", NONE, [0])
    counts.learn("l", NONE, [1])
    counts.remove(1)
    counts.learn("m", NONE, [0])
    assert (_c(counts, "k"), counts.evictions) == ([1, 0, 0, 0], 0)


def test_reading_a_key_does_not_keep_it() -> None:
    counts = _counts(max_pairs=2)
    counts.learn("k", NONE, [0])
    counts.learn("l", NONE, [0])
    counts.scores("k", np.arange(4))
    counts.learn("m", NONE, [0])
    assert _c(counts, "k") == [0, 0, 0, 0]


def test_a_single_key_beyond_the_bound_keeps_its_latest_values() -> None:
    counts = _counts(max_pairs=2)
    for slot in (0, 1, 2, 3):
        counts.learn("k", NONE, [slot])
    assert (_c(counts, "k"), counts.evictions, counts.pairs) == ([0, 0, 1, 1], 2, 2)


def test_a_smaller_bound_takes_effect_on_restore() -> None:
    counts = _counts()
    for key in "klm":
        counts.learn(key, NONE, [0])
    smaller = EntityAttributeCounts("", 2)
    smaller.restore(counts.state())
    assert (smaller.pairs, smaller.evictions, _c(smaller, "k")) == (2, 1, [0, 0, 0, 0])


def test_default_bounds_evict_nothing_below_a_million_pairs() -> None:
    assert EvaluationSettings().max_key_values >= 1_000_000
