"""What every method of adaptation keeps to, alone or joined with others, as checks on a strategy's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from stream.adaptation import parse_strategy
from stream.adaptation.transfer.settings import WarmupSettings
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

__all__ = [
    "LABELS",
    "METHOD_CHECKS",
    "SCRIPT",
    "SHAPE",
    "check_frozen_in_warm_up",
    "check_method",
    "check_order_of_names",
    "check_rename",
    "check_repeated",
    "check_restored",
    "weights",
]

SHAPE: Final[dict[str, Any]] = {"hidden": (12, 8)}
"""The network on which the checks run: two hidden widths, so that there is a matrix between them."""
LABELS: Final = ["soap", "milk", "bread", "tea", "jam", "leek", "x"]
SCRIPT: Final[list[list[dict[str, Any]]]] = [
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
"""Versions with every kind of change, down to no offer and no feature, and up again."""


def check_restored(strategy: str) -> None:
    """A learner that is restored after every batch is, to the last bit, the one that never was.

    A prediction changes nothing, and what is predicted is what is scored, but for the rounding of products of other
    shapes.
    """
    straight, broken = LearnerCore(settings(strategy, **SHAPE)), LearnerCore(settings(strategy, **SHAPE))
    stream = iter(events(1000, seed=5, labels=LABELS))
    for step, changes in enumerate([[*FEATURES, *OFFERS], *SCRIPT]):
        for learner in (straight, broken):
            apply(learner, *changes)
        for _ in range(8 if step == 0 else 3):
            assert broken.state_digest() == straight.state_digest(), f"another state after change {step}"
            interactions = [next(stream) for _ in range(16)]
            batch = straight.encode(interactions)
            state = straight.state_digest()
            predicted = straight.predict(batch).logits
            assert straight.state_digest() == state, "a prediction left a trace"
            first = int(batch.offsets[first_step(straight, 16)])
            report = straight.learn(batch)
            same = np.allclose(predicted[:first], report.logits[:first], rtol=1e-5, atol=1e-6)
            assert same, "what was predicted is not what was scored"
            assert np.isfinite(report.logits).all(), "a logit is no number"
            live = straight.schema.labels.keys()
            assert all(name in live for score in report.scores for name, _ in score.top), "an offer that is not live"
            broken.learn(broken.encode(interactions))
            broken = restored(broken)
            assert broken.frozen_digest() == straight.frozen_digest(), "what is frozen differs after a restore"
    assert broken.state_digest() == straight.state_digest(), "another state at the end"
    assert broken.summary() == straight.summary(), "another summary at the end"


def check_repeated(strategy: str) -> None:
    """Two runs over the same events and ten changes in a row give the same state, with figures that are numbers."""
    digests = set()
    for _ in range(2):
        learner = trained(strategy, 112, **SHAPE)
        for changes in SCRIPT:
            apply(learner, *changes)
        learn(learner, events(64, 8, 700, LABELS))
        digests.add(learner.state_digest())
        assert learner.summary()["parameters"] > 0, "no parameter is counted"
        assert all(np.isfinite(value) for value in learner.strategy.figures().values()), "a figure is no number"
    assert len(digests) == 1, "two runs over the same events differ"


def check_frozen_in_warm_up(strategy: str) -> None:
    """In a warm-up what is frozen stands still to the last bit, and something else moves.

    Nothing is asked of a strategy without a warm-up.
    """
    if parse_strategy(strategy)[0].name not in ("carry", "replace"):
        return
    for change in (SCRIPT[0], SCRIPT[0][:1], SCRIPT[0][1:]):
        learner = trained(strategy, 128, warmup=WarmupSettings(max_events=96, window_events=200), **SHAPE)
        assert apply(learner, *change).warmup_started, "no warm-up began"
        frozen, before = learner.frozen_digest(), digest(weight_entries(learner.network))
        for report in learn(learner, events(80, 4, 2000, LABELS)):
            assert report.phase == "warm_up", "the warm-up is over too early"
            assert 0 < report.parameters_frozen < report.parameters, "all or nothing is frozen"
            assert learner.frozen_digest() == frozen, "what is frozen has moved"
        assert digest(weight_entries(learner.network)) != before, "nothing was trained at all"
        learn(learner, events(64, 4, 3000, LABELS))
        assert not learner.warmup.active, "the warm-up does not end"


def check_rename(strategy: str) -> None:
    """A rename moves everything to the new name and changes no bit of a prediction."""
    learner = trained(strategy, 160, **SHAPE)
    probes = all_shown(events(20, 77, 5000))
    before = logits(learner, probes)
    report = apply(
        learner,
        {"op": "rename_feature", "name": "age", "to": "years"},
        {"op": "rename_feature", "name": "tags", "to": "words"},
        {"op": "rename_label", "name": "tea", "to": "chai"},
    )
    assert not report.warmup_started, "a rename leaves nothing new to warm up"
    for probe in probes:
        probe.features["years"] = probe.features.pop("age")
        probe.features["words"] = probe.features.pop("tags")
    wanted = {(event, "chai" if name == "tea" else name): value for (event, name), value in before.items()}
    assert logits(learner, probes) == wanted, "a rename has changed a prediction"


def check_order_of_names(strategy: str) -> None:
    """The order in which a version names things shows in no first weight, and later in nothing but rounding."""
    plain, shuffled = LearnerCore(settings(strategy, **SHAPE)), LearnerCore(settings(strategy, **SHAPE))
    apply(plain, *FEATURES, *OFFERS)
    apply(shuffled, *reversed(OFFERS), *reversed(FEATURES))
    one, two = weights(plain), weights(shuffled)
    assert one.keys() == two.keys(), "the order of names decides which weights there are"
    assert all(np.array_equal(one[name], two[name]) for name in one), "a first weight depends on the order of names"
    more = [feature("extra", "numeric"), feature("colour", "categorical"), label("jam", size="m"), label("x", tone="q")]
    for learner, changes in ((plain, more), (shuffled, more[::-1])):
        learn(learner, events(128, 3))
        apply(learner, *changes)
        learn(learner, events(32, 3, 900, LABELS))
    probes = all_shown(events(20, 77, 5000))
    assert distance(logits(plain, probes), logits(shuffled, probes)) <= 1e-4, "predictions depend on the order of names"


METHOD_CHECKS: Final[tuple[Callable[[str], None], ...]] = (
    check_restored,
    check_repeated,
    check_frozen_in_warm_up,
    check_rename,
    check_order_of_names,
)


def check_method(strategy: str) -> None:
    """Run every check on a strategy: the name of a method of the catalogue, or several joined by `+`."""
    for check in METHOD_CHECKS:
        check(strategy)


def weights(learner: LearnerCore) -> dict[str, Any]:
    """Return every weight and optimiser moment by name."""
    return {name: value for name, value in weight_entries(learner.network) if isinstance(value, np.ndarray)}
