"""What should not matter: the unit of weights and inputs, what is added to an input, an outlier, the shape of tails."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from stream.bench.adaptation.stream import BenchStream
from stream.bench.floor.made import Made
from stream.records.interaction import Interaction

__all__ = ["UNITS", "Case", "plain"]

Floats = NDArray[np.float64]
Changed = Callable[[Floats], Floats]

_MADE: Final = Made(0.1, 10, 10, 1.5)
_RECOVERED_EVENTS: Final = 1_000
"""By when an outlier has to be forgotten."""
_AT: Final = 10
"""The event that has the outlier."""


@dataclass(frozen=True, slots=True)
class Case:
    """A changed stream beside the one that it is to be no worse than; both are made of the plain one.

    `inputs` and `weights` take one numeric input's values or the weights, in order, and so do `other_inputs` and
    `other_weights` for the one beside it.
    """

    name: str
    inputs: Changed | None = None
    weights: Changed | None = None
    other_inputs: Changed | None = None
    other_weights: Changed | None = None
    percent: float | None = 1.0
    """By how much its loss may be higher at most; None: nothing was promised."""
    after: int = 0
    """The events that do not count, if it is not the first fifth."""

    def pair(self, stream: BenchStream) -> tuple[BenchStream, BenchStream]:
        """Return the changed stream and the one beside it."""
        return (
            _changed(stream, self.inputs, self.weights),
            _changed(stream, self.other_inputs, self.other_weights),
        )


def plain(seed: int, share: float) -> BenchStream:
    """Return the stream that the cases change."""
    return replace(_MADE.stream(seed, share), name="plain")


def _changed(stream: BenchStream, inputs: Changed | None, weights: Changed | None) -> BenchStream:
    if inputs is None and weights is None:
        return stream
    items = [copy.copy(item) for item in stream.items]
    events = [item for item in items if isinstance(item, Interaction)]
    if weights is not None:
        for event, weight in zip(events, weights(np.ones(len(events))).tolist(), strict=True):
            event.weight = weight
    if inputs is not None:
        names = [name for name, value in events[0].features.items() if isinstance(value, float)]
        columns = {name: inputs(np.array([event.features[name] for event in events])).tolist() for name in names}
        for place, event in enumerate(events):
            event.features = {**event.features, **{name: columns[name][place] for name in names}}
    return replace(stream, items=list(items))


def _times(exponent: int) -> Changed:
    return lambda values: values * 10.0**exponent


def _outlier(size: float) -> Changed:
    def changed(values: Floats) -> Floats:
        values = values.copy()
        values[_AT] = size
        return values

    return changed


def _drawn(spread: float, *, over_mean: bool = False) -> Changed:
    def changed(values: Floats) -> Floats:
        drawn = np.random.default_rng(3).lognormal(0.0, spread, len(values))
        return drawn / drawn.mean() if over_mean else drawn

    return changed


def _some_heavy(*, over_mean: bool = False) -> Changed:
    def changed(values: Floats) -> Floats:
        drawn = np.where(np.random.default_rng(4).random(len(values)) < 0.01, 1000.0, 1.0)
        return drawn / drawn.mean() if over_mean else drawn

    return changed


def _three_huge(values: Floats) -> Floats:
    values = values.copy()
    values[[len(values) // 60, len(values) // 3, 2 * len(values) // 3]] = 1e300
    return values


def _cauchy(values: Floats) -> Floats:
    """Return what has a Cauchy's tails for values from a normal distribution, in the same order."""
    return np.asarray(np.tan(np.pi * (torch.special.ndtr(torch.from_numpy(values)).numpy() - 0.5)))


def _ranks(values: Floats) -> Floats:
    return np.argsort(np.argsort(values)).astype(float)


def _cases() -> Iterator[Case]:
    for exponent in (-12, -6, -3, 3, 6, 12):
        yield Case(f"weights times 1e{exponent}", weights=_times(exponent))
    for spread in (1.0, 2.0):
        over_mean = _drawn(spread, over_mean=True)
        yield Case(
            f"log-normal weights, sigma {spread:g}, against the same over their mean",
            weights=_drawn(spread),
            other_weights=over_mean,
        )
    yield Case(
        "one event in 100 at weight 1,000, against the same over their mean",
        weights=_some_heavy(),
        other_weights=_some_heavy(over_mean=True),
    )
    for exponent in (-12, -6, -3, 3, 6, 12):
        yield Case(f"inputs times 1e{exponent}", inputs=_times(exponent))
    yield Case("inputs plus 1,000", inputs=lambda values: values + 1e3)
    yield Case("inputs plus 1e9", inputs=lambda values: values + 1e9)
    yield Case("inputs times 1e9 plus 1.7e18", inputs=lambda values: 1e9 * values + 1.7e18)
    for size in (1e4, 1e300):
        yield Case(f"one outlier of {size:g} in each input", inputs=_outlier(size), after=_RECOVERED_EVENTS)
    yield Case("log-normal inputs, against their ranks", np.exp, other_inputs=_ranks, percent=2.0)
    yield Case("Cauchy inputs, against their ranks", _cauchy, other_inputs=_ranks, percent=2.0)
    yield Case("log-normal weights, sigma 1, against none", weights=_drawn(1.0), percent=None)
    yield Case("log-normal weights, sigma 2, against none", weights=_drawn(2.0), percent=None)
    yield Case("one event in 100 at weight 1,000, against none", weights=_some_heavy(), percent=None)
    yield Case("three events at weight 1e300, against none", weights=_three_huge, percent=None)


UNITS: Final = tuple(_cases())
