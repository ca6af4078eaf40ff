"""Running counts as inputs, and counting, compiled: one pass each over the pairs of a step.

What they compute the plain passes of `stream.network.counts` say. A logarithm is taken once an event and value,
once a step and offer; a pair's bits never depend on what else stands in the step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled

__all__ = ["count_inputs", "update_counts"]

Array = np.ndarray[Any, Any]

_BASE, _VALUE = 7, 6
_OFFER_PAIRS = 20.0
_ONE = np.float32(1.0)
_SMALL = 0.01


@compiled
def _ratio_log(taken: float, expected: float) -> Any:
    """Return log((taken + 1) / (expected + 1)), float32; of a small expectation alone by its series."""
    if taken == 0.0 and expected < _SMALL:
        return np.float32(expected * (expected * (0.5 - expected / 3.0) - 1.0))
    return math.log((np.float32(taken) + _ONE) / (np.float32(expected) + _ONE))


@compiled
def count_inputs(
    pair_offsets: Array,
    pair_slot: Array,
    pair_value: Array,
    value_offsets: Array,
    value_column: Array,
    offer_cell: Array,
    value_cell: Array,
    entity: Array,
    ts: Array,
    half_life_ms: float,
    totals: Array,
    offers: tuple[Array, Array, Array, Array, Array],
    values: tuple[Array, Array, Array, Array, Array, Array],
    keys: tuple[Array, Array, Array, Array, Array, Array, Array, Array],
    key_offer: Array,
    key_value: Array,
    once: tuple[Array, Array],
    number: int,
    own: Array,
    inputs: Array,
    rates: Array,
    expected: Array,
    propensities: Array,
) -> None:
    """Fill `inputs` `(P, width)` and `own` `(V, 6)` float32; and what is expected by pair and by event.

    `totals` are those of `stream.network.counts.TOTALS_READ`; the tuples are the counts in
    the order of `stream.network.counts`, `key_offer` and `key_value` those of the cells. `once` keeps, under
    the pass's `number`, what was computed for an offer and for a value.
    """
    attributes = pair_value.shape[1]
    by_offer, by_value = once
    base, scale, opened = totals[0] / totals[1], totals[7], 1.0 / max(1.0, totals[6])
    of_offer, of_value, of_key = totals[3], totals[4], totals[5]
    for event in range(len(entity)):
        row = entity[event]
        now = max(float(ts[event]), keys[5][row])
        fade = 0.5 ** ((now - keys[5][row]) / half_life_ms)
        propensity = (keys[0][row] + of_key) / (keys[1][row] + of_key)
        lately = (keys[2][row] * fade + of_key) / (keys[3][row] * fade + of_key)
        propensities[event] = propensity
        log_propensity, log_lately = np.float32(math.log(propensity)), np.float32(math.log(lately / propensity))
        age = np.float32(math.log1p(keys[1][row]) / 4.0)
        met, met_recent = keys[6][row] * opened, keys[7][row] * fade * opened
        stood, kept = now, 1.0
        for value in range(value_offsets[event], value_offsets[event + 1]):
            column, cell = value_column[value], value_cell[value]
            if by_value[column, 0] != number:
                by_value[column, 0] = number
                by_value[column, 1] = math.log((values[0][column] + of_value) / (values[1][column] + of_value))
                by_value[column, 2] = math.log(
                    (scale * values[2][column] + of_value) / (scale * values[3][column] + of_value)
                )
                by_value[column, 3] = (values[4][column] + 0.01) / (totals[2] + 1.0)
            share = values[5][column]
            habit = keys[4][row] * by_value[column, 3]
            own[value, 2] = by_value[column, 2]
            if cell < 0:
                own[value, 0] = _ratio_log(0.0, met * share)
                own[value, 1] = _ratio_log(0.0, met_recent * share)
                own[value, 3] = -own[value, 0]
                own[value, 4] = 0.0
                own[value, 5] = _ratio_log(0.0, habit)
                continue
            if key_value[cell, 6] != stood:
                stood = key_value[cell, 6]
                kept = 0.5 ** ((now - stood) / half_life_ms)
            own[value, 0] = _ratio_log(key_value[cell, 0], key_value[cell, 1])
            own[value, 1] = _ratio_log(key_value[cell, 2] * kept, key_value[cell, 3] * kept)
            own[value, 3] = math.log(np.float32(key_value[cell, 1]) + _ONE)
            own[value, 4] = key_value[cell, 4] * kept
            own[value, 5] = math.log((np.float32(key_value[cell, 5]) + _ONE) / (np.float32(habit) + _ONE))
        for pair in range(pair_offsets[event], pair_offsets[event + 1]):
            slot, cell = pair_slot[pair], offer_cell[pair]
            if by_offer[slot, 0] != number:
                by_offer[slot, 0] = number
                lift = 0.0
                for attribute in range(attributes):
                    value = pair_value[pair, attribute]
                    if value >= 0:
                        lift += by_value[value_column[value], 1]
                prior = min(max(base * math.exp(lift), 1e-6), 0.5)
                strength = max(_OFFER_PAIRS, of_offer / prior)
                rate = (offers[0][slot] + strength * prior) / (offers[1][slot] + strength)
                recent = (scale * offers[2][slot] + strength * rate) / (scale * offers[3][slot] + strength)
                by_offer[slot, 1] = rate
                by_offer[slot, 2] = math.log(rate)
                by_offer[slot, 3] = math.log(recent / rate)
                by_offer[slot, 4] = math.log1p(offers[1][slot]) / 8.0
            rate = by_offer[slot, 1]
            rates[pair] = rate
            expected[pair] = rate * propensity
            inputs[pair, 0] = by_offer[slot, 2]
            inputs[pair, 1] = by_offer[slot, 3]
            inputs[pair, 2] = log_propensity
            inputs[pair, 3] = log_lately
            if cell < 0:
                inputs[pair, 4] = _ratio_log(0.0, met * offers[4][slot])
            else:
                inputs[pair, 4] = _ratio_log(key_offer[cell, 0], key_offer[cell, 1])
            inputs[pair, 5] = by_offer[slot, 4]
            inputs[pair, 6] = age
            for attribute in range(attributes):
                value = pair_value[pair, attribute]
                first = _BASE + attribute * _VALUE
                for place in range(_VALUE):
                    inputs[pair, first + place] = own[value, place] if value >= 0 else np.float32(0.0)


@compiled
def _move_key(keys: tuple[Array, ...], key: int, newest: float, half_life_ms: float) -> None:
    """Move a key to its newest event time; what is recent of it fades on the way."""
    if keys[4][key] > 0.0:
        newest = max(newest, keys[5][key])
        fade = 0.5 ** ((newest - keys[5][key]) / half_life_ms)
        if fade != 1.0:
            keys[2][key] *= fade
            keys[3][key] *= fade
            keys[7][key] *= fade
    keys[5][key] = newest


@compiled
def update_counts(
    pair_offsets: Array,
    pair_slot: Array,
    pair_value: Array,
    value_offsets: Array,
    value_column: Array,
    offer_cell: Array,
    value_cell: Array,
    seen: tuple[Array, Array],
    entity: Array,
    ts: Array,
    listed: Array,
    possible: Array,
    taken: Array,
    half_life_ms: float,
    base: float,
    scale: float,
    offers: tuple[Array, Array, Array, Array, Array],
    values: tuple[Array, Array, Array, Array, Array, Array],
    keys: tuple[Array, Array, Array, Array, Array, Array, Array, Array],
    key_offer: Array,
    key_value: Array,
    rates: Array,
    expected: Array,
    propensities: Array,
) -> None:
    """Count the events whose expectations `count_inputs` gave; `base` is the rate of all pairs by now."""
    attributes = pair_value.shape[1]
    unit = 1.0 / scale
    # A key's first event of the step moves it to the newest of its times.
    for event in range(len(entity)):
        key = entity[event]
        if key == 0:
            continue
        newest, first = float(ts[event]), True
        for other in range(len(entity)):
            if entity[other] == key:
                if other < event:
                    first = False
                    break
                newest = max(newest, float(ts[other]))
        if first:
            _move_key(keys, key, newest, half_life_ms)
    for event in range(len(entity)):
        key = entity[event]
        stood, kept = -1.0, 1.0
        for value in range(value_offsets[event], value_offsets[event + 1]):
            cell = value_cell[value]
            if cell >= 0 and key_value[cell, 6] != keys[5][key]:
                if key_value[cell, 6] != stood:
                    stood = key_value[cell, 6]
                    kept = 0.5 ** ((keys[5][key] - stood) / half_life_ms)
                key_value[cell, 2] *= kept
                key_value[cell, 3] *= kept
                key_value[cell, 4] *= kept
                key_value[cell, 6] = keys[5][key]
        if key > 0:
            keys[4][key] += 1.0
        if key > 0 and not listed[event] and pair_offsets[event] < pair_offsets[event + 1]:
            keys[6][key] += propensities[event]
            keys[7][key] += propensities[event]
        key_took = key_rate = 0.0
        for pair in range(pair_offsets[event], pair_offsets[event + 1]):
            slot, cell = pair_slot[pair], offer_cell[pair]
            took, could = float(taken[pair]), 1.0 if possible[pair] else 0.0
            own, rate = expected[pair] * could, rates[pair] * could
            met = 0.0 if listed[event] else rate
            key_took += took
            key_rate += rate
            offers[0][slot] += took
            offers[1][slot] += could
            offers[2][slot] += took * unit
            offers[3][slot] += could * unit
            offers[4][slot] += met
            if cell >= 0:
                key_offer[cell, 0] += took
                key_offer[cell, 1] += own
            for attribute in range(attributes):
                value = pair_value[pair, attribute]
                if value < 0:
                    continue
                column, at = value_column[value], value_cell[value]
                values[0][column] += took
                values[1][column] += base * could
                values[2][column] += took * unit
                values[3][column] += base * could * unit
                values[5][column] += met
                if at >= 0:
                    key_value[at, 0] += took
                    key_value[at, 1] += own
                    key_value[at, 2] += took
                    key_value[at, 3] += own
                    if took > 0.0:
                        key_value[at, 4] = 1.0
        if key > 0:
            keys[0][key] += key_took
            keys[1][key] += key_rate
            keys[2][key] += key_took
            keys[3][key] += key_rate
    for one in range(len(seen[0])):
        values[4][seen[0][one]] += 1.0
        if seen[1][one] >= 0:
            key_value[seen[1][one], 5] += 1.0
