"""A weight is relative to the running mean of the weights seen, whatever its unit; one beyond a bound moves little."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from stream.learner.core import LearnerCore
from stream.network.weights import LARGEST_RELATIVE_WEIGHT, RelativeWeights
from stream.records.interaction import Interaction
from stream.testing.streams import FEATURES, OFFERS, apply, events, learn, restored, settings

FINITE = st.floats(0.0, 1e308, allow_nan=False)


@given_settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.floats(1.0, 5.0), min_size=1, max_size=9), min_size=1, max_size=9), st.integers(-12, 12))
def test_weights_within_the_bound_are_divided_by_their_running_mean(steps: list[list[float]], power: int) -> None:
    weights, seen = RelativeWeights(), np.zeros(0)
    for step in steps:
        own = np.array(step) * 10.0**power
        seen = np.append(seen, own)
        assert weights.of(own, seen=True) == pytest.approx(own / seen.mean(), rel=1e-6)
    assert weights.mean == pytest.approx(seen.mean(), rel=1e-12)
    assert weights.events == len(seen)


@given_settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(FINITE, min_size=1, max_size=40), min_size=1, max_size=5))
def test_any_weights_are_finite_bounded_and_in_the_order_of_their_sizes(steps: list[list[float]]) -> None:
    weights = RelativeWeights()
    for step in steps:
        own = np.array(step)
        relative = weights.of(own, seen=True)
        assert np.isfinite(relative).all()
        assert (relative >= 0.0).all()
        assert (relative <= LARGEST_RELATIVE_WEIGHT).all()
        assert (np.diff(relative[np.argsort(own, kind="stable")]) >= 0.0).all()
        assert math.isfinite(weights.mean)


def test_while_all_weights_were_zero_the_mean_is_one_and_replayed_events_do_not_move_it() -> None:
    weights = RelativeWeights()
    assert weights.of(np.zeros(10), seen=True).tolist() == [0.0] * 10
    assert weights.of(np.array([2.0]), seen=False).tolist() == [2.0]
    assert weights.of(np.array([3.0, 3.0]), seen=True) == pytest.approx([6.0, 6.0])
    before = weights.state()
    weights.of(np.array([100.0]), seen=False)
    assert weights.state() == before


@pytest.mark.parametrize("size", [1e3, 1e18, 1e300])
def test_a_heavy_weight_among_a_hundred_leaves_the_others_what_they_were(size: float) -> None:
    weights = RelativeWeights()
    first = np.ones(100)
    first[7] = size
    relative = weights.of(first, seen=True)
    assert relative[7] == LARGEST_RELATIVE_WEIGHT
    assert relative[8] == pytest.approx(1.0, rel=0.1)


def weighted(factor: float, heavy: dict[int, float] | None = None, number: int = 320) -> LearnerCore:
    learner = LearnerCore(settings())
    apply(learner, *FEATURES, *OFFERS)
    stream = events(number)
    for index, event in enumerate(stream):
        event.weight = (heavy or {}).get(index, event.weight) * factor
    learn(learner, stream)
    return learner


def logits(learner: LearnerCore) -> np.ndarray:
    probe: list[Interaction] = events(40, 9)
    return learner.predict(learner.encode(probe)).logits


@pytest.mark.parametrize("power", [-300, -12, -3, 3, 12, 300])
def test_the_unit_of_weights_does_not_matter(power: int) -> None:
    assert logits(weighted(10.0**power)) == pytest.approx(logits(weighted(1.0)), abs=2e-3)
    assert logits(weighted(2.0**power)).tolist() == logits(weighted(1.0)).tolist()


@pytest.mark.parametrize("strategy", ["carry", "bayes-output", "glmix", "bayes-network", "iak"])
def test_three_weights_of_1e300_do_no_harm(strategy: str) -> None:
    losses = []
    for heavy in (1.0, 1e300):
        learner = LearnerCore(settings(strategy))
        apply(learner, *FEATURES, *OFFERS)
        stream = events(1000)
        for index, event in enumerate(stream):
            event.weight = heavy if index in (30, 500, 501) else 1.0
        losses.append(sum(report.loss * report.pairs for report in learn(learner, stream)))
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_the_mean_is_in_the_checkpoint_and_in_the_digest() -> None:
    learner = weighted(3.0)
    again = restored(learner)
    assert again.network.weights.state() == learner.network.weights.state()
    assert learner.network.weights.events == 320
    digest = again.state_digest()
    again.network.weights.mean *= 2
    assert again.state_digest() != digest


def test_events_without_pairs_are_seen_too() -> None:
    learner = LearnerCore(settings())
    apply(learner, *FEATURES)
    learn(learner, events(32, labels=()))
    assert learner.network.weights.events == 32
