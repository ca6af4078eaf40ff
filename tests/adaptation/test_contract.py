"""What every strategy keeps to, whatever it is: the contract of all methods, and of some that are joined."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from stream.adaptation import METHODS, Seat, parse_strategy
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.testing import METHOD_CHECKS
from stream.testing.method import LABELS, SCRIPT, SHAPE, weights
from stream.testing.streams import FEATURES, OFFERS, all_shown, apply, events, learn, logits, settings, trained

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


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("check", METHOD_CHECKS, ids=lambda check: check.__name__)
def test_every_strategy_keeps_to_what_all_do(check: Callable[[str], None], strategy: str) -> None:
    check(strategy)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_says_what_it_does(strategy: str) -> None:
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
    one, two = weights(learner), weights(fresh)
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_held_backbone_never_moves_again_while_the_head_and_new_inputs_do() -> None:
    learner = trained("tune-head", 96, **SHAPE)
    held = {name: value.copy() for name, value in weights(learner).items() if name.startswith(("input/", "trunk/"))}
    for changes in SCRIPT[:2]:
        apply(learner, *changes)
        learn(learner, events(96, 4, 2000, LABELS))
    now = weights(learner)
    moved = {name for name, value in held.items() if name in now and not np.array_equal(now[name], value)}
    assert moved == set()
    assert {"input/numeric/extra", "input/projection/feature colour"} <= now.keys()
    assert any(now["input/numeric/extra"] != 0)
