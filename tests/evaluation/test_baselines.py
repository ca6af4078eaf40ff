"""What the two baselines count, forget and give up."""

import copy
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.evaluation import EvaluationSettings
from stream.evaluation.entity_attribute_counts import EntityAttributeCounts
from stream.evaluation.popularity import Popularity
from tests.evaluation.ranked import ranked

DAY_MS = 86_400_000


def _counts(attribute: str = "", max_pairs: int = 100, offers: int = 4, **attributes: str) -> EntityAttributeCounts:
    counts = EntityAttributeCounts(attribute, max_pairs)
    for slot in range(offers):
        counts.add(slot, attributes, capacity=8)
    return counts


def _event(counts: EntityAttributeCounts, key: str, slots: Sequence[int], taken: Sequence[int]) -> list[float]:
    """Score of each of the slots, at most five."""
    ((_, _, by_slot),), _, _ = ranked(counts, [key], [list(slots)], [list(taken)])
    return [by_slot[slot] for slot in slots]


def _learn(counts: EntityAttributeCounts, key: str, *taken: int) -> None:
    _event(counts, key, [], taken)


def _scores(counts: EntityAttributeCounts, key: str, slots: Sequence[int]) -> list[float]:
    """The scores of an event without labels that nobody remembers."""
    return _event(copy.deepcopy(counts), key, slots, [])


def _c(counts: EntityAttributeCounts, key: str, slots: int = 4) -> list[float]:
    """c alone: what a key that nothing is known of would get is taken off."""
    every = range(slots)
    pairs = zip(_scores(counts, key, every), _scores(counts, "nobody", every), strict=True)
    return [round(score - rate, 9) for score, rate in pairs]


def _popularity(*taken: int, asked: int) -> float:
    """What the popularity of an offer with a half-life of two days is, if it was taken at some days before."""
    counts, popularity = _counts(offers=1), Popularity(half_life_days=2)
    popularity.add(0, len(counts.offers))
    ts = [day * DAY_MS for day in (*taken, asked)]
    labels = [[0]] * len(taken) + [[]]
    scores, _, _ = ranked(counts, [None] * len(ts), [[0]] * len(ts), labels, popularity=popularity, ts=ts)
    return scores[-1][1][0]


def test_popularity_halves_in_a_half_life_of_event_time() -> None:
    assert _popularity(10, asked=10) == 1.0
    assert _popularity(10, asked=12) == 0.5
    assert _popularity(10, asked=13) == pytest.approx(2**-1.5)


def test_a_late_label_counts_in_full_and_does_not_turn_time_back() -> None:
    assert _popularity(10, 6, asked=4) == 2.0
    assert _popularity(10, 6, asked=12) == 1.0


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
    assert _scores(counts, "nobody", [0]) == [30 * 0.5 / 10]


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
    assert [key for key, _ in counts.counted()] == ["k", "l"]
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
    _event(counts, "k", range(4), [])
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
    slots = [rng.permutation(4)[: rng.integers(0, 5)].tolist() for _ in keys]
    taken = [rng.permutation(4)[: rng.integers(0, 3)].tolist() for _ in keys]
    one_by_one = [
        ranked(alone, [key], [of], [labels])[0][0] for key, of, labels in zip(keys, slots, taken, strict=True)
    ]
    assert [scores[2] for scores in ranked(together, keys, slots, taken)[0]] == [scores[2] for scores in one_by_one]
    assert list(together.counted()) == list(alone.counted())
    assert together.offers[:, :2].tolist() == alone.offers[:, :2].tolist()
    assert together.evictions == alone.evictions > 0


def test_numbers_of_keys_and_values_are_given_again() -> None:
    counts = _counts(max_pairs=3, offers=2)
    for number in range(2000):
        _learn(counts, f"k{number}", 0, 1)
        counts.remove(1)
        counts.add(1, {}, 8)
    assert (counts.pairs, counts.evictions) == (2, 1998)
    assert len(counts.state()["key_names"]["names"]) <= 5
    assert len(counts.state()["value_names"]["names"]) <= 5
    assert len(counts.count) == 1024


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.sampled_from([2, 7, 30, 1000]))
def test_counts_are_those_of_dictionaries_in_order_of_touch(seed: int, events: int, max_pairs: int) -> None:
    rng = np.random.default_rng(seed)
    counts = _counts("category", max_pairs=max_pairs, offers=6)
    tables: dict[str, dict[str | int, int]] = {}
    value: dict[int, str | int] = {slot: slot + 1 for slot in range(6)}
    additions, evictions = 6, 0
    for _ in range(events):
        slot, kind = int(rng.integers(6)), rng.random()
        if kind < 0.2:
            name = "TEA" if rng.random() < 0.5 else f"v{rng.integers(3)}"
            counts.update(slot, {"category": name})
            value[slot] = name
        elif kind < 0.3:
            own = int(counts._own[slot])
            counts.remove(slot)
            for table in tables.values():
                table.pop(own, None)
            tables = {key: table for key, table in tables.items() if table}
            counts.add(slot, {}, 8)
            additions += 1
            value[slot] = additions
        keys = [f"k{number}" for number in rng.integers(0, 5, 3)]
        taken = [rng.permutation(6)[: rng.integers(0, 3)].tolist() for _ in keys]
        shown = [rng.permutation(6)[:5].tolist() for _ in keys]
        scores, _, _ = ranked(counts, keys, shown, [sorted(of) for of in taken])
        for key, of, found in zip(keys, taken, scores, strict=True):
            for slot, score in found[2].items():
                rest = score - tables.get(key, {}).get(value[slot], 0)
                assert 0 < rest <= 30 * (3 * events + 0.5) / 10
                assert score >= tables.get(key, {}).get(value[slot], 0)
            if of:
                table = tables.pop(key, {})
                tables[key] = table
                for slot in sorted(of):
                    table[value[slot]] = table.pop(value[slot], 0) + 1
            while sum(map(len, tables.values())) > max_pairs:
                oldest = next(iter(tables))
                del tables[oldest][next(iter(tables[oldest]))]
                evictions += 1
                if not tables[oldest]:
                    del tables[oldest]
        assert [(key, list(table.items())) for key, table in counts.counted()] == [
            (key, list(table.items())) for key, table in tables.items()
        ]
    assert counts.evictions == evictions


def test_default_bounds_evict_nothing_below_a_million_pairs() -> None:
    assert EvaluationSettings().max_key_values >= 1_000_000
