"""The top of the unknown names is right within its bound, in bounded memory, whatever comes."""

from __future__ import annotations

import json
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stream.encoding.top_names import CAPACITY, TopNames


@given(st.lists(st.dictionaries(st.integers(0, 400).map(str), st.integers(1, 9), max_size=200), max_size=12))
def test_a_count_is_at_most_the_true_one_and_short_of_it_by_a_hundredth_of_all(batches: list[dict[str, int]]) -> None:
    names, true = TopNames(), Counter[str]()
    for batch in batches:
        names.add(batch)
        true.update(batch)
        assert len(names) <= CAPACITY
    kept = dict(names.top(1000))
    for name, count in true.items():
        assert count - true.total() / CAPACITY <= kept.get(name, 0) <= count
    assert list(kept.values()) == sorted(kept.values(), reverse=True)
    again = TopNames()
    again.restore(json.loads(json.dumps(names.state())))
    assert again.top(1000) == names.top(1000)


def test_a_frequent_name_stands_out_of_a_million_others_in_64_kib() -> None:
    names, chance = TopNames(), random.Random(1)
    for number in range(2_000):
        batch = {
            f"{chance.random()}-{'x' * 100_000 if number == 7 else ''}": 1 for _ in range(500 if number != 7 else 3)
        }
        names.add(batch | {"old-name": 30})
    (first, count), *_ = names.top(5)
    assert first == "old-name"
    assert 50_000 <= count <= 60_000
    assert len(json.dumps(names.state())) < 1 << 16


def test_few_names_are_counted_exactly_and_ties_stand_by_name() -> None:
    names = TopNames()
    names.add({"b": 2, "a": 2, "c": 1})
    names.add({"c": 4})
    assert names.top(3) == [("c", 5), ("a", 2), ("b", 2)]
