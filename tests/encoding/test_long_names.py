"""What is remembered of a name is bounded, however long it is: values, keys, attributes, and answers to `shown`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from stream.encoding.kept_name import LONGEST, any_long, kept_name
from stream.encoding.offers import Offers
from stream.evaluation.settings import EvaluationSettings
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.state import decode, encode
from stream.testing.streams import apply, feature, label, settings


def test_short_names_are_kept_and_long_ones_stay_distinct() -> None:
    short = "x" * LONGEST
    assert kept_name(short) is short
    long = [short + tail for tail in ("a", "b", "ab")] + ["☃" * 20_000, "☃" * 20_001]
    kept = [kept_name(name) for name in long]
    assert len({*kept, *(kept_name(name) for name in kept), short}) == 2 * len(long) + 1
    assert {len(name) for name in kept} == {LONGEST + 1}
    assert max(map(sys.getsizeof, kept)) <= 336
    assert kept == [kept_name(name) for name in long]
    assert (any_long(["", None, short]), any_long([None, long[0]]), any_long([])) == (False, True, False)


def text(number: int) -> str:
    """20 KB that differ only in their last characters."""
    return "free text " * 2000 + str(number)


def an_event(number: int, **more: Any) -> Interaction:
    features = {"note": text(number % 3), "notes": [text(number % 3), text(3), "short"]}
    return Interaction(str(number), f"{text(9)} {number % 2}", number, features, ("o1",), **more)


def a_learner() -> LearnerCore:
    learner = LearnerCore(replace(settings(), evaluation=EvaluationSettings(attribute="group")))
    changes = [feature("note", "categorical"), feature("notes", "multi_categorical")]
    apply(learner, *changes, *(label(f"o{number}", group=text(number)) for number in range(3)))
    return learner


def test_long_values_are_learned_as_values_like_any_other() -> None:
    learner = a_learner()
    for number in range(0, 48, 8):
        learner.learn(learner.encode([an_event(event) for event in range(number, number + 8)]))
    network = learner.network
    note, notes = (network.layout.rows.vocabularies[network.layout.features.slot(name)] for name in ("note", "notes"))
    assert sorted(note.row_of) == sorted(kept_name(text(number)) for number in range(3))
    assert len(notes.row_of) == 5
    assert sorted(network.layout.keys.row_of) == sorted(kept_name(f"{text(9)} {number}") for number in range(2))
    batch = learner.encode([an_event(0), an_event(1), an_event(3)])
    assert batch.rows[batch.row_slot == network.layout.features.slot("note")].tolist() == [
        note.row_of[kept_name(text(number))] for number in (0, 1, 0)
    ]
    assert not batch.unseen
    # An input's value that is an offer's attribute value is found as such.
    value = network.layout.offers.values.slot(network.layout.offers.values.names[0] or "")
    assert network.layout.matches[note.row_of[kept_name(text(0))], 0] == value
    counted = dict(learner.evaluation._counts.counted())
    assert counted.keys() == network.layout.keys.row_of.keys()
    assert {name for table in counted.values() for name in table} == {kept_name(text(1))}
    # 48 events of 80 KB have left nothing of that size.
    assert len(encode(learner.network.layout.rows.state())) + len(encode(learner.evaluation._counts.state())) < 20_000


def test_a_value_that_looks_like_what_is_kept_of_another_is_a_value_of_its_own() -> None:
    learner = a_learner()
    learner.learn(learner.encode([an_event(event) for event in range(24)]))
    forged = kept_name(text(0))
    again = LearnerCore.from_state(decode(encode(learner.state())), learner.settings)
    for each in (learner, again):
        event = Interaction("f", forged, 1, {"note": forged, "notes": [forged]}, ())
        batch = each.encode([event])
        assert [value for _, value in batch.unseen] == [kept_name(forged)] * 3
        assert batch.keys == [kept_name(forged)]


def test_a_learner_with_long_names_comes_back_as_it_was() -> None:
    learner = a_learner()
    learner.learn(learner.encode([an_event(event) for event in range(16)]))
    again = LearnerCore.from_state(decode(encode(learner.state())), learner.settings)
    for each in (learner, again):
        each.learn(each.encode([an_event(event) for event in range(16, 32)]))
        apply(each, {"op": "remove_label", "name": "o0"}, label("o9", group=text(0)))
    assert again.state_digest() == learner.state_digest()


@pytest.mark.parametrize("by_name", [True, False])
def test_answers_to_shown_are_kept_up_to_a_bound_in_bytes(by_name: bool) -> None:
    offers = Offers(attributes=1, departed_capacity=10)
    for number in range(300):
        offers.add(f"o{number}", {"group": f"g{number % 3}"})
    for number in range(3000):
        names = tuple(f"page-{number}-item-{item}" for item in range(300))
        shown: Any = (*names, "o7") if by_name else {"group": ("g1", *names)}
        slots, unknown = offers.possible(shown)
        assert (len(slots), len(unknown)) == ((1, 300) if by_name else (100, 0))
    asked: list[Any] = [key if by_name else key[1][1] for key in offers._cache]  # type: ignore[index]
    held = sum(sys.getsizeof(names) + sum(map(sys.getsizeof, names)) for names in asked)
    held += sum(array.nbytes + sys.getsizeof(unknown) for array, unknown in offers._cache.values())
    assert 0 < held <= 8 << 20
    assert held <= offers._cached_bytes <= 8 << 20
    before = offers._cached_bytes
    offers.possible(tuple(f"{'n' * 1000}{number}" for number in range(1000)))
    assert offers._cached_bytes == before  # a sixteenth of the bound or more in one answer is not kept
    small = offers.possible(("o1",))
    assert offers.possible(("o1",)) is small
    offers.rename("o1", "o1-renamed")
    assert (offers._cached_bytes, len(offers._cache)) == (0, 0)
    assert offers.possible(("o1",))[1] == ("o1",)
