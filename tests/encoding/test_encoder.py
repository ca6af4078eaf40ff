"""A batch holds what each of its events says, read one by one."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from stream.encoding.kept_name import kept_name
from stream.encoding.values import MISTYPED, boolean_value, categorical_value, multi_values, numeric_value
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.schema import Kind
from stream.testing.streams import apply, feature, label, settings

READ = {
    Kind.NUMERIC: numeric_value,
    Kind.BOOLEAN: boolean_value,
    Kind.CATEGORICAL: categorical_value,
    Kind.MULTI_CATEGORICAL: multi_values,
}
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2.5, -3, 10**30, 1e300, "a", "b", "true", "new", [], ["a"], ["a", "b", "a"]),
    *(["b", 1, True], ["a", None], [["x"]], {"q": 1}, ["new", "newer", "b"]),
    *([f"v{n % 37}" for n in range(50)], ["a", "new", *(f"w{n}" for n in range(40)), "new", "b", "a"], "long" * 30),
    *(["long" * 30, "a", "long" * 30], ["é" * 65, "b"]),
]
OFFERS = [f"o{number}" for number in range(6)]


def a_learner() -> LearnerCore:
    """With slots of every kind that were given up, and values of their own rows."""
    learner = LearnerCore(settings(admission_count=1))
    features = [feature(f"{kind}{number}", kind) for kind in Kind for number in range(3)]
    apply(learner, *features, *(label(name, group=name[-1]) for name in OFFERS))
    known = Interaction("0", "k", 0, {f["name"]: f["kind"] == "numeric" or ["a", "b"] for f in features}, ("o1",))
    learner.learn(learner.encode([known]))
    gone = [{"op": "remove_feature", "name": f"{kind}1"} for kind in Kind]
    apply(learner, *gone, {"op": "remove_label", "name": "o2"})
    return learner


def an_event(rng: random.Random, number: int) -> Interaction:
    names = [f"{kind}{number}" for kind in Kind for number in range(3)] + ["unknown"]
    features = {name: rng.choice(VALUES) for name in rng.sample(names, rng.randint(0, len(names)))}
    shown: Any = rng.choice([None, {}, {"group": ("1", "3")}, tuple(rng.sample([*OFFERS, "gone"], 3))])
    labels = tuple(rng.sample([*OFFERS, "gone"], rng.randint(0, 4)))
    return Interaction(
        str(number), rng.choice("kl"), number, features, labels, shown, None, rng.choice([0.0, 2.0, 1e300])
    )


@pytest.mark.parametrize("events", [0, 1, 2, 40, *range(60, 90)])
def test_a_batch_is_read_as_its_events_are(events: int) -> None:
    learner, rng = a_learner(), random.Random(events)
    network, schema = learner.network, learner.schema
    batch_of = [an_event(rng, number) for number in range(events)]
    batch = learner.encode(batch_of)
    assert (batch.ids, batch.keys) == ([e.id for e in batch_of], [e.key for e in batch_of])
    assert batch.weight.tolist() == [e.weight for e in batch_of]
    wrong = unknown = dropped = 0
    unseen: list[tuple[int, str]] = []
    for number, event in enumerate(batch_of):
        unknown += len(event.features.keys() - schema.features.keys())
        for name, kind in schema.features.items():
            slot = network.layout.features.slot(name)
            value = READ[kind](event.features.get(name))
            wrong += value is MISTYPED
            value = None if value is MISTYPED else value
            if kind is Kind.NUMERIC:
                expected = np.nan if value is None else value
                np.testing.assert_equal(batch.numeric[number, slot], expected)
                continue
            own = (batch.row_event == number) & (batch.row_slot == slot)
            texts: Any = [value] if isinstance(value, str) else value
            if isinstance(value, bool):
                texts = ["true" if value else "false"]
            vocabulary = network.layout.rows.vocabularies[slot]
            if texts is None:
                assert batch.rows[own].tolist() == [vocabulary.missing]
                assert batch.row_weight[own].tolist() == [1.0]
                continue
            assert batch.rows[own].tolist() == [
                vocabulary.row_of.get(kept_name(text), vocabulary.rare) for text in texts
            ]
            assert batch.row_weight[own] == pytest.approx(1 / max(1, len(texts)) ** 0.5)
            unseen += [(slot, kept_name(text)) for text in texts if kept_name(text) not in vocabulary.row_of]
        possible = network.layout.offers.possible(event.shown)[0].tolist()
        taken = {network.layout.offers.offers.slot(name) for name in event.labels if name in schema.labels}
        dropped += len(event.labels) - len(taken)
        own = slice(batch.offsets[number], batch.offsets[number + 1])
        assert batch.pair_slot[own].tolist() == possible + sorted(taken.difference(possible))
        assert batch.possible[own].tolist() == [slot in possible for slot in batch.pair_slot[own]]
        assert batch.taken[own].tolist() == [slot in taken for slot in batch.pair_slot[own]]
        assert (batch.pair_event[own] == number).all()
    counts = (batch.mistyped_values, batch.unknown_features, batch.labels_dropped)
    assert counts == (wrong, unknown, dropped)
    keys = network.layout.rows.vocabularies[network.layout.features.categorical.slot("key")]
    rare_keys = [(network.layout.features.categorical.slot("key"), e.key) for e in batch_of if e.key not in keys.row_of]
    assert sorted(batch.unseen) == sorted(unseen + rare_keys)
    assert (
        batch.numeric[:, [slot for slot, name in enumerate(network.layout.features.numeric.names) if name is None]] == 0
    ).all()
    if events > 2:
        assert min(wrong, unknown, dropped, len(unseen)) > 0
