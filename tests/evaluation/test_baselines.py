"""What the two baselines count, forget and give up."""

import copy

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.evaluation import EvaluationSettings
from stream.evaluation.earlier import Earlier
from stream.evaluation.entity_attribute_counts import EntityAttributeCounts
from stream.evaluation.popularity import Popularity
from stream.state import encode

DAY_MS = 86_400_000


def _counts(attribute: str = "", max_pairs: int = 100, offers: int = 4, **attributes: str) -> EntityAttributeCounts:
    counts = EntityAttributeCounts(attribute, max_pairs)
    for slot in range(offers):
        counts.add(slot, attributes, capacity=8)
    return counts


def _event(
    counts: EntityAttributeCounts, key: str, slots: NDArray[np.int64], taken: NDArray[np.int64]
) -> NDArray[np.float64]:
    bounds, taken_bounds = np.array([0, slots.size]), np.array([0, taken.size])
    earlier = Earlier.of(slots, bounds, taken, taken_bounds)
    return counts.scores_then_learn([key], slots, bounds, taken, taken_bounds, earlier)


def _learn(counts: EntityAttributeCounts, key: str, *taken: int) -> None:
    _event(counts, key, NONE, np.array(taken))


def _scores(counts: EntityAttributeCounts, key: str, slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """The scores of an event without labels that nobody remembers."""
    return _event(copy.deepcopy(counts), key, slots, NONE)


def _c(counts: EntityAttributeCounts, key: str, slots: int = 4) -> list[float]:
    """c alone: what a key that nothing is known of would get is taken off."""
    every = np.arange(slots)
    return (_scores(counts, key, every) - _scores(counts, "nobody", every)).round(9).tolist()  # type: ignore[no-any-return]


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
    _learn(counts, "k", 0, 1)
    assert _c(counts, "k") == [2, 2, 2, 2]
    assert _c(counts, "l") == [0, 0, 0, 0]
    assert counts.pairs == 1


def test_counts_under_a_value_outlive_the_offers_that_had_it() -> None:
    counts = _counts("category", offers=1, category="TEA")
    _learn(counts, "k", 0)
    counts.remove(0)
    counts.add(0, {"category": "TEA"}, 8)
    assert _c(counts, "k", 1) == [1]
    assert _scores(counts, "nobody", np.array([0])) == 30 * 0.5 / 10


def test_update_label_leaves_past_counts_under_the_old_value_and_finds_them_there_again() -> None:
    counts = _counts("category", offers=2, category="TEA")
    _learn(counts, "k", 0)
    counts.update(0, {"category": "SOAP"})
    assert _c(counts, "k", 2) == [0, 1]
    counts.update(0, {})
    _learn(counts, "k", 0)
    _learn(counts, "k", 0)
    counts.update(0, {"category": "TEA"})
    assert _c(counts, "k", 2) == [1, 1]
    counts.update(0, {})
    assert _c(counts, "k", 2) == [2, 1]


def test_own_names_go_with_their_offer_without_being_evictions() -> None:
    counts = _counts(offers=3)
    for key in "kl":
        _learn(counts, key, 0, 1)
    _learn(counts, "m", 0)
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
    _learn(counts, "k", 0, 1)
    _learn(counts, "l", 0, 1)
    _learn(counts, "k", 0)
    assert (counts.pairs, counts.evictions) == (4, 0)
    _learn(counts, "m", 2)
    assert (_c(counts, "l"), counts.evictions) == ([0, 1, 0, 0], 1)
    _learn(counts, "m", 0, 3)
    assert (_c(counts, "l"), _c(counts, "k"), counts.evictions) == ([0, 0, 0, 0], [2, 0, 0, 0], 3)
    assert counts.pairs == 4


def test_counts_of_removed_offers_push_nothing_out() -> None:
    counts = _counts(max_pairs=2)
    _learn(counts, "k", 0)
    _learn(counts, "l", 1)
    counts.remove(1)
    _learn(counts, "m", 0)
    assert (_c(counts, "k"), counts.evictions) == ([1, 0, 0, 0], 0)


def test_an_event_without_labels_does_not_keep_its_key() -> None:
    counts = _counts(max_pairs=2)
    _learn(counts, "k", 0)
    _learn(counts, "l", 0)
    _event(counts, "k", np.arange(4), NONE)
    _learn(counts, "m", 0)
    assert _c(counts, "k") == [0, 0, 0, 0]


def test_a_single_key_beyond_the_bound_keeps_its_latest_values() -> None:
    counts = _counts(max_pairs=2)
    for slot in (0, 1, 2, 3):
        _learn(counts, "k", slot)
    assert (_c(counts, "k"), counts.evictions, counts.pairs) == ([0, 0, 1, 1], 2, 2)


def test_a_smaller_bound_takes_effect_on_restore() -> None:
    counts = _counts()
    for key in "klm":
        _learn(counts, key, 0)
    smaller = EntityAttributeCounts("", 2)
    smaller.restore(counts.state())
    assert (smaller.pairs, smaller.evictions, _c(smaller, "k")) == (2, 1, [0, 0, 0, 0])


def test_a_long_batch_is_its_events_one_by_one() -> None:
    rng = np.random.default_rng(3)
    together, alone = _counts("category", max_pairs=60, category="TEA"), _counts("category", max_pairs=60)
    for counts in (together, alone):
        for slot in (1, 3):
            counts.update(slot, {"category": "SOAP"} if slot == 1 else {})
        counts.update(0, {"category": "TEA"})
        counts.update(2, {"category": "TEA"})
    keys = [f"k{number}" for number in rng.integers(0, 30, 600)]
    slots = [rng.permutation(4)[: rng.integers(0, 5)] for _ in keys]
    taken = [rng.permutation(4)[: rng.integers(0, 3)] for _ in keys]
    one_by_one = [_event(alone, *event) for event in zip(keys, slots, taken, strict=True)]
    bounds, taken_bounds = (np.cumsum([0, *map(len, lists)]) for lists in (slots, taken))
    shown, labels = np.concatenate(slots), np.concatenate(taken)
    earlier = Earlier.of(shown, bounds, labels, taken_bounds)
    found = together.scores_then_learn(keys, shown, bounds, labels, taken_bounds, earlier)
    assert found.tolist() == np.concatenate(one_by_one).tolist()
    assert encode(together.state()) == encode(alone.state())
    assert together.evictions > 0


def test_default_bounds_evict_nothing_below_a_million_pairs() -> None:
    assert EvaluationSettings().max_key_values >= 1_000_000
