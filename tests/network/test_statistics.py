"""Numeric inputs are read by rank: no unit, constant, tail or outlier matters; what is not resolved is counted."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from stream.learner.core import LearnerCore
from stream.network import statistics_kernels
from stream.network.statistics import RunningStatistics
from stream.records.interaction import Interaction
from stream.testing.streams import apply, events, feature, label, settings
from tests.network.plain_statistics import PlainStatistics

NOTHING_ROUNDED = np.zeros((64, 8), dtype=bool)


def seen(values: np.ndarray, batch: int = 64) -> tuple[RunningStatistics, np.ndarray]:
    """The statistics of column 0 after ``values`` ``(n,)``, and what these were read as."""
    statistics, slots, read = RunningStatistics(), np.array([0]), []
    for start in range(0, len(values), batch):
        column = np.zeros((len(values[start : start + batch]), 8))
        column[:, 0] = values[start : start + batch]
        scores, _ = statistics.standardise(column, slots)
        statistics.update(column, scores, slots)
        read.append(scores[:, 0])
    return statistics, np.concatenate(read)


def test_normal_scores_are_those_of_the_library() -> None:
    ranks = [*np.linspace(0.001, 0.999, 999), 1e-12, 1e-7, 1.0 - 1e-12, 0.5, 0.075, 0.925]
    found = [statistics_kernels.normal_score(rank) for rank in ranks]
    assert found == pytest.approx([NormalDist().inv_cdf(rank) for rank in ranks], rel=1e-14, abs=1e-15)


@given_settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 7, 64, 300]), st.sampled_from(["normal", "few", "wide", "gone"]))
def test_columns_are_those_of_the_plain_passes(seed: int, events: int, kind: str) -> None:
    draw = np.random.default_rng(seed)
    ours, plain = RunningStatistics(), PlainStatistics()
    slots = np.array([0, 2, 3, 5])
    for _ in range(8):
        values = draw.standard_normal((events, 8))
        if kind == "few":
            values = np.floor(2 * values)
        if kind == "wide":
            values = np.exp(20 * values)
        values[draw.random(values.shape) < (0.9 if kind == "gone" else 0.1)] = np.nan
        read, absent = ours.standardise(values, slots)
        other, other_absent = plain.standardise(values, slots)
        assert read == pytest.approx(other, abs=1e-6)
        assert absent.tolist() == other_absent.tolist()
        rounded = draw.random(values.shape) < 0.5
        assert ours.unresolved(values, rounded, slots) == plain.unresolved(values, rounded, slots)
        ours.update(values, read, slots)
        plain.update(values, read, slots)
        for name in ("points", "weights", "count", "mean", "m2", "missing"):
            assert getattr(ours, name) == pytest.approx(getattr(plain, name), rel=1e-9, abs=1e-7), name
        assert ours.normal_scores() == pytest.approx(plain.normal_scores(), abs=1e-9)


def draws(number: int = 6000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(number)


def test_normal_inputs_pass_as_they_are() -> None:
    values = draws()
    _, read = seen(values)
    inside = np.abs(values[1000:]) < 2.0
    assert np.abs(read[1000:] - values[1000:])[inside].max() < 0.2
    assert np.corrcoef(read[1000:], values[1000:])[0, 1] > 0.998


@pytest.mark.parametrize("power", range(-12, 13, 3))
@pytest.mark.parametrize("constant", [0.0, 1.0, -1e6])
def test_units_and_constants_do_not_matter(power: int, constant: float) -> None:
    values = draws()
    _, plain = seen(values)
    _, moved = seen((values + constant) * 10.0**power)
    assert np.abs(moved - plain).max() < 1e-3


@pytest.mark.parametrize(
    "tail", [np.exp, lambda x: np.exp(3 * x), np.sinh, lambda x: np.sign(x) * np.abs(x) ** 9, lambda x: -np.exp(-x)]
)
def test_tails_are_read_as_their_ranks_are(tail: object) -> None:
    values = draws()
    _, plain = seen(values)
    _, bent = seen(tail(values))  # type: ignore[operator]
    assert np.abs(bent[1000:] - plain[1000:]).mean() < 0.04


@pytest.mark.parametrize("size", [1e4, 1e18, 1e300, -1.7e308])
@pytest.mark.parametrize("place", [0, 10, 700])
def test_an_outlier_of_any_size_is_worth_one_event(size: float, place: int) -> None:
    values = draws()
    spoiled = values.copy()
    spoiled[place] = size
    _, plain = seen(values)
    _, read = seen(spoiled)
    assert np.isfinite(read).all()
    assert np.abs(read[place + 1000 :] - plain[place + 1000 :]).mean() < 0.01


def test_what_is_now_and_then_another_value_is_told_apart_and_so_is_every_size_of_it() -> None:
    generator = np.random.default_rng(1)
    values = (generator.random(4000) < 0.03) * np.exp(generator.standard_normal(4000))
    _, read = seen(values)
    late = slice(2000, None)
    assert np.abs(read[late][values[late] == 0]).max() < 0.1
    positive = values[late] > 0
    assert read[late][positive].min() > 1.0
    assert (
        np.corrcoef(np.argsort(np.argsort(read[late][positive])), np.argsort(np.argsort(values[late][positive])))[0, 1]
        > 0.95
    )


def test_a_constant_reads_as_zero_to_the_last_bit() -> None:
    for constant in (0.0, 0.1, 1786521216043006000.0, -3e307):
        statistics, read = seen(np.full(1000, constant))
        assert not read.any()
        assert statistics.unresolved(np.full((64, 8), constant), NOTHING_ROUNDED, np.array([0])) == 0


@given_settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=300), st.integers(1, 64))
def test_any_values_leave_ascending_points_and_finite_monotone_scores(values: list[float], batch: int) -> None:
    column = np.array(values)
    statistics, read = seen(column, batch)
    assert np.isfinite(read).all()
    points, weights = statistics.points[0], statistics.weights[0]
    assert np.isfinite(points).all()
    assert (points[1:] >= points[:-1]).all()
    present = column[~np.isnan(column)]
    assert weights.sum() == pytest.approx(len(present), rel=0.02)
    assert statistics.count[0] == len(present)
    asked = np.zeros((len(values), 8))
    asked[:, 0] = np.sort(column)
    scores = statistics.standardise(asked, np.array([0]))[0][: len(present), 0]
    assert (np.diff(scores) >= -1e-6).all()
    if len(present):
        assert points[0] >= present.min()
        assert points[-1] <= present.max()


def test_it_follows_a_unit_that_changes() -> None:
    values = draws(40_000)
    _, plain = seen(values)
    moved = values.copy()
    moved[20_000:] *= 1000.0
    statistics, read = seen(moved)
    assert np.abs(read[-5000:]).mean() == pytest.approx(np.abs(plain[-5000:]).mean(), rel=0.5)
    assert statistics.count[0] == 40_000


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        (lambda index: 1786521216043006000 + index * 10**15, True),  # epoch nanoseconds
        (lambda index: 1786521216043006000 + index * 10**4, True),
        (lambda index: 1786521216043006000 + index % 5, False),  # all read as one number
        (lambda index: 1e18 + 128.0 * (index % 3), False),  # two steps of float64
        (lambda index: 2**60, True),  # a constant that is held exactly
        (lambda index: 7, True),
        (lambda index: 0.1 + 1e-15 * (index % 50), True),
    ],
)
def test_values_that_float64_cannot_tell_apart_are_counted(value: object, resolved: bool) -> None:
    learner = LearnerCore(settings())
    apply(learner, feature("at", "numeric"), feature("x", "numeric"), label("a"))

    def one(index: int) -> Interaction:
        features = {"at": value(index), "x": float(index)} if index % 8 else {"x": 1.0}  # type: ignore[operator]
        return Interaction(f"e{index}", "k", index, features, (), None, None, 1.0)

    reports = [learner.learn(learner.encode([one(first + i) for i in range(64)])) for first in (0, 64)]
    assert [report.unresolved_values for report in reports] == ([0, 0] if resolved else [56, 56])
    statistics = learner.network.statistics
    slot = learner.network.layout.features.slot("at")
    if resolved and value(0) != value(1):  # type: ignore[operator]
        assert statistics.m2[slot] > 0


def test_epoch_nanoseconds_teach_what_their_seconds_do() -> None:
    losses = []
    for scale in (1, 10**9):
        learner = LearnerCore(settings())
        apply(learner, feature("at", "numeric"), *(label(name) for name in ("soap", "milk", "bread", "tea")))
        total = 0.0
        for start in range(0, 1920, 64):
            batch = events(64, first=start)
            for number, event in enumerate(batch):
                moment = 1_786_521_216 + (start + number) * 7919 % 86_400
                event.features = {"at": moment * scale}
                event.labels = ("soap",) if moment % 86_400 < 43_200 else ()
                event.shown, event.key = ("soap",), "k"
            report = learner.learn(learner.encode(batch))
            total += report.loss * (start >= 960)
        losses.append(total)
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
