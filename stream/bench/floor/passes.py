"""One pass of a learner over a stream: what each expert, the mixture and the network alone lose, and calibration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.bench.adaptation.online import arm_settings
from stream.bench.adaptation.stream import BenchStream
from stream.learner.core import LearnerCore

__all__ = ["NETWORK", "TENTHS", "Pass", "pass_over"]

NETWORK: Final = "network"
"""The expert that is the network alone: what is published if the mixture is off."""
TENTHS: Final = 10
_FIRST_FIFTH: Final = 5
_POINTS: Final = 200
"""Of the mixture's weights over a pass, at most so many are kept."""

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Pass:
    """What came out; losses are in nats, summed over all pairs from the first event on."""

    stream: str
    seed: int
    events: int
    pairs: int
    taken: int
    published: float
    experts: dict[str, float]
    bound: float
    """By how many nats the proof allows the published loss to be above the best expert's."""
    late: dict[str, float]
    """Mean nats a pair over the last four fifths of the events, of what is published and of the network alone."""
    tenths: list[list[float]]
    """Of the pairs there, from the least likely tenth on: expected labels, labels, and the difference's error."""
    course: dict[str, list[float]] = field(default_factory=dict)
    """The events so far and each expert's weight then."""

    @property
    def best(self) -> str:
        """The expert that lost least."""
        return min(self.experts, key=self.experts.__getitem__)

    @property
    def excess(self) -> float:
        """By how many nats what is published lost more than the best expert."""
        return self.published - self.experts[self.best]

    @property
    def allowed(self) -> float:
        """Three thousandths of the best expert's loss and five nats."""
        return 0.003 * self.experts[self.best] + 5.0

    @property
    def network_excess(self) -> float:
        """How much more the network alone lost than the best of the other experts, as a share of that."""
        others = min(loss for name, loss in self.experts.items() if name != NETWORK)
        return self.experts[NETWORK] / others - 1.0

    @property
    def astray(self) -> int:
        """In how many tenths the labels were off by more than a tenth of those expected and two standard errors."""
        return sum(abs(found - expected) > max(0.1 * expected, 2.0 * error) for expected, found, error in self.tenths)


def pass_over(stream: BenchStream, seed: int, *, course: bool = False, after: int = 0) -> Pass:
    """Let a learner with the default settings pass over a stream.

    `late` begins after a fifth of the events, or after so many as `after` says.
    """
    settings = arm_settings(stream, {}, seed)
    learner = LearnerCore(settings)
    events = stream.events
    cut = after or events // _FIRST_FIFTH
    seen = pairs = 0
    every: list[tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.int64]]] = []
    points: list[list[float]] = []
    for versions, interactions in stream.batches(settings.batch_size):
        for version in versions:
            learner.apply(version)
        if not interactions:
            break
        batch = learner.encode(interactions)
        report = learner.learn(batch)
        event = batch.pair_event + seen
        late = event >= cut
        every.append((report.published[late], report.logits[late].astype(float), batch.taken[late], event[late]))
        seen, pairs = seen + len(batch), pairs + batch.pairs
        points.append([float(seen), *report.mixture.weights.values()])
    mixture = learner.report().mixture
    scores, logits, taken, event = (np.concatenate(part) for part in zip(*every, strict=True))
    names = list(mixture.loss_sums)
    return Pass(
        stream=stream.name,
        seed=seed,
        events=seen,
        pairs=pairs,
        taken=int(learner.network.counts.totals["taken"]),
        published=mixture.loss_sum,
        experts=dict(mixture.loss_sums),
        bound=mixture.regret_bound,
        late={"published": _nats(scores, taken), NETWORK: _nats(logits, taken)},
        tenths=_tenths(scores, taken, event),
        course=_course(points, names) if course else {},
    )


def _nats(scores: Floats, taken: NDArray[np.bool_]) -> float:
    return float((np.logaddexp(0.0, scores) - taken * scores).mean()) if len(scores) else 0.0


def _tenths(scores: Floats, taken: NDArray[np.bool_], event: NDArray[np.int64]) -> list[list[float]]:
    """Return expected labels, labels, and the standard error of their difference, by tenth of the pairs.

    The error is that of independent pairs or, if it is larger, that of independent events: who buys one thing may buy
    two.
    """
    chance = 1.0 / (1.0 + np.exp(-scores))
    found = []
    for tenth in np.array_split(np.argsort(scores, kind="stable"), TENTHS):
        if len(tenth):
            off = np.bincount(event[tenth] - event[0], taken[tenth] - chance[tenth])
            error = max(float((chance[tenth] * (1.0 - chance[tenth])).sum()), float((off**2).sum())) ** 0.5
            found.append([float(chance[tenth].sum()), float(taken[tenth].sum()), error])
    return found


def _course(points: list[list[float]], names: list[str]) -> dict[str, Any]:
    some = points[:: max(1, -(-len(points) // _POINTS))]
    return {
        "events": [int(point[0]) for point in some],
        **{name: [round(point[place + 1], 4) for point in some] for place, name in enumerate(names)},
    }
