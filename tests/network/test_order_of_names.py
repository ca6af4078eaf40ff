"""Initial values and digests belong to names: neither the order of arrival nor a slot shows in them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from stream.learner.core import LearnerCore
from stream.network.persistence import weight_entries
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    distance,
    events,
    feature,
    label,
    learn,
    logits,
    settings,
)

STRATEGIES = ("carry", "replace")


def _weights(learner: LearnerCore) -> dict[str, Any]:
    return {name: value for name, value in weight_entries(learner.network) if isinstance(value, np.ndarray)}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_names_within_a_version_changes_logits_by_rounding_only(strategy: str, seed: int) -> None:
    learners = [LearnerCore(settings(strategy)) for _ in range(2)]
    second = [
        feature("extra", "numeric"),
        feature("colour", "categorical"),
        label("jam", size="m"),
        label("x", tone="q"),
    ]
    rng = random.Random(seed)
    for learner in learners:
        for changes in ([*FEATURES, *OFFERS], second):
            mixed = list(changes)
            if learner is learners[1]:
                rng.shuffle(mixed)
            apply(learner, *mixed)
            if changes is second:
                break
            learn(learner, events(64, seed))
    one, two = map(_weights, learners)
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert np.allclose(value, two[name], rtol=1e-3, atol=1e-5), name
    probes = all_shown(events(20, 77, 5000))
    assert distance(logits(learners[0], probes), logits(learners[1], probes)) <= 1e-5


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equal_initial_values_and_digest_whatever_the_order_of_arrival(strategy: str) -> None:
    plain, shuffled = LearnerCore(settings(strategy)), LearnerCore(settings(strategy))
    apply(plain, *FEATURES, *OFFERS)
    apply(shuffled, *reversed(OFFERS), *reversed(FEATURES))
    one, two = _weights(plain), _weights(shuffled)
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_digest_does_not_see_in_which_slots_the_names_sit(strategy: str) -> None:
    """Both end with the same names and history; in the second, others sat in the lower slots when they came."""
    learners = []
    for dummy_first in (False, True):
        learner = LearnerCore(settings(strategy))
        dummy = [
            feature("d1", "numeric"),
            feature("d2", "categorical"),
            feature("d3", "boolean"),
            label("dummy", group="gone"),
        ]
        gone = [
            {"op": f"remove_{what}", "name": name}
            for what, name in (("feature", "d1"), ("feature", "d2"), ("feature", "d3"), ("label", "dummy"))
        ]
        if dummy_first:
            version = [*dummy, *FEATURES, label("only", group="g1"), *gone]
        else:
            version = [*FEATURES, label("only", group="g1"), *dummy, *gone]
        apply(learner, *version)
        stream = events(64, 3, labels=["only"])
        learn(learner, stream)
        learners.append(learner)
    one, two = learners
    slots = [learner.network.layout.features.slot("age") for learner in learners]
    assert slots[0] != slots[1]
    assert one.network.layout.offers.offers.slot("only") != two.network.layout.offers.offers.slot("only")
    first, second = (dict(learner.named_state()) for learner in learners)
    assert first.keys() == second.keys()
    exact = [name for name in first if name.startswith(("network/vocabulary", "network/counts", "network/keys"))]
    assert exact
    probes = all_shown(events(20, 77, 5000))
    assert distance(logits(one, probes), logits(two, probes)) <= 1e-5


def test_without_a_sum_to_round_the_state_digests_are_equal_across_slots() -> None:
    digests = set()
    for order in (
        [feature("a", "numeric"), feature("b", "categorical")],
        [feature("b", "categorical"), feature("a", "numeric")],
    ):
        learner = LearnerCore(settings())
        extra = [feature("d", "numeric"), feature("e", "categorical")]
        first = [*extra, *order] if order[0]["name"] == "a" else [*order, *extra]
        apply(learner, *first, label("o", group="g"), label("p", brand="q"))
        digests.add(str(sorted(name for name, _ in learner.named_state() if name.startswith("network/"))))
        digests.add(_initial_digest(learner))
    assert len(digests) == 2


def _initial_digest(learner: LearnerCore) -> str:
    from stream.network.persistence import named_entries
    from stream.state.digest import digest

    return digest(named_entries(learner.network))
