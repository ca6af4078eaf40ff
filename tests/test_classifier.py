"""The estimator holds what river asks of one, and what river's checks leave out where there are many labels."""

from __future__ import annotations

import copy
import datetime as dt
import doctest
import itertools
import math
import pickle
import random
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from river import base, checks, compose, datasets, evaluate, preprocessing
from river.metrics import F1
from river.metrics.multioutput import ExactMatch, MicroAverage

import stream.classifier
from stream.classifier import StreamClassifier
from stream.network.settings import NetworkSettings
from stream.schema import Kind
from stream.settings.learner import LearnerSettings

Event = tuple[dict[Any, Any], dict[Any, Any]]


class _Music:
    """In the form of river's `Music`, which is a download: 593 songs, 72 numbers, 6 moods; the values are made up."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        sounds = rng.normal(size=(593, 72))
        moods = sounds @ rng.normal(size=(72, 6)) + rng.normal(size=(593, 6)) > 4
        self._songs = [
            (
                {f"sound_{i}": value for i, value in enumerate(x)},
                {f"mood_{i}": bool(value) for i, value in enumerate(y)},
            )
            for x, y in zip(sounds.tolist(), moods.tolist(), strict=True)
        ]

    def take(self, k: int) -> Iterator[tuple[dict[str, float], dict[str, bool]]]:
        return itertools.islice(iter(copy.deepcopy(self._songs)), k)


def small(**network: Any) -> LearnerSettings:
    return LearnerSettings(network=NetworkSettings(**{"hidden": (8,), "embedding_dim": 4, "pair_hidden": 4, **network}))


def events(count: int, seed: int = 1) -> list[Event]:
    """Events with values of every kind, some missing, whose labels follow from them."""
    rng = random.Random(seed)
    made: list[Event] = []
    for _ in range(count):
        price, member, shop = rng.uniform(-1, 1), rng.random() < 0.5, rng.choice(["north", "south"])
        tags = rng.sample(["new", "sale", "eco"], rng.randint(0, 3))
        x = {"price": price, "member": member, "shop": shop, "tags": tags, "age": rng.choice([None, 30, 60])}
        made.append((dict(x), {"soap": price > 0, "milk": member, "bread": "sale" in tags}))
    return made


def learned(stream_of: list[Event], **arguments: Any) -> StreamClassifier:
    model = StreamClassifier(**{"seed": 3, "settings": small(), **arguments})
    for x, y in stream_of:
        model.learn_one(x, y)
    return model


# -- river's own checks -------------------------------------------------------------------------------------------


@pytest.fixture
def data_of_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What river's checks read: a download, and, for regressors alone, scikit-learn, which they import in any case."""
    monkeypatch.setattr(datasets, "Music", _Music)
    for name in ("sklearn", "sklearn.datasets"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["sklearn"], "datasets", sys.modules["sklearn.datasets"], raising=False)


@pytest.mark.usefixtures("data_of_the_checks")
def test_river_s_checks_pass() -> None:
    checks.check_estimator(StreamClassifier())


@pytest.mark.usefixtures("data_of_the_checks")
def test_no_check_is_skipped_and_those_on_data_are_among_them() -> None:
    model = StreamClassifier()
    assert isinstance(model, base.MultiLabelClassifier)
    assert model._unit_test_skips() == set()
    names = {check.__name__ for check in checks.yield_checks(model)}
    assert {"check_shuffle_features_no_impact", "check_seeding_is_idempotent", "check_bounded_memory_growth"} <= names


def test_the_docstring_s_example_holds() -> None:
    found = doctest.testmod(stream.classifier, raise_on_error=True)
    assert found.attempted >= 4


# -- what they leave out ------------------------------------------------------------------------------------------


def test_prediction_changes_nothing() -> None:
    model = learned(events(40))
    before, frame = model.learner.state_digest(), pd.DataFrame([x for x, _ in events(10, seed=2)])
    for x, _ in events(10, seed=2):
        x["never seen"] = 1.0
        kept = copy.deepcopy(x)
        assert model.predict_proba_one(x) == model.predict_proba_one(x)
        model.predict_one(x)
        assert x == kept
    model.predict_many(frame)
    model.predict_proba_many(frame)
    assert model.learner.state_digest() == before


def test_before_any_learning_nothing_is_predicted() -> None:
    model = StreamClassifier()
    assert model.predict_one({"price": 1.0}) == {}
    assert model.predict_proba_one({}) == {}
    frame = pd.DataFrame({"price": [1.0, 2.0]}, index=["a", "b"])
    assert model.predict_proba_many(frame).shape == (2, 0)
    assert list(model.predict_many(frame).index) == ["a", "b"]


def test_a_label_never_seen_is_not_named_but_has_the_assumed_rate() -> None:
    model = learned(events(10), settings=small(prevalence=0.1))
    decided, probable = model.predict_one({}), model.predict_proba_one({})
    assert set(decided) == set(probable) == {"soap", "milk", "bread"}
    assert decided["tea"] is False
    assert probable["tea"] == {False: 0.9, True: 0.1}
    assert "tea" not in probable
    model.learn_one({}, {"tea": True})
    assert list(model.predict_proba_one({})) == ["bread", "milk", "soap", "tea"]


def test_a_label_just_met_starts_within_the_rates_of_the_others() -> None:
    model = learned(events(60), settings=small(prevalence=0.1))
    model.learn_one({}, {"tea": False}, w=0.0)
    assert 0.1 <= model.predict_proba_one({})["tea"][True] < 0.6


def test_neither_the_order_of_features_nor_that_of_labels_matters_to_the_last_bit() -> None:
    rng = random.Random(1)
    straight, shuffled = (StreamClassifier(seed=3, settings=small()) for _ in range(2))
    for x, y in events(60):
        x_shuffled = dict(rng.sample(list(x.items()), len(x)))
        y_shuffled = dict(rng.sample(list(y.items()), len(y)))
        assert straight.predict_proba_one(x) == shuffled.predict_proba_one(x_shuffled)
        straight.learn_one(x, y)
        shuffled.learn_one(x_shuffled, y_shuffled)
    assert straight.learner.state_digest() == shuffled.learner.state_digest()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_goes_on_bit_for_bit_and_on_its_own(copied: Callable[[StreamClassifier], StreamClassifier]) -> None:
    model = learned(events(40), key="shop")
    twin = copied(model)
    for x, y in events(20, seed=2):
        assert twin.predict_proba_one(x) == model.predict_proba_one(x)
        model.learn_one(x, y)
        twin.learn_one(x, y)
    assert twin.learner.state_digest() == model.learner.state_digest()
    twin.learn_one({}, {"tea": True})
    assert "tea" not in model.predict_one({})


def test_a_clone_has_the_parameters_and_none_of_the_learning() -> None:
    model = learned(events(20), key="shop", seed=7)
    clone = model.clone()
    assert (clone.key, clone.seed, clone.settings) == ("shop", 7, model.settings)
    assert clone.predict_one({}) == {}
    assert model.clone({"seed": 8}).learner.settings.seed == 8


def test_the_seed_decides_and_without_one_the_settings_seed() -> None:
    digests = [learned(events(10), seed=seed).learner.state_digest() for seed in (3, 3, 4)]
    assert digests[0] == digests[1] != digests[2]
    settings = LearnerSettings(seed=4, network=small().network)
    assert learned(events(10), seed=None, settings=settings).learner.state_digest() == digests[2]


def test_features_may_emerge_and_vanish() -> None:
    model = learned([({"price": x["price"]}, y) for x, y in events(30)])
    known = model.predict_proba_one({"price": 0.5})
    model.learn_one({"price": 0.5, "colour": "red"}, {}, w=0.0)
    assert dict(model.learner.schema.features) == {"price": Kind.NUMERIC, "colour": Kind.CATEGORICAL}
    after = model.predict_proba_one({"price": 0.5})
    assert all(math.isclose(after[label][True], known[label][True], abs_tol=1e-5) for label in known)
    for x in ({}, {"colour": "blue"}, {"price": None}, {"price": float("nan")}, {"price": math.inf}):
        assert all(0 < p[True] < 1 for p in model.predict_proba_one(dict(x)).values())
        model.learn_one(dict(x), {"soap": True})


def test_the_first_value_decides_on_the_kind_and_one_that_does_not_fit_is_missing() -> None:
    model = learned(events(30))
    assert dict(model.learner.schema.features) == {
        "age": Kind.NUMERIC,
        "member": Kind.BOOLEAN,
        "price": Kind.NUMERIC,
        "shop": Kind.CATEGORICAL,
        "tags": Kind.MULTI_CATEGORICAL,
    }
    missing = model.predict_proba_one({})
    for x in ({"price": "dear"}, {"member": 0.5}, {"tags": 3}, {"price": None}, {"shop": ["north"]}):
        assert model.predict_proba_one(dict(x)) == missing
    assert model.predict_proba_one({"price": 0.5}) != missing
    assert model.predict_proba_one({"member": 1}) == model.predict_proba_one({"member": True}) != missing


def test_values_are_read_whatever_library_they_come_from() -> None:
    model = learned(events(30))

    class Shop(str, Enum):  # noqa: UP042 - the older form of it, whose str() is not its value
        NORTH = "north"

    plain = model.predict_proba_one({"price": 0.5, "member": True, "shop": "north", "tags": ["eco", "new"], "age": 30})
    x: dict[Any, Any] = {"price": np.float32(0.5), "member": np.bool_(True), "shop": Shop.NORTH, "tags": {"new", "eco"}}
    assert model.predict_proba_one({**x, "age": np.int64(30)}) == plain
    missing = model.predict_proba_one({})
    for value in (dt.date(2026, 1, 1), pd.NaT, pd.NA, np.float64("nan"), 10**400, np.datetime64("2026"), object()):
        assert model.predict_proba_one({"price": value}) == missing
    model.learn_one({"since": dt.date(2026, 1, 1)}, {"soap": np.bool_(True), "milk": 0, "bread": 1.0})
    assert "since" not in model.learner.schema.features


def test_names_need_not_be_strings() -> None:
    model = StreamClassifier(settings=small())
    x: dict[Any, Any] = {1: 0.5, "1": 0.5, ("a", 2): "b"}
    model.learn_one(x, {0: True, "0": False})
    model.learn_one({np.int64(1): 0.5, np.str_("1"): 0.5}, {np.int64(0): True})
    assert set(model.predict_one(x)) == {0, "0"}
    assert len(model.learner.schema.features) == 3
    frame = model.predict_proba_many(pd.DataFrame([[0.1], [0.2]], columns=[1]))
    assert set(frame.columns) == {0, "0"}


def test_of_a_label_left_out_nothing_is_learned() -> None:
    model = learned(events(40))

    def of_milk() -> list[bytes]:
        entries = model.learner.named_state()
        return [np.asarray(value).tobytes() for name, value in entries if name.endswith("offer/milk")]

    before = of_milk()
    assert before
    model.learn_one(events(1)[0][0], {"soap": True, "milk": None})
    model.learn_one(events(1)[0][0], {"soap": True})
    assert of_milk() == before
    model.learn_one(events(1)[0][0], {"milk": False})
    assert of_milk() != before


@pytest.mark.parametrize(
    ("y", "w"), [({"soap": "yes"}, 1.0), ({"soap": 2}, 1.0), ({"soap": True}, -1.0), ({"soap": True}, math.nan)]
)
def test_what_is_refused_changes_nothing(y: dict[Any, Any], w: float) -> None:
    model = learned(events(10))
    before = model.learner.state_digest()
    with pytest.raises(ValueError, match="has to be"):
        model.learn_one({"new": 1.0}, {"tea": True, **y}, w)
    assert model.learner.state_digest() == before


def test_a_weight_counts() -> None:
    heavy, light, none = (learned(events(40)) for _ in range(3))
    for _ in range(20):
        heavy.learn_one({}, {"soap": True}, w=4.0)
        light.learn_one({}, {"soap": True}, w=0.5)
        none.learn_one({}, {"soap": True}, w=0.0)
    assert heavy.predict_proba_one({})["soap"][True] > light.predict_proba_one({})["soap"][True]
    assert light.predict_proba_one({})["soap"][True] > none.predict_proba_one({})["soap"][True]


def test_the_key_tells_one_from_the_other() -> None:
    model = StreamClassifier(key="who", seed=1, settings=small())
    for number in range(200):
        who = "ann" if number % 2 else "bob"
        model.learn_one({"who": who, "hour": number % 24}, {"tea": who == "ann", "wine": who == "bob"})
    assert model.predict_one({"who": "ann"}) == {"tea": True, "wine": False}
    assert model.predict_one({"who": "bob"}) == {"tea": False, "wine": True}
    assert "who" not in model.learner.schema.features
    assert set(model.predict_one({})) == {"tea", "wine"}


# -- frames, pipelines, evaluation --------------------------------------------------------------------------------


def frames(stream_of: list[Event]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = range(100, 100 + len(stream_of))
    return pd.DataFrame([x for x, _ in stream_of], index=rows), pd.DataFrame([y for _, y in stream_of], index=rows)


def test_a_frame_of_one_row_is_one_event() -> None:
    one, many = (StreamClassifier(seed=3, settings=small()) for _ in range(2))
    for x, y in events(30):
        one.learn_one(x, y)
        many.learn_many(*frames([(x, y)]))
    assert one.learner.state_digest() == many.learner.state_digest()


def test_frames_are_learned_in_one_step_and_predicted_row_by_row() -> None:
    model = StreamClassifier(seed=3, settings=small())
    for start in range(60):
        model.learn_many(*frames(events(20, seed=start)))
    assert model.learner.events_trained == 1200
    x, y = frames(events(30, seed=99))
    probabilities, decided = model.predict_proba_many(x), model.predict_many(x)
    assert list(probabilities.index) == list(x.index)
    assert list(probabilities.columns) == list(decided.columns) == ["bread", "milk", "soap"]
    for row, (event, _) in zip(probabilities.to_dict("records"), events(30, seed=99), strict=True):
        alone = model.predict_proba_one(event)
        assert all(math.isclose(row[label], alone[label][True], abs_tol=1e-6) for label in alone)
    assert float((decided == y[decided.columns]).to_numpy().mean()) > 0.8


def test_a_frame_s_gaps_are_missing_values_and_labels_unknown() -> None:
    model = learned(events(20))
    missing = model.predict_proba_many(pd.DataFrame({"price": [None, 0.5], "shop": [np.nan, "north"]}))
    assert missing.iloc[0].to_dict() == {label: p[True] for label, p in model.predict_proba_one({}).items()}
    model.learn_many(pd.DataFrame({"price": [0.1, 0.2]}), pd.DataFrame({"tea": [None, True], "rum": [None, None]}))
    assert "tea" in model.predict_one({})
    assert "rum" not in model.predict_one({})
    trained = model.learner.events_trained
    model.learn_many(pd.DataFrame(), pd.DataFrame())
    model.learn_many(pd.DataFrame(index=[0]), pd.DataFrame({"tea": [True]}))
    assert model.learner.events_trained == trained + 1
    with pytest.raises(ValueError, match="a row for each event"):
        model.learn_many(pd.DataFrame({"price": [0.1]}), pd.DataFrame({"tea": []}))


def test_it_ends_a_pipeline() -> None:
    numbers: list[Event] = [({"price": x["price"], "age": x["age"] or 0}, y) for x, y in events(300)]
    model: Any = compose.Pipeline(preprocessing.StandardScaler(), StreamClassifier(seed=1, settings=small()))
    for x, y in numbers:
        model.learn_one(x, y)
    assert model.predict_one({"price": 0.9, "age": 30})["soap"] is True
    assert model.predict_proba_one({"price": -0.9, "age": 30})["soap"][True] < 0.3
    frame, labels = frames(numbers[:64])
    model.learn_many(frame.astype(float), labels)
    assert model.predict_proba_many(frame.astype(float)).shape == (64, 3)
    assert isinstance(model, base.MultiLabelClassifier)
    assert model.clone().predict_one({"price": 1.0}) == {}


def test_river_evaluates_it_though_labels_emerge_in_mid_stream() -> None:
    stream_of = events(300)
    for x, y in stream_of[150:]:
        y["tea"] = x["shop"] == "north"
    model = StreamClassifier(seed=1, settings=small())
    score = evaluate.progressive_val_score(stream_of, model, MicroAverage(F1()))  # type: ignore[no-untyped-call]
    assert score.get() > 0.55


def test_river_evaluates_it_with_weights_and_by_exact_match() -> None:
    stream_of: Any = [(x, y, {"w": 2.0}) for x, y in events(100)]
    model = StreamClassifier(seed=1, settings=small())
    evaluate.progressive_val_score(stream_of, model, ExactMatch())  # type: ignore[no-untyped-call]
    doubled = StreamClassifier(seed=1, settings=small())
    for x, y in events(100):
        doubled.learn_one(x, y, w=2.0)
    assert model.learner.state_digest() == doubled.learner.state_digest()
