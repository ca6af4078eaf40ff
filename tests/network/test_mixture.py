"""The mixture loses little to the best expert, whatever they say and whatever comes; the bound is the theory's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream.network.mixture import Mixture

CHANCES = st.floats(1e-9, 1.0 - 1e-9)
LEAN = given_settings(max_examples=150, deadline=None)


def loss(chance: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Nats of each pair."""
    return -np.log(np.where(taken, chance, 1.0 - chance))


def played(rounds: list[tuple[np.ndarray, np.ndarray]], number: int) -> tuple[Mixture, np.ndarray, np.ndarray]:
    """A mixture after rounds of ``(chances (N, P), taken (P,))``; its loss by round, and the experts' ``(T, N)``."""
    mixture, own, theirs = Mixture(tuple(f"e{i}" for i in range(number))), [], []
    for chances, taken in rounds:
        mixed = float(loss(mixture.weights @ chances, taken).sum())
        losses = loss(chances, taken).sum(1)
        own.append(mixed)
        theirs.append(losses)
        mixture.update(losses, mixed, len(taken))
    return mixture, np.array(own), np.array(theirs)


@LEAN
@given(
    st.integers(2, 8).flatmap(
        lambda n: st.lists(st.tuples(arrays(float, (n, 1), elements=CHANCES), st.booleans()), min_size=1, max_size=60)
    )
)
def test_pair_by_pair_it_loses_no_more_than_the_logarithms(game: list[Any]) -> None:
    number = len(game[0][0])
    mixture, own, theirs = played([(chances, np.array([taken])) for chances, taken in game], number)
    bound = math.log(number) + math.log(len(game) + 1)
    assert own.sum() <= theirs.sum(0).min() + bound + 1e-6
    assert mixture.regret_bound == pytest.approx(bound, abs=1e-6)
    assert mixture.rate == pytest.approx(1.0, abs=1e-6)
    assert mixture.loss_sum == pytest.approx(own.sum())
    assert mixture.loss_sums == pytest.approx(theirs.sum(0))


@LEAN
@given(st.data())
def test_rounds_of_many_pairs_keep_the_bound_that_is_measured_on_the_way(data: st.DataObject) -> None:
    number, pairs = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 30))
    rounds = [
        (
            data.draw(arrays(float, (number, pairs), elements=CHANCES)),
            data.draw(arrays(bool, (pairs,))),
        )
        for _ in range(data.draw(st.integers(1, 25)))
    ]
    mixture, own, theirs = played(rounds, number)
    assert own.sum() <= theirs.sum(0).min() + mixture.regret_bound + 1e-6
    assert mixture.weights.sum() == pytest.approx(1.0)
    assert (mixture.weights > 0.0).all()


@LEAN
@given(st.integers(0, 2**32), st.integers(2, 6), st.integers(1, 5))
def test_it_tracks_the_best_expert_of_each_spell(seed: int, number: int, spells: int) -> None:
    generator = np.random.default_rng(seed)
    rounds = []
    for spell in range(spells):
        for _ in range(200):
            taken = generator.random(1) < 0.5
            chances = generator.uniform(0.02, 0.98, (number, 1))
            chances[spell % number] = np.where(taken, 0.9, 0.1)
            rounds.append((chances, taken))
    _, own, theirs = played(rounds, number)
    by_spell = theirs.reshape(spells, 200, number).sum(1).min(1).sum()
    total = len(rounds)
    # Herbster and Warmuth's: each switch pays the share of its round, and staying the logarithm of the rounds.
    bound = math.log(number) + math.log(total + 1) + (spells - 1) * math.log(number * (total + 1))
    assert own.sum() <= by_spell + bound


@pytest.mark.parametrize("pairs", [1, 30, 2000])
def test_experts_that_take_turns_at_being_wrong_cannot_lead_it_far(pairs: int) -> None:
    """The follower of the leader would be wrong in every round."""
    rounds = []
    for turn in range(400):
        taken = np.zeros(pairs, dtype=bool)
        chances = np.full((2, pairs), 0.1)
        chances[turn % 2] = 0.4
        rounds.append((chances, taken))
    mixture, own, theirs = played(rounds, 2)
    best, spread = theirs.sum(0).min(), float(theirs.max() - theirs.min())
    assert own.sum() <= best + mixture.regret_bound
    # AdaHedge's own bound, in the range of a round's loss, beside what the shares cost at that rate.
    assert own.sum() - best <= spread * (math.sqrt(400 * math.log(2)) + 16 / 3 * math.log(2) + 2) + mixture.shared_nats


def test_an_expert_that_becomes_the_best_takes_over_and_gives_way_again() -> None:
    rng = np.random.default_rng(3)
    mixture = Mixture(("steady", "late"))
    for phase, rate in ((0, 0.02), (1, 0.3), (2, 0.02)):
        for _ in range(300):
            taken = rng.random(64) < rate
            chances = np.array([np.full(64, 0.02), np.full(64, 0.3)])
            own = float(loss(mixture.weights @ chances, taken).sum())
            mixture.update(loss(chances, taken).sum(1), own, 64)
        assert mixture.weights[phase % 2] > 0.95


def test_a_single_round_that_surprises_all_slows_it_by_half_at_most() -> None:
    """Such a round is a jump of the rate: the expert that was right has to take over with it, not rounds later."""
    mixture = Mixture(("wrong", "right"))
    for _ in range(50):
        mixture.update(np.array([20.0, 20.5]), 20.0, 64)
    mixture.update(np.array([500.0, 100.0]), 500.0, 2000)
    assert mixture.gap_nats > 300.0
    assert mixture.rate >= 0.45
    assert mixture.weights[1] > 0.9


def test_it_comes_back_from_its_state_and_goes_on_the_same() -> None:
    mixture = Mixture(("a", "b", "c"))
    for step in range(20):
        mixture.update(np.array([1.0 + step % 3, 5.0, 40.0 * (step % 2)]), 3.0, 7)
    again = Mixture(("a", "b", "c"))
    again.restore(mixture.state())
    for each in (mixture, again):
        each.update(np.array([1.0, 2.0, 0.5]), 1.0, 7)
    assert again.state() == mixture.state()
