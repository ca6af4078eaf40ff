"""What every strategy keeps to, whatever it is: the contract of all methods, and of some that are joined."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from stream.adaptation import METHODS, Seat, parse_strategy
from stream.adaptation.transfer.settings import WarmupSettings
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.network.persistence import weight_entries
from stream.state.digest import digest
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    distance,
    events,
    feature,
    first_step,
    label,
    learn,
    logits,
    restored,
    settings,
    trained,
)

JOINED = [
    "replace+tune-head",
    "carry-unfrozen+tune-head",
    "replace+mlet",
    "peterrec-serial+bayes-network",
    "iak+mlet",
    "bayes-output+glmix+tune-head",
    "replace+bayes-output",
    "scratch+bayes-output+glmix",
    "peterrec-serial+bayes-output+glmix",
    "iak+bayes-output",
]
STRATEGIES = [*METHODS, *JOINED]
WARMING = [name for name in STRATEGIES if parse_strategy(name)[0].name in ("carry", "replace")]
LABELS = ["soap", "milk", "bread", "tea", "jam", "leek", "x"]
SHAPE: dict[str, Any] = {"hidden": (12, 8)}

SCRIPT: list[list[dict[str, Any]]] = [
    [feature("extra", "numeric"), label("jam", group="g3")],
    [feature("colour", "categorical"), {"op": "rename_feature", "name": "age", "to": "years"}],
    [{"op": "remove_feature", "name": "store"}, {"op": "rename_label", "name": "tea", "to": "leek"}],
    [{"op": "retype_feature", "name": "price", "kind": "categorical"}],
    [{"op": "remove_label", "name": "soap"}, label("x", group="g9", brand="b1")],
    [{"op": "update_label", "name": "milk", "attributes": {"group": "g3"}}],
    [{"op": "remove_label", "name": name} for name in ("milk", "bread", "leek", "jam", "x")],
    [label("soap", group="g1"), label("milk", group="g2", task="other"), feature("store", "categorical")],
    [
        {"op": "remove_feature", "name": name}
        for name in ("extra", "colour", "years", "price", "member", "tags", "store")
    ],
    [feature("age", "numeric"), feature("tags", "multi_categorical"), label("tea", task="other")],
]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_any_schema_change_with_a_restore_after_every_batch_gives_the_same_state(strategy: str) -> None:
    straight, broken = LearnerCore(settings(strategy, **SHAPE)), LearnerCore(settings(strategy, **SHAPE))
    stream = iter(events(1000, seed=5, labels=LABELS))
    for step, changes in enumerate([[*FEATURES, *OFFERS], *SCRIPT]):
        for learner in (straight, broken):
            apply(learner, *changes)
        for _ in range(8 if step == 0 else 3):
            assert broken.state_digest() == straight.state_digest()
            interactions = [next(stream) for _ in range(16)]
            batch = straight.encode(interactions)
            state = straight.state_digest()
            predicted = straight.predict(batch).logits
            assert straight.state_digest() == state, "a prediction left a trace"
            first = int(batch.offsets[first_step(straight, 16)])
            report = straight.learn(batch)
            same = np.allclose(predicted[:first], report.logits[:first], rtol=1e-5, atol=1e-6)
            assert same, "what was predicted is not what was scored"  # but for the rounding of products of other shapes
            assert np.isfinite(report.logits).all()
            live = straight.schema.labels.keys()
            assert all(name in live for score in report.scores for name, _ in score.top)
            broken.learn(broken.encode(interactions))
            broken = restored(broken)
            assert broken.frozen_digest() == straight.frozen_digest()
    assert broken.state_digest() == straight.state_digest()
    assert broken.summary() == straight.summary()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ten_changes_in_a_row_are_taken_and_a_run_can_be_repeated(strategy: str) -> None:
    digests = set()
    for _ in range(2):
        learner = trained(strategy, 112, **SHAPE)
        for changes in SCRIPT:
            apply(learner, *changes)
        learn(learner, events(64, 8, 700, LABELS))
        digests.add(learner.state_digest())
    assert len(digests) == 1


@pytest.mark.parametrize("strategy", WARMING)
@pytest.mark.parametrize("change", [SCRIPT[0], [SCRIPT[0][0]], [SCRIPT[0][1]]], ids=["both", "input", "output"])
def test_what_a_warm_up_freezes_stands_still_and_something_else_moves(
    strategy: str, change: list[dict[str, Any]]
) -> None:
    learner = trained(strategy, 128, warmup=WarmupSettings(max_events=96, window_events=200), **SHAPE)
    assert apply(learner, *change).warmup_started
    frozen, weights = learner.frozen_digest(), digest(weight_entries(learner.network))
    for report in learn(learner, events(80, 4, 2000, LABELS)):
        assert report.phase == "warm_up"
        assert 0 < report.parameters_frozen < report.parameters
        assert learner.frozen_digest() == frozen
    assert digest(weight_entries(learner.network)) != weights, "nothing was trained at all"
    learn(learner, events(64, 4, 3000, LABELS))
    assert not learner.warmup.active


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_rename_moves_everything_and_changes_no_bit(strategy: str) -> None:
    learner = trained(strategy, 160, **SHAPE)
    probes = all_shown(events(20, 77, 5000))
    before = logits(learner, probes)
    report = apply(
        learner,
        {"op": "rename_feature", "name": "age", "to": "years"},
        {"op": "rename_feature", "name": "tags", "to": "words"},
        {"op": "rename_label", "name": "tea", "to": "chai"},
    )
    assert not report.warmup_started
    for probe in probes:
        probe.features["years"] = probe.features.pop("age")
        probe.features["words"] = probe.features.pop("tags")
    after = logits(learner, probes)
    assert after == {(event, "chai" if name == "tea" else name): value for (event, name), value in before.items()}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_order_of_names_in_a_version_shows_in_nothing_but_rounding(strategy: str) -> None:
    plain, shuffled = LearnerCore(settings(strategy, **SHAPE)), LearnerCore(settings(strategy, **SHAPE))
    apply(plain, *FEATURES, *OFFERS)
    apply(shuffled, *reversed(OFFERS), *reversed(FEATURES))
    one, two = _weights(plain), _weights(shuffled)
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)
    more = [feature("extra", "numeric"), feature("colour", "categorical"), label("jam", size="m"), label("x", tone="q")]
    for learner, changes in ((plain, more), (shuffled, more[::-1])):
        learn(learner, events(128, 3))
        apply(learner, *changes)
        learn(learner, events(32, 3, 900, LABELS))
    probes = all_shown(events(20, 77, 5000))
    assert distance(logits(plain, probes), logits(shuffled, probes)) <= 1e-4


@pytest.mark.parametrize("strategy", [*JOINED, *METHODS])
def test_a_strategy_says_how_many_parameters_it_has_and_what_it_does(strategy: str) -> None:
    learner = trained(strategy, 112, **SHAPE)
    assert learner.summary()["parameters"] > 0
    assert all(np.isfinite(value) for value in learner.strategy.figures().values())
    assert all(entry.sentence.endswith(".") for entry in parse_strategy(strategy))


def test_two_methods_of_one_seat_are_refused_with_the_reason() -> None:
    by_seat: dict[Seat, list[str]] = {}
    for entry in METHODS.values():
        by_seat.setdefault(entry.seat, []).append(entry.name)
    for names in by_seat.values():
        for one, other in pairwise(names):
            with pytest.raises(ConfigurationError, match=r"both decide .*Keep one"):
                parse_strategy(f"{one}+{other}")
    with pytest.raises(ConfigurationError, match="'carrot' is unknown"):
        parse_strategy("carrot")


def test_the_control_that_ignores_new_names_gives_a_new_offer_the_prior_and_reads_no_new_feature() -> None:
    learner = trained("never", 112, **SHAPE)
    apply(learner, *SCRIPT[0])
    probes = all_shown(events(8, 77, 5000))
    before = logits(learner, probes)
    learn(learner, events(64, 4, 2000, LABELS))
    after = logits(learner, probes)
    jam = {value for (_, name), value in after.items() if name == "jam"}
    assert jam == {value for (_, name), value in before.items() if name == "jam"}
    assert len(jam) == 1
    assert any(after[pair] != value for pair, value in before.items()), "the known offers did not go on learning"
    for probe in probes:
        probe.features["extra"] = 123.0
    assert logits(learner, probes) == after


def test_the_control_that_starts_from_scratch_forgets_all_but_the_names() -> None:
    learner = trained("scratch", 112, **SHAPE)
    apply(learner, *SCRIPT[0])
    fresh = LearnerCore(settings("carry", **SHAPE))
    apply(fresh, *FEATURES, SCRIPT[0][0], *OFFERS, SCRIPT[0][1])
    one, two = _weights(learner), _weights(fresh)
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_held_backbone_never_moves_again_while_the_head_and_new_inputs_do() -> None:
    learner = trained("tune-head", 96, **SHAPE)
    held = {name: value.copy() for name, value in _weights(learner).items() if name.startswith(("input/", "trunk/"))}
    for changes in SCRIPT[:2]:
        apply(learner, *changes)
        learn(learner, events(96, 4, 2000, LABELS))
    now = _weights(learner)
    moved = {name for name, value in held.items() if name in now and not np.array_equal(now[name], value)}
    assert moved == set()
    assert {"input/numeric/extra", "input/projection/feature colour"} <= now.keys()
    assert any(now["input/numeric/extra"] != 0)


def _weights(learner: LearnerCore) -> dict[str, Any]:
    return {name: value for name, value in weight_entries(learner.network) if isinstance(value, np.ndarray)}
