"""A restart may change what a schema change does, in any direction and at any time; nothing else of the strategy."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from stream.adaptation import METHODS, Seat
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.schema import Kind
from stream.state import decode, encode
from stream.testing.streams import FEATURES, OFFERS, all_shown, apply, events, feature, label, learn, logits, settings

CHANGES = tuple(name for name, entry in METHODS.items() if entry.seat is Seat.CHANGE)
LABELS = ("soap", "milk", "bread", "tea", "jam")


def left_by(strategy: str, events_after: int) -> LearnerCore:
    """Return a learner that was left so many events after a change of everything."""
    learner = LearnerCore(settings(strategy))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(96))
    apply(
        learner,
        feature("extra", "numeric"),
        feature("colour", "categorical"),
        {"op": "retype_feature", "name": "age", "kind": "categorical"},
        label("jam", group="g3"),
    )
    if events_after:
        learn(learner, events(events_after, first=96, labels=LABELS))
    return learner


def under(strategy: str, learner: LearnerCore) -> LearnerCore:
    """Return what a restart makes of a learner under another strategy."""
    wanted = dataclasses.replace(learner.settings, strategy=strategy)
    return LearnerCore.from_state(decode(encode(learner.state())), wanted)


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(CHANGES, 2)))
@pytest.mark.parametrize("events_after", [0, 16, 96])
def test_what_a_schema_change_does_may_be_another(before: str, after: str, events_after: int) -> None:
    learner = under(after, left_by(before, events_after))
    learn(learner, events(32, first=300, labels=LABELS))
    apply(
        learner,
        {"op": "rename_feature", "name": "extra", "to": "further"},
        {"op": "remove_feature", "name": "colour"},
        {"op": "retype_feature", "name": "age", "kind": "numeric"},
        {"op": "rename_label", "name": "jam", "to": "jelly"},
        {"op": "remove_label", "name": "milk"},
        {"op": "update_label", "name": "jelly", "attributes": {"group": "g1"}},
        feature("late", "multi_categorical"),
        label("rice", group="g2"),
    )
    learn(learner, events(64, first=400, labels=("soap", "bread", "tea", "jelly", "rice")))
    apply(learner, {"op": "remove_feature", "name": "further"}, {"op": "remove_feature", "name": "late"})
    learn(learner, events(32, first=500))
    assert learner.events_trained == 96 + events_after + 128
    if after in ("carry", "replace"):
        assert learner.warmup.started_total > 0
    else:
        assert not learner.warmup.active


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(CHANGES, 2)))
def test_a_restart_under_another_strategy_predicts_as_before(before: str, after: str) -> None:
    learner = left_by(before, 96)
    probes = all_shown(events(24, seed=7, first=900))
    old, new = logits(learner, probes), logits(under(after, learner), probes)
    ignored = {"jam"} if before == "never" else set()
    assert {pair: new[pair] for pair in old if pair[1] not in ignored} == pytest.approx(
        {pair: value for pair, value in old.items() if pair[1] not in ignored}, abs=1e-5
    )


def test_what_was_ignored_is_learned_once_the_strategy_does_not_ignore_it() -> None:
    learner = left_by("never", 64)
    assert "extra" not in learner.network.layout.features.kinds
    learner = under("carry", learner)
    assert learner.network.layout.features.kinds["extra"] is Kind.NUMERIC
    assert learner.network.layout.features.kinds["age"] is Kind.CATEGORICAL
    assert not learner.network.layout.muted.any()
    probes = events(24, seed=7, first=900)
    before = {pair: value for pair, value in logits(learner, all_shown(probes)).items() if pair[1] == "jam"}
    learn(learner, events(96, first=300, labels=LABELS))
    after = {pair: value for pair, value in logits(learner, all_shown(probes)).items() if pair[1] == "jam"}
    assert len(set(np.round(list(after.values()), 3))) > 1
    assert before != after


def test_a_warm_up_ends_where_the_strategy_has_none() -> None:
    learner = left_by("carry", 16)
    assert learner.warmup.active
    assert under("replace", learner).warmup.active
    ended = under("carry-unfrozen", learner)
    assert not ended.warmup.active
    assert not ended.network.any_fresh
    assert ended.report().phase == "train"


@pytest.mark.parametrize("after", ["carry+mlet", "bayes-output", "peterrec-serial", "glmix", "iak", "tune-head"])
def test_another_method_is_refused_with_a_sentence(after: str) -> None:
    with pytest.raises(ConfigurationError, match="only what a schema change does may change"):
        under(after, left_by("carry", 0))
