"""When a warm-up starts, joins and ends: never longer than its bounds, never more than its share of the events."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from stream.adaptation.transfer.settings import WarmupSettings
from stream.adaptation.transfer.warmup import Warmup
from stream.learner.core import LearnerCore
from stream.testing.streams import FEATURES, OFFERS, apply, events, feature, label, learn, settings, trained

STRATEGIES = ("carry", "replace")


@given_settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 60),
    st.sampled_from([0.0, 0.1, 0.2, 1.0]),
    st.integers(20, 200),
    st.integers(0, 10**6),
)
def test_no_window_of_events_holds_more_frozen_ones_than_the_budget(
    batch: int, bound: int, share: float, window: int, seed: int
) -> None:
    rng = random.Random(seed)
    warmup = Warmup(WarmupSettings(max_events=bound, window_events=4, budget_share=share, budget_events=window))
    frozen: list[bool] = []
    in_this = 0
    for _ in range(60):
        if rng.random() < 0.4:
            if warmup.active:
                warmup.join()
            elif warmup.start(len(frozen), batch):
                in_this = 0
        size = rng.randint(1, batch)
        if warmup.active and warmup.ends_before(len(frozen), size) is not None:
            warmup.end()
        if warmup.active:
            in_this += size
            assert in_this <= 2 * bound
            if warmup.trained(len(frozen), size, [rng.random() for _ in range(size)]):
                warmup.end()
            frozen += [True] * size
        else:
            frozen += [False] * size
    assert warmup.events_frozen_total == sum(frozen)
    for start in range(max(1, len(frozen) - window + 1)):
        assert sum(frozen[start : start + window]) <= share * window


def test_a_warm_up_ends_once_the_loss_has_flattened_and_not_before() -> None:
    warmup = Warmup(WarmupSettings(max_events=10_000, window_events=10, tolerance=0.01))
    assert warmup.start(0, 10)
    assert [warmup.trained(10 * step, 10, [1.0 - 0.1 * step] * 10) for step in range(4)] == [None] * 4
    assert warmup.trained(40, 10, [0.6995] * 10) == "flattened"


def test_a_warm_up_ends_too_when_the_loss_rises() -> None:
    warmup = Warmup(WarmupSettings(max_events=10_000, window_events=10, tolerance=0.01))
    assert warmup.start(0, 10)
    assert warmup.trained(0, 10, [0.5] * 10) is None
    assert warmup.trained(10, 10, [0.9] * 10) == "flattened"


def test_a_join_stretches_the_bound_but_never_beyond_two() -> None:
    warmup = Warmup(WarmupSettings(max_events=100, window_events=100))
    assert warmup.start(0, 10)
    now = 0
    while warmup.ends_before(now, 10) is None:
        warmup.trained(now, 10, [])
        now += 10
        warmup.join()
    assert now == 200


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_budget_ends_a_warm_up_and_then_starts_none(strategy: str) -> None:
    bounds = WarmupSettings(max_events=64, window_events=100, budget_share=0.2, budget_events=400)
    learner = trained(strategy, warmup=bounds)
    frozen: list[bool] = []
    for step in range(12):
        apply(learner, feature(f"f{step}", "numeric"))
        frozen += [report.phase == "warm_up" for report in learn(learner, events(96, 1, 1000 + 96 * step))]
    spent = [16 * sum(frozen[start : start + 25]) for start in range(len(frozen) - 24)]
    assert max(spent) == 80, "a fifth of 400"
    assert learner.summary()["events_frozen"] == 16 * sum(frozen)
    assert learner.summary()["warmups"] < 12


NOTHING_NEW: dict[str, list[dict[str, Any]]] = {
    "rename": [{"op": "rename_feature", "name": "price", "to": "p"}, {"op": "rename_label", "name": "tea", "to": "t"}],
    "update_label": [{"op": "update_label", "name": "tea", "attributes": {"group": "entirely-new"}}],
}
NOTHING_NEW_UNDER_CARRY = {
    "removal": [{"op": "remove_feature", "name": "price"}, {"op": "remove_label", "name": "tea"}],
    "added and removed": [
        feature("x", "categorical"),
        {"op": "rename_feature", "name": "x", "to": "y"},
        {"op": "remove_feature", "name": "y"},
        label("z", group="g8"),
        {"op": "remove_label", "name": "z"},
    ],
}


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [(strategy, changes) for strategy in STRATEGIES for changes in NOTHING_NEW.values()]
    + [("carry", changes) for changes in NOTHING_NEW_UNDER_CARRY.values()],
)
def test_a_change_that_leaves_nothing_new_starts_and_joins_no_warm_up(
    strategy: str, changes: list[dict[str, Any]]
) -> None:
    learner = trained(strategy, warmup=WarmupSettings(max_events=64, window_events=100))
    report = apply(learner, *changes)
    assert not report.warmup_started
    assert not report.warmup_joined
    assert learn(learner, events(16, 3, 900))[0].phase == "train"
    assert learner.summary()["warmups"] == 0
    running = trained(strategy, warmup=WarmupSettings(max_events=64, window_events=100))
    apply(running, feature("new", "numeric"), label("new"))
    learn(running, events(32, 3, 900))
    assert not apply(running, *changes).warmup_joined
    phases = [report.phase for report in learn(running, events(64, 3, 950))]
    assert phases == ["warm_up", "warm_up", "train", "train"], "the bound was stretched"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_version_that_creates_the_network_starts_none(strategy: str) -> None:
    learner = LearnerCore(settings(strategy))
    assert not apply(learner, *FEATURES, *OFFERS).warmup_started
    assert learn(learner, events(16))[0].phase == "train"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_change_joins_a_running_warm_up_which_is_counted_once(strategy: str) -> None:
    learner = trained(strategy, warmup=WarmupSettings(max_events=64, window_events=100))
    assert apply(learner, feature("x", "numeric")).warmup_started
    reports = learn(learner, events(48, 2, 900))
    report = apply(learner, feature("y", "numeric"), label("z"))
    assert report.warmup_joined
    assert not report.warmup_started
    reports += learn(learner, events(160, 2, 950))
    assert sum(report.phase == "warm_up" for report in reports) * 16 == 112
    ended = [report.warmup_ended for report in reports if report.warmup_ended]
    assert [(one.events, one.reason) for one in ended] == [(112, "bound")]
    assert learner.summary()["warmups"] == 1


def test_under_replace_a_change_that_joins_makes_only_its_own_names_fresh() -> None:
    learner = trained("replace", warmup=WarmupSettings(max_events=64, window_events=100))
    apply(learner, feature("x", "numeric"))
    learn(learner, events(32, 2, 900))
    network = learner.network
    age, output = (
        network.input.numeric.named_row(network.layout.features.slot("age")),
        network.output.offer.weight.clone(),
    )
    apply(learner, feature("y", "numeric"), {"op": "update_label", "name": "tea", "attributes": {"group": "new"}})
    assert (network.input.numeric.named_row(network.layout.features.slot("age")) == age).all()
    apply(learner, label("z"))
    assert (network.input.numeric.named_row(network.layout.features.slot("age")) == age).all()
    assert float(output.abs().sum()) > 0
    assert float(network.output.offer.weight.abs().sum()) == 0.0, "the other layer is replaced as a whole"


def test_a_warm_up_whose_cause_has_left_ends() -> None:
    learner = trained("carry", warmup=WarmupSettings(max_events=64, window_events=100))
    apply(learner, label("x"))
    learn(learner, events(16, 2, 900))
    apply(learner, {"op": "remove_label", "name": "x"})
    report = learn(learner, events(16, 2, 950))[0]
    assert report.phase == "train"
    assert report.warmup_ended.reason == "removed"


@pytest.mark.parametrize("strategy", ["carry-unfrozen", "replace-unfrozen", "scratch", "never"])
def test_a_strategy_without_a_warm_up_freezes_nothing(strategy: str) -> None:
    learner = trained(strategy)
    assert not apply(learner, feature("x", "numeric")).warmup_started
    report = learn(learner, events(16, 2, 900))[0]
    assert report.phase == "train"
    assert report.parameters_frozen == 0
