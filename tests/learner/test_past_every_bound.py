"""Past every bound on names a step costs what it cost before it: what is held stays, and nothing is walked over."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from stream.encoding.offers import Offers
from stream.encoding.pool import RowPool
from stream.encoding.vocabulary import ValueRows
from stream.evaluation.entity_attribute_counts import EntityAttributeCounts
from stream.evaluation.settings import EvaluationSettings
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.testing.streams import apply, feature, label, settings
from tests.evaluation.ranked import ranked


class Counted(OrderedDict[Any, Any]):
    """Counts what is done with it by single entries, and what walks over all of them."""

    steps = walks = 0

    def __iter__(self) -> Iterator[Any]:
        type(self).walks += 1
        return super().__iter__()

    def popitem(self, last: bool = True) -> tuple[Any, Any]:
        type(self).steps += 1
        return super().popitem(last)

    def pop(self, *key: Any) -> Any:
        type(self).steps += 1
        return super().pop(*key)

    def __setitem__(self, key: Any, value: Any) -> None:
        type(self).steps += 1
        super().__setitem__(key, value)


class Unsorted(list[int]):
    """A heap that nobody sorts."""

    def sort(self, **_: Any) -> None:
        raise AssertionError("the free rows are sorted anew for one of them")


def test_the_oldest_candidate_is_found_without_looking_for_it() -> None:
    rows = ValueRows(capacity=100, admission_count=2, candidate_capacity=1000)
    vocabulary = rows.add(0, multi=True)
    vocabulary.candidates = Counted()
    Counted.steps = Counted.walks = 0
    for first in range(0, 20_000, 250):
        rows.admit([(0, f"v{value}") for value in range(first, first + 250)], first, open_rows=True, may_evict=True)
    assert (Counted.walks, rows.evictions) == (0, 19_000)
    assert Counted.steps == 20_000 * 2 + 19_000  # a look, an entry, and from the bound on one that leaves
    assert list(vocabulary.candidates) == [f"v{value}" for value in range(19_000, 20_000)]


def test_what_a_register_restored_gives_up_is_found_as_soon() -> None:
    rows = ValueRows(capacity=100, admission_count=2, candidate_capacity=2)
    rows.add(0, multi=True)
    rows.admit([(0, "a"), (0, "b")], 0, open_rows=True, may_evict=True)
    again = ValueRows(capacity=100, admission_count=2, candidate_capacity=2)
    again.restore(rows.state())
    assert isinstance(again.vocabularies[0].candidates, OrderedDict)
    offers = Offers(attributes=1, departed_capacity=2)
    for number in range(9):
        offers.add(f"o{number}", {"group": f"g{number}"})
        offers.remove(f"o{number}")
    restored = Offers(attributes=1, departed_capacity=2)
    restored.restore(offers.state())
    for each in (offers, restored):
        assert isinstance(each._departed, OrderedDict)
        assert list(each._departed) == ['["group", "g7"]', '["group", "g8"]']


def test_rows_are_given_up_at_once_and_lent_again_lowest_first() -> None:
    pool: RowPool[int] = RowPool(1000)
    pool._free = Unsorted()
    for first in range(0, 20_000, 100):
        pool.admit(range(first, first + 100), first, may_evict=True)
    assert (len(pool), pool.rows_used) == (1000, 1000)
    for key in list(pool.row_of)[:300]:
        pool.remove(key)
    free = sorted(pool._free)
    assert pool.admit(range(-5, 0), 20_001, may_evict=True)[0] == free[:5]
    assert len(pool.shrink(10)) == 1000 - 300 + 5 - 10
    assert sorted(pool.row_of) == [*range(-5, 0), *range(19_995, 20_000)]


def test_one_key_past_the_bound_on_counts_gives_up_its_oldest_without_looking_for_it() -> None:
    counts = EntityAttributeCounts("group", 200)
    for number in range(3000):  # an offer a label, each with a value of its own
        counts.add(0, {"group": f"g{number}"}, capacity=8)
        assert ranked(counts, ["k"], [[0]], [[0]])[0][0][2] == {0: 30 * 0.5 / 10}
        counts.remove(0)
    assert (counts.pairs, counts.evictions) == (200, 2800)
    ((key, table),) = counts.counted()
    assert (key, list(table)) == ("k", [f"g{number}" for number in range(2800, 3000)])
    counts.add(0, {"group": "g2999"}, capacity=8)
    # what a key took before is found among many that no offer has any more
    assert ranked(counts, ["k"], [[0]], [[]])[0][0][2] == {0: 30 * 0.5 / 10 + 1}


SMALL: dict[str, Any] = {
    "vocabulary_capacity": 60,
    "candidate_capacity": 80,
    "entity_capacity": 50,
    "departed_capacity": 40,
    "pair_cells": 32 * 70,
    "attributes": 1,
}


def held(learner: LearnerCore) -> dict[str, int]:
    """How much each register and each table of the network holds."""
    network = learner.network
    sizes = {
        "values": sum(len(vocabulary.row_of) for vocabulary in network.layout.rows.vocabularies.values()),
        "candidates": sum(len(vocabulary.candidates) for vocabulary in network.layout.rows.vocabularies.values()),
        "owners": len(network.layout.rows.owner),
        "keys": network.layout.keys.rows_used,
        "departed": len(network.layout.offers._departed),
        "value slots": network.layout.offers.values.capacity,
        "strings": len(network.layout.offers.columns_of_string),
        "counts": learner.evaluation._counts.pairs,
    }
    tables = {f"{name} {label}": table.rows for name, part in network.parts() for label, table in part.tables()}
    pairs = {f"pairs {label}": cells.reserved for label, cells in network.pairs.pair_tables()}
    tensors = {f"count {label}": array.size for label, array in network.counts.arrays.items()}
    return {**sizes, **tables, **pairs, **tensors}


@pytest.mark.parametrize("strategy", ["carry", "carry+glmix", "carry+bayes-network"])
def test_no_name_too_many_leaves_anything_behind(strategy: str) -> None:
    rng = random.Random(5)
    evaluation = EvaluationSettings(attribute="group", max_key_values=90)
    learner = LearnerCore(replace(settings(strategy, **SMALL), evaluation=evaluation))
    apply(learner, feature("tags", "multi_categorical"), feature("store", "categorical"), label("o"))
    seen: dict[int, dict[str, int]] = {}
    for batch in range(150):
        if batch % 3 == 2:
            names = [f"o{batch}-{number}" for number in range(4)]
            gone = [{"op": "remove_label", "name": name} for name in learner.schema.labels if name != "o"]
            apply(learner, *gone, *(label(name, group=name) for name in names))
        events = [
            Interaction(
                id=f"{batch}-{event}",
                key=f"k{batch * 2 + event % 5}",
                ts=batch,
                features={
                    "tags": [f"t{batch * 6 + rng.randrange(12)}" for _ in range(4)],
                    "store": f"s{batch + rng.randrange(2)}",
                },
                labels=tuple(rng.sample(list(learner.schema.labels), 1)),
            )
            for event in range(16)
        ]
        learner.learn(learner.encode(events))
        if batch in (74, 149):
            seen[batch] = held(learner)
    assert learner.network.layout.rows.evictions > 500
    assert learner.network.layout.keys.rows_used == 50
    assert learner.evaluation.evictions > 50
    assert (seen[149]["departed"], seen[149]["counts"]) == (40, 90)
    assert seen[149].pop("candidates") <= 3 * 80  # of the tags, the stores and the keys
    values, owners = seen[149].pop("values"), seen[149].pop("owners")
    assert 60 + 60 + 45 < values <= 60 + 60 + 50  # in a warm-up a row that left is not given again
    assert owners == values + 3 * 2
    grown = {name: (seen[74][name], size) for name, size in seen[149].items() if size > max(1.02 * seen[74][name], 8)}
    assert not grown
