"""The quality gate: a candidate and the version that is served score the newest events side by side.

Both have been trained on these events, or nearly so: what is compared is not how well they predict what is to come, but
whether the candidate has become worse than what is served on the same pairs. What it is there for is a model that was
broken between two versions, or restored from the wrong place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stream.publish.snapshot import Snapshot
from stream.records.interaction import Interaction

__all__ = ["Bounds", "Scored", "Scores", "Verdict", "compare"]


@dataclass(frozen=True, slots=True)
class Scored:
    """What a version says of events, for each offer that an event could have taken, or took.

    Attributes:
        names: the offers' names.
        offsets: `(events + 1,)` where each event's pairs begin.
        offer: `(pairs,)` the offer of each pair, a place in `names`.
        log_odds: `(pairs,)` of the published probability.
    """

    names: Sequence[str]
    offsets: npt.NDArray[np.int64]
    offer: npt.NDArray[np.int64]
    log_odds: npt.NDArray[np.float64]


Scores = Callable[[Snapshot, Sequence[Interaction]], Scored]
"""Scores events with a version, without training; labels are not looked at but for which pairs there are."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much worse a candidate may be.

    Attributes:
        loss: share by which its loss may be larger.
        calibration: by how much more its takes promised may be off those that came, as a difference of logarithms.
        events: the fewest events that say anything; with fewer it is let through.
        window: share by which the windowed loss may be larger than it was at the served full version.
    """

    loss: float
    calibration: float
    events: int
    window: float = math.inf


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it.

    Attributes:
        passed: whether the candidate may be served.
        sentence: why, or why not.
        events, pairs: on which both were compared; pairs of offers that only one of them has are left out.
        loss, serving_loss: mean binary cross-entropy in nats a pair; None if nothing was compared.
        promised, serving_promised: takes promised for each one that came; None too if none came.
    """

    passed: bool
    sentence: str
    events: int = 0
    pairs: int = 0
    loss: float | None = None
    serving_loss: float | None = None
    promised: float | None = None
    serving_promised: float | None = None

    def as_members(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def compare(candidate: Scored, serving: Scored, interactions: Sequence[Interaction], bounds: Bounds) -> Verdict:
    """Compare two versions on the pairs that both have."""
    if not np.isfinite(candidate.log_odds).all():
        return Verdict(False, "a score of the candidate is not a finite number")
    places = {name: place for place, name in enumerate(candidate.names)}
    width = len(candidate.names)
    known = np.array([places.get(name, -1) for name in serving.names], dtype=np.int64)
    offer = known[serving.offer] if len(known) else serving.offer
    own = _keys(candidate.offsets, candidate.offer, width)
    other = np.where(offer >= 0, _keys(serving.offsets, offer, width), -1)
    both, at, other_at = np.intersect1d(own, other, assume_unique=False, return_indices=True)
    events = len(np.unique(both // width)) if len(both) else 0
    if events < bounds.events:
        return Verdict(True, f"only {events} events could be compared, of {bounds.events} that it takes", events)
    labels = [
        event * width + places[label]
        for event, interaction in enumerate(interactions)
        for label in set(interaction.labels)
        if label in places
    ]
    taken = np.isin(both, np.array(labels, dtype=np.int64))
    loss, promised = _measures(candidate.log_odds[at], taken)
    serving_loss, serving_promised = _measures(serving.log_odds[other_at], taken)
    passed, sentence = _judge(loss, serving_loss, promised, serving_promised, bounds, events)
    return Verdict(passed, sentence, events, len(both), loss, serving_loss, promised, serving_promised)


def _keys(offsets: npt.NDArray[np.int64], offer: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)) * width + offer


def _measures(log_odds: npt.NDArray[np.float64], taken: npt.NDArray[np.bool_]) -> tuple[float, float | None]:
    loss = float(np.mean(np.logaddexp(0.0, log_odds) - log_odds * taken))
    came = int(taken.sum())
    return loss, float(np.sum(0.5 * (1.0 + np.tanh(0.5 * log_odds)))) / came if came else None


def _judge(
    loss: float,
    serving_loss: float,
    promised: float | None,
    serving_promised: float | None,
    bounds: Bounds,
    events: int,
) -> tuple[bool, str]:
    over = f"over the newest {events:,} events"
    more = loss / serving_loss - 1.0 if serving_loss > 0 else math.inf if loss > 0 else 0.0
    if more > bounds.loss:
        return False, (
            f"{over} its loss is {loss:.5f} nats a pair and that of the serving version {serving_loss:.5f}: "
            f"{more:.1%} more, and the bound is {bounds.loss:.1%}"
        )
    if promised and serving_promised:
        worse = abs(math.log(promised)) - abs(math.log(serving_promised))
        if worse > bounds.calibration:
            return False, (
                f"{over} it promises {promised:.3f} takes for each one that came and the serving version "
                f"{serving_promised:.3f}: that is off by {worse:.3f} more, and the bound is {bounds.calibration:g}"
            )
    return True, f"{over} its loss is {loss:.5f} nats a pair, and that of the serving version {serving_loss:.5f}"
