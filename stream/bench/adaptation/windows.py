"""Losses around a schema change: where a change stands, when the loss is back, and how steadily it came down.

A *reference* is a loss of the same events by something better: the truth of a synthetic stream, or the oracle. What
both have in common (the chance of the labels, offers that are easy or hard) falls out of the difference. Without one
the loss itself is compared, and a stream that grows harder looks like a model that does not recover.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOLERANCE", "Recovery", "Site", "Steadiness", "mean_between", "recovery", "sites", "steadiness", "trailing"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

TOLERANCE: Final = 0.01
"""The loss is back if it lies within this share of its level before the change."""
_BLOCKS_BEFORE: Final = 12
_BLOCKS_AFTER: Final = 12
_SPREADS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Site:
    """A change of the schema, or several in a row: none lies less than a window behind the one before."""

    first: int
    """The first event under the first of them."""
    last: int
    """The first event under the last of them."""
    end: int
    """The first event of the next site, or the number of events."""


def sites(changes: Counts, events: int, window: int) -> list[Site]:
    """Gather changes into sites that have a whole window before them and one, undisturbed, behind their last change."""
    groups: list[list[int]] = []
    for change in changes.tolist():
        if groups and change - groups[-1][-1] < window:
            groups[-1].append(change)
        else:
            groups.append([change])
    ends = [group[0] for group in groups[1:]] + [events]
    found = [Site(group[0], group[-1], end) for group, end in zip(groups, ends, strict=False)]
    return [site for site in found if site.first >= window and site.end - site.last >= window]


def mean_between(sums: Floats, pairs: Counts, first: int, end: int) -> float:
    """Return the loss per pair over the events from `first` up to `end`; NaN if they have no pair."""
    first, end = max(first, 0), min(end, len(sums))
    count = int(pairs[first:end].sum())
    return float(sums[first:end].sum()) / count if count else float("nan")


def trailing(sums: Floats, pairs: Counts, window: int) -> Floats:
    """Return `(N - window + 1,)` losses per pair over each whole window; element i is of the events from i on."""
    total = np.concatenate([[0.0], np.cumsum(sums)])
    count = np.concatenate([[0], np.cumsum(pairs)])
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = (total[window:] - total[:-window]) / (count[window:] - count[:-window])
    return means


@dataclass(frozen=True, slots=True)
class Recovery:
    """How many events after a change the loss is back; censored if it was not before the next change or the end."""

    events: int
    """From the change to the first window whose loss is back; if `censored`, the events that were watched."""
    censored: bool


def recovery(
    sums: Floats, pairs: Counts, site: Site, window: int, reference: Floats | None = None, *, to_reference: bool = False
) -> Recovery:
    """Return when the windowed loss is back where it was before the change, within `TOLERANCE` of that level.

    With a `reference`, what has to be back is the excess over it; with `to_reference`, that excess has to vanish
    (within the tolerance), whatever it was before. An undisturbed loss is back after 0 events.
    """
    above = sums if reference is None else sums - reference
    level = mean_between(sums, pairs, site.first - window, site.first)
    goal = 0.0 if to_reference else mean_between(above, pairs, site.first - window, site.first)
    means = trailing(above[site.first : site.end], pairs[site.first : site.end], window)
    back = np.flatnonzero(means <= goal + TOLERANCE * abs(level))
    if back.size:
        return Recovery(int(back[0]), censored=False)
    return Recovery(len(means), censored=True)


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How steadily the loss came down after a change, in blocks of a quarter of a window."""

    jumps: int
    """Blocks after the change whose loss lies above the block before by more than two spreads."""
    first_rise: float
    """The first block after the change less the mean before it, in nats a pair."""
    spread_before: float
    """Standard deviation, in nats a pair, of the steps from block to block before the change."""
    spread_after: float
    """The same of the blocks after it, without the first step."""


def steadiness(
    sums: Floats, pairs: Counts, site: Site, window: int, reference: Floats | None = None
) -> Steadiness | None:
    """Return how steady the loss was around a change; None if there are too few blocks to say."""
    size = max(1, window // 4)
    above = sums if reference is None else sums - reference
    before = _blocks(above, pairs, site.first - min(_BLOCKS_BEFORE, site.first // size) * size, site.first, size)
    end = min(site.end, site.last + _BLOCKS_AFTER * size)
    after = _blocks(above, pairs, site.first, end, size)
    if len(before) < 3 or len(after) < 3:
        return None
    spread = float(np.std(np.diff(before), ddof=1))
    steps = np.diff(np.concatenate([before[-1:], after]))
    return Steadiness(
        jumps=int((steps > _SPREADS * spread).sum()),
        first_rise=float(after[0] - before.mean()),
        spread_before=spread,
        spread_after=float(np.std(steps[1:], ddof=1)),
    )


def _blocks(sums: Floats, pairs: Counts, first: int, end: int, size: int) -> Floats:
    starts = range(first, end - size + 1, size)
    return np.array([mean_between(sums, pairs, start, start + size) for start in starts])
