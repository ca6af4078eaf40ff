"""The loops behind the running statistics, compiled: digests by column, normal scores, and what is not resolved.

A digest is a merging t-digest (Dunning and Ertl 2019, arXiv 1902.04023) of ascending points with a weight each; points
of weight 0 stand in front and repeat the first that weighs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled_exactly

__all__ = ["POINTS", "merge", "normal_score", "point_scores", "standardise", "unresolved"]

Array = np.ndarray[Any, Any]

POINTS = 64
"""Points of a column's digest, a power of two."""
_LEAST_RANK = 1e-12
_UPTO = 0.5 * (1.0 + np.sin(np.pi * (np.arange(1, POINTS + 1) / POINTS - 0.5)))
"""The rank up to which a bin goes: bins are fine at the ends and coarse in the middle, so an outlier stands alone."""


@compiled_exactly
def _ratio(r: float, over: tuple[float, ...], under: tuple[float, ...]) -> Any:
    top, bottom = 0.0, 0.0
    for place in range(len(over)):
        top = top * r + over[place]
        bottom = bottom * r + under[place]
    return top / bottom


_MIDDLE = (
    *(2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457),
    *(13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080),
)
_MIDDLE_UNDER = (
    *(5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867),
    *(5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0),
)
_TAIL = (
    *(7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258),
    *(3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
)
_TAIL_UNDER = (
    *(1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1),
    *(6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187, 1.0),
)
_FAR = (
    *(2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2),
    *(2.96560571828504891230e-1, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720),
)
_FAR_UNDER = (
    *(2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4),
    *(1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)


@compiled_exactly
def normal_score(rank: float) -> Any:
    """Return the number below which a normal variable lies with probability `rank` (Wichura 1988, AS 241)."""
    q = rank - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(0.180625 - q * q, _MIDDLE, _MIDDLE_UNDER)
    r = math.sqrt(-math.log(min(rank, 1.0 - rank)))
    far = _ratio(r - 1.6, _TAIL, _TAIL_UNDER) if r <= 5.0 else _ratio(r - 5.0, _FAR, _FAR_UNDER)
    return -far if q < 0.0 else far


@compiled_exactly
def _score(place: int, points: Array, upto: Array) -> Any:
    """Return the normal score of a point's rank: the middle one, if points are equal."""
    head = tail = place
    while head > 0 and points[head - 1] == points[place]:
        head -= 1
    while tail < POINTS - 1 and points[tail + 1] == points[place]:
        tail += 1
    below = upto[head - 1] if head else 0.0
    rank = 0.5 * (below + upto[tail]) / max(upto[POINTS - 1], 1e-300)
    return normal_score(min(max(rank, _LEAST_RANK), 1.0 - _LEAST_RANK))


@compiled_exactly
def _cumulate(weights: Array, upto: Array) -> None:
    total = 0.0
    for place in range(POINTS):
        total += weights[place]
        upto[place] = total


@compiled_exactly
def _read(value: float, points: Array, upto: Array, scores: Array) -> Any:
    """Return a value's normal score: linear between points, beyond all that of the last; `scores` fill as asked."""
    below, high = 0, POINTS
    while below < high:
        middle = (below + high) // 2
        if points[middle] < value:
            below = middle + 1
        else:
            high = middle
    after = below
    while after < POINTS and points[after] == value:
        after += 1
    first = below if after > below else max(below - 1, 0)
    last = min(after, POINTS - 1)
    for place in (first, last):
        if math.isnan(scores[place]):
            scores[place] = _score(place, points, upto)
    # Halved, because the distance of two numbers may be more than the largest.
    span = 0.5 * points[last] - 0.5 * points[first]
    share = (0.5 * value - 0.5 * points[first]) / span if span > 0.0 else 0.0
    return (1.0 - share) * scores[first] + share * scores[last]


@compiled_exactly
def standardise(numeric: Array, live: Array, points: Array, weights: Array, found: Array, missing: Array) -> None:
    """Fill the normal scores `found` `(B, slots)` of values, 0 if missing, and the mask of `missing`."""
    upto, scores = np.empty(POINTS), np.empty(POINTS)
    for slot in live:
        known = weights[slot, POINTS - 1] > 0.0
        if known:
            _cumulate(weights[slot], upto)
            scores[:] = np.nan
        for event in range(len(numeric)):
            value = numeric[event, slot]
            if math.isnan(value):
                missing[event, slot] = 1.0
            elif known:
                found[event, slot] = _read(value, points[slot], upto, scores)


@compiled_exactly
def point_scores(points: Array, weights: Array, found: Array) -> None:
    """Fill the normal score `(slots, POINTS)` of each point's rank."""
    upto = np.empty(POINTS)
    for slot in range(len(points)):
        _cumulate(weights[slot], upto)
        for place in range(POINTS):
            if place and points[slot, place] == points[slot, place - 1]:
                found[slot, place] = found[slot, place - 1]
            else:
                found[slot, place] = _score(place, points[slot], upto)


@compiled_exactly
def _merge(values: Array, kept: float, points: Array, weights: Array, mixed: Array, weighed: Array) -> None:
    """Take ascending `values` into one digest, whose weights fade to `kept`; the others are room to work in."""
    number = 0
    total = 0.0
    place, value = 0, 0
    while place < POINTS and weights[place] <= 0.0:
        place += 1
    while place < POINTS or value < len(values):
        if place < POINTS and (value == len(values) or points[place] <= values[value]):
            mixed[number], weighed[number] = points[place], weights[place] * kept
            place += 1
        else:
            mixed[number], weighed[number] = values[value], 1.0
            value += 1
        total += weighed[number]
        number += 1
    bins = 0
    at, below, bin_ = 0, 0.0, 0
    while at < number:
        begin, gathered = at, 0.0
        while bin_ < POINTS - 1 and below + 0.5 * weighed[at] >= _UPTO[bin_] * total:
            bin_ += 1
        end = _UPTO[bin_] * total
        while at < number and (bin_ == POINTS - 1 or below + 0.5 * weighed[at] < end):
            below += weighed[at]
            gathered += weighed[at]
            at += 1
        # From the bin's first value on: if all are the same, so is their mean, to the last bit.
        origin, shift = mixed[begin], 0.0
        for one in range(begin + 1, at):
            shift += weighed[one] / gathered * (0.5 * mixed[one] - 0.5 * origin)
        mixed[bins], weighed[bins] = origin + shift + shift, gathered
        bins += 1
    empty = POINTS - bins
    for one in range(bins):
        points[empty + one] = mixed[one] if one == 0 else max(mixed[one], points[empty + one - 1])
        weights[empty + one] = weighed[one]
    for one in range(empty):
        points[one], weights[one] = points[empty], 0.0


@compiled_exactly
def merge(
    numeric: Array,
    read: Array,
    slots: Array,
    half_life: float,
    points: Array,
    weights: Array,
    count: Array,
    mean: Array,
    m2: Array,
    missing: Array,
) -> None:
    """Take a batch `(B, slots)` into the columns `slots`: digests, and Welford's sums of what it was `read` as.

    The sums are joined after Chan, Golub and LeVeque (1979). A column of which nothing was known is read by its digest
    from here on.
    """
    events = len(numeric)
    values, scored = np.empty(events), np.empty(events)
    mixed, weighed = np.empty(events + POINTS), np.empty(events + POINTS)
    upto, scores = np.empty(POINTS), np.empty(POINTS)
    for slot in slots:
        number = 0
        for event in range(events):
            value = numeric[event, slot]
            if not math.isnan(value):
                values[number], scored[number] = value, read[event, slot]
                number += 1
        missing[slot] += events - number
        if number == 0:
            continue
        _merge(
            np.sort(values[:number]),
            0.5 ** (number / half_life),
            *(points[slot], weights[slot], mixed, weighed),
        )
        if count[slot] == 0.0:
            _cumulate(weights[slot], upto)
            scores[:] = np.nan
            for place in range(number):  # as float32, as it will be read
                scored[place] = np.float32(_read(values[place], points[slot], upto, scores))
        new = 0.0
        for place in range(number):
            new += scored[place]
        new /= number
        squares = 0.0
        for place in range(number):
            squares += (scored[place] - new) ** 2
        held, total = count[slot], count[slot] + number
        delta = new - mean[slot]
        m2[slot] += squares + delta**2 * held * (number / total)
        mean[slot] += delta * (number / total)
        count[slot] = total


@compiled_exactly
def unresolved(numeric: Array, rounded: Array, slots: Array, steps: float, points: Array, weights: Array) -> int:
    """Return how many values stand in a column whose middle nine tenths span fewer float64 steps than `steps`.

    One whose values are all the same counts only if an integer had to be `rounded`.
    """
    found = 0
    upto = np.empty(POINTS)
    for slot in slots:
        _cumulate(weights[slot], upto)
        total = max(upto[POINTS - 1], 1e-300)
        low = high = 0
        while low < POINTS - 1 and upto[low] < 0.05 * total:
            low += 1
        while high < POINTS - 1 and upto[high] < 0.95 * total:
            high += 1
        lower, upper = points[slot, low], points[slot, high]
        span = 0.5 * upper - 0.5 * lower
        largest = max(abs(lower), abs(upper), 2.2250738585072014e-308)
        if span > 0.5 * steps * (np.nextafter(largest, np.inf) - largest):
            continue
        blurred = span > 0.0
        present = 0
        for event in range(len(numeric)):
            blurred = blurred or rounded[event, slot]
            present += not math.isnan(numeric[event, slot])
        if blurred:
            found += present
    return found
