"""The loops of the scorer, compiled: inputs as the network reads them, and each pair's published probability.

They compute what the learner's own passes compute, in an order that is quick for many offers and no training: what is
one offer's alone is made once a version (:func:`offer_parts`), what is the key's and the event's once an event, and a
pair only adds up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled_freely
from stream.scoring.cells import key_offer_cell, key_value_cell, wide_cell

__all__ = [
    "BASE_INPUTS",
    "STRENGTH_PAIRS",
    "VALUE_INPUTS",
    "best",
    "direct_parts",
    "mixer_parts",
    "offer_parts",
    "pool",
    "score_pairs",
    "standardise",
]

Array = np.ndarray[Any, Any]

BASE_INPUTS, VALUE_INPUTS = 7, 6
OFFER_PAIRS = 20.0
STRENGTH_PAIRS = 20.0
LEAST = 1e-9
"""All of these are the learner's (:mod:`stream.network.counts`, :mod:`stream.network.experts`); a test compares."""
_ONE = np.float32(1.0)


@compiled_freely
def standardise(
    values: Array, live: Array, points: Array, scores: Array, known: Array, found: Array, missing: Array
) -> None:
    """Fill the normal scores `found` `(B, slots)` of numeric `values` and the mask of `missing`, float32.

    `points` and `scores` `(slots, n)` are a column's digest, `known` says whether it has seen a value.
    """
    last = points.shape[1] - 1
    for event in range(values.shape[0]):
        for slot in live:
            value = values[event, slot]
            if math.isnan(value):
                missing[event, slot] = 1.0
                continue
            if not known[slot]:
                continue
            below = np.searchsorted(points[slot], value)
            upto = np.searchsorted(points[slot], value, side="right")
            low = below if upto > below else max(below - 1, 0)
            high = min(upto, last)
            first, beyond = points[slot, low], points[slot, high]
            span = 0.5 * beyond - 0.5 * first
            share = (0.5 * value - 0.5 * first) / span if span > 0.0 else 0.0
            found[event, slot] = (1.0 - share) * scores[slot, low] + share * scores[slot, high]


@compiled_freely
def pool(rows: Array, row_event: Array, row_slot: Array, row_weight: Array, table: Array, found: Array) -> None:
    """Add up the weighted vocabulary rows by event and feature: `found` `(B, slots, width)`, zero before."""
    for place in range(len(rows)):
        row, weight = rows[place], row_weight[place]
        event, slot = row_event[place], row_slot[place]
        for one in range(table.shape[1]):
            found[event, slot, one] += table[row, one] * weight


@compiled_freely
def _log_ratio(taken: float, expected: float) -> Any:
    if taken == 0.0 and expected == 0.0:
        return np.float32(0.0)
    return np.float32(math.log((np.float32(taken) + _ONE) / (np.float32(expected) + _ONE)))


@compiled_freely
def offer_parts(
    slots: Array,
    columns: Array,
    task_of_offer: Array,
    totals: Array,
    offers: tuple[Array, Array, Array, Array],
    values: tuple[Array, Array, Array, Array, Array],
    mixer: tuple[Array, Array, Array, Array],
    rates: Array,
    inputs: Array,
    hidden: Array,
    lately: Array,
    often: Array,
) -> None:
    """Fill what is an offer's or an attribute value's alone.

    Of the offers in `slots`: `rates` float64 `(offers, 3)` are the rate, the recent rate and the rate's log-odds;
    `inputs` float32 `(offers, 4)` the running counts 0, 1 and 5, and what they add to the logit; `hidden`
    `(offers, H)` what they and the bias add to the mixer's units. By value `lately` float32 and `often` float64.
    """
    weights, bias, _, linear = mixer
    width, units = len(linear) // len(bias), hidden.shape[1]
    lifts = np.empty(len(lately))
    base, of_offer, of_value = totals[0] / totals[1], totals[3], totals[4]
    for column in range(len(lately)):
        lifts[column] = math.log((values[0][column] + of_value) / (values[1][column] + of_value))
        lately[column] = math.log((values[2][column] + of_value) / (values[3][column] + of_value))
        often[column] = (values[4][column] + 0.01) / (totals[2] + 1.0)
    for slot in slots:
        lift = 0.0
        for attribute in range(columns.shape[1]):
            if columns[slot, attribute] >= 0:
                lift += lifts[columns[slot, attribute]]
        prior = min(max(base * math.exp(lift), 1e-6), 0.5)
        strength = max(OFFER_PAIRS, of_offer / prior)
        possible = offers[1][slot]
        rate = (offers[0][slot] + strength * prior) / (possible + strength)
        recent = (offers[2][slot] + strength * rate) / (offers[3][slot] + strength)
        log_rate, log_recent = np.float32(math.log(rate)), np.float32(math.log(recent / rate))
        age = np.float32(math.log1p(possible) / 8.0)
        rates[slot, 0] = math.exp(np.float64(log_rate))
        rates[slot, 1] = math.exp(np.float64(log_rate) + np.float64(log_recent))
        sure = min(np.float64(log_rate), -1e-6)
        rates[slot, 2] = log_rate - math.log1p(-math.exp(sure))
        first = task_of_offer[slot] * width
        inputs[slot, 0] = log_rate
        inputs[slot, 1] = log_recent
        inputs[slot, 2] = age
        inputs[slot, 3] = log_rate * linear[first] + log_recent * linear[first + 1] + age * linear[first + 5]
        for unit in range(units):
            hidden[slot, unit] = (
                bias[task_of_offer[slot], unit]
                + log_rate * weights[first, unit]
                + log_recent * weights[first + 1, unit]
                + age * weights[first + 5, unit]
            )


@compiled_freely
def _clamped(chance: float) -> float:
    return min(max(chance, LEAST), 1.0 - LEAST)


@compiled_freely
def score_pairs(
    offsets: Array,
    pair_slot: Array,
    columns: Array,
    task_of_offer: Array,
    first_of_value: Array,
    muted: Array,
    prior: float,
    entity: Array,
    ts: Array,
    half_life_ms: float,
    key_strength: float,
    keys: tuple[Array, Array, Array, Array, Array, Array],
    cells: tuple[Array, ...],
    row_offsets: Array,
    rows: Array,
    row_slot: Array,
    row_weight: Array,
    matches: Array,
    flags: Array,
    by_offer: Array,
    by_value: Array,
    mixer: tuple[Array, Array, Array, Array],
    rates: Array,
    inputs: Array,
    hidden: Array,
    lately: Array,
    often: Array,
    shares: Array,
    running: tuple[float, float],
    chances: Array,
    logits: Array,
) -> None:
    """Fill the published probability `chances` float64 `(P,)` and the network's `logits` float32 `(P,)`.

    Events are contiguous among the pairs and among the rows (`offsets`, `row_offsets`). `by_offer` `(P,)` and
    `by_value` `(B, values)` are the output layer's scores; `first_of_value` is the row of the mixer at which an
    attribute value's six inputs begin; `rates` to `often` are those of :func:`offer_parts`. `shares` are the
    experts' weights, `running` the rate of all pairs and the recent one.
    """
    weights, _, out, linear = mixer
    tasks, units = out.shape
    width, attributes, size = len(linear) // tasks, columns.shape[1], len(lately)
    seen = np.full(size, -1, dtype=np.int64)
    listed = np.empty(size, dtype=np.int64)
    of_value = np.empty((size, units), dtype=np.float32)
    logit_of_value, alone_of_value = np.empty(size, dtype=np.float32), np.empty(size, dtype=np.float32)
    habit_of_value = np.empty(size, dtype=np.float32)
    of_key = np.empty((tasks, units), dtype=np.float32)
    logit_of_key = np.empty(tasks, dtype=np.float32)
    sums = np.empty(units, dtype=np.float32)
    cell, own = np.empty(7, dtype=np.float32), np.empty(VALUE_INPUTS, dtype=np.float32)
    shift = running[1] / running[0]
    fixed = shares[0] * _clamped(running[0]) + shares[1] * _clamped(running[1])
    for event in range(len(entity)):
        key = entity[event]
        fade = 0.5 ** (max(0.0, ts[event] - keys[5][key]) / half_life_ms)
        fade32 = np.float32(fade)
        propensity = (keys[0][key] + key_strength) / (keys[1][key] + key_strength)
        recent = (keys[2][key] * fade + key_strength) / (keys[3][key] * fade + key_strength)
        key_inputs = (
            np.float32(math.log(propensity)),
            np.float32(math.log(recent / propensity)),
            np.float32(math.log1p(keys[1][key]) / 4.0),
        )
        for task in range(tasks):
            at = task * width
            logit_of_key[task] = (
                key_inputs[0] * linear[at + 2] + key_inputs[1] * linear[at + 3] + key_inputs[2] * linear[at + 6]
            )
            for unit in range(units):
                of_key[task, unit] = (
                    key_inputs[0] * weights[at + 2, unit]
                    + key_inputs[1] * weights[at + 3, unit]
                    + key_inputs[2] * weights[at + 6, unit]
                )
        number = 0
        for pair in range(offsets[event], offsets[event + 1]):
            for attribute in range(attributes):
                column = columns[pair_slot[pair], attribute]
                if column >= 0 and seen[column] != event:
                    seen[column] = event
                    listed[number] = column
                    number += 1
        for one in range(number):
            column = listed[one]
            key_value_cell(cells, key, column, cell)
            own[0] = _log_ratio(cell[1], cell[2])
            own[1] = _log_ratio(cell[3] * fade32, cell[4] * fade32)
            own[2] = lately[column]
            own[3] = math.log1p(cell[2]) if cell[2] != 0.0 else np.float32(0.0)
            own[4] = cell[5] * fade32
            own[5] = _log_ratio(cell[6], np.float32(keys[4][key] * often[column]))
            habit_of_value[column] = own[0]
            alone_of_value[column] = by_value[event, column]
            logit = by_value[event, column] + cell[0]
            at = first_of_value[column]
            for unit in range(units):
                of_value[column, unit] = own[0] * weights[at, unit]
            for place in range(VALUE_INPUTS):
                logit += own[place] * linear[at + place]
                if place > 0 and own[place] != 0.0:
                    for unit in range(units):
                        of_value[column, unit] += own[place] * weights[at + place, unit]
            logit_of_value[column] = logit
        for place in range(row_offsets[event], row_offsets[event + 1]):
            row = rows[place]
            for one in range(number):
                logit_of_value[listed[one]] += wide_cell(cells, row, listed[one]) * row_weight[place]
            for slot in range(matches.shape[1]):
                column = matches[row, slot]
                if column >= 0 and seen[column] == event:
                    logit_of_value[column] += flags[row_slot[place], slot]
        for pair in range(offsets[event], offsets[event + 1]):
            slot = pair_slot[pair]
            if muted[slot]:
                logits[pair] = math.log(prior / (1.0 - prior))
                chances[pair] = prior
                continue
            task = task_of_offer[slot]
            weight, taken, expected = key_offer_cell(cells, key, slot)
            alone = by_offer[pair]
            logit = alone + weight + inputs[slot, 3] + logit_of_key[task]
            habits = _log_ratio(taken, expected)
            for unit in range(units):
                sums[unit] = hidden[slot, unit] + of_key[task, unit]
            if habits != 0.0:
                at = task * width + 4
                logit += habits * linear[at]
                for unit in range(units):
                    sums[unit] += habits * weights[at, unit]
            for attribute in range(attributes):
                column = columns[slot, attribute]
                if column >= 0:
                    logit += logit_of_value[column]
                    alone += alone_of_value[column]
                    habits += habit_of_value[column]
                    for unit in range(units):
                        sums[unit] += of_value[column, unit]
            mixed = np.float32(0.0)
            for unit in range(units):
                mixed += max(sums[unit], np.float32(0.0)) * out[task, unit]
            logit += mixed
            logits[pair] = logit
            by_counts = math.exp(inputs[slot, 0] + 0.7 * key_inputs[0] + 0.5 * habits)
            chances[pair] = (
                fixed
                + shares[2] * _clamped(rates[slot, 0])
                + shares[3] * _clamped(rates[slot, 1] * shift)
                + shares[4] * _clamped(by_counts)
                + shares[5] * _clamped(1.0 / (1.0 + math.exp(-(rates[slot, 2] + alone))))
                + shares[6] * _clamped(1.0 / (1.0 + math.exp(-np.float64(logit))))
            )


@compiled_freely
def mixer_parts(
    slots: Array,
    columns: Array,
    task_of_offer: Array,
    first_of_value: Array,
    key: int,
    ts: float,
    half_life_ms: float,
    key_strength: float,
    keys: tuple[Array, Array, Array, Array, Array, Array],
    cells: tuple[Array, ...],
    mixer: tuple[Array, Array, Array, Array],
    inputs: Array,
    hidden: Array,
    lately: Array,
    often: Array,
    found: Array,
) -> None:
    """Fill, of each offer in `slots`, what a key's running counts make of the logit, and its cells: `(n, 2)`."""
    weights, _, out, linear = mixer
    tasks, units = out.shape
    width = len(linear) // tasks
    sums = np.empty(units, dtype=np.float32)
    cell, own = np.empty(7, dtype=np.float32), np.empty(VALUE_INPUTS, dtype=np.float32)
    fade = 0.5 ** (max(0.0, ts - keys[5][key]) / half_life_ms)
    fade32 = np.float32(fade)
    propensity = (keys[0][key] + key_strength) / (keys[1][key] + key_strength)
    recent = (keys[2][key] * fade + key_strength) / (keys[3][key] * fade + key_strength)
    for one in range(len(slots)):
        slot = slots[one]
        task = task_of_offer[slot]
        at = task * width
        weight, taken, expected = key_offer_cell(cells, key, slot)
        of_key = np.zeros(width, dtype=np.float32)
        of_key[2], of_key[3] = math.log(propensity), math.log(recent / propensity)
        of_key[4], of_key[6] = _log_ratio(taken, expected), math.log1p(keys[1][key]) / 4.0
        logit, own_cells = inputs[slot, 3], weight
        for attribute in range(columns.shape[1]):
            column = columns[slot, attribute]
            if column < 0:
                continue
            key_value_cell(cells, key, column, cell)
            own_cells += cell[0]
            own[0] = _log_ratio(cell[1], cell[2])
            own[1] = _log_ratio(cell[3] * fade32, cell[4] * fade32)
            own[2] = lately[column]
            own[3] = math.log1p(cell[2])
            own[4] = cell[5] * fade32
            own[5] = _log_ratio(cell[6], np.float32(keys[4][key] * often[column]))
            for place in range(VALUE_INPUTS):
                of_key[first_of_value[column] - at + place] = own[place]
        for unit in range(units):
            sums[unit] = hidden[slot, unit]
        for place in range(width):
            logit += of_key[place] * linear[at + place]
            for unit in range(units):
                sums[unit] += of_key[place] * weights[at + place, unit]
        for unit in range(units):
            logit += max(sums[unit], np.float32(0.0)) * out[task, unit]
        found[one, 0], found[one, 1] = logit, own_cells


@compiled_freely
def direct_parts(
    row: int, weight: float, matches: Array, flags: Array, cells: tuple[Array, ...], columns: Array, found: Array
) -> None:
    """Add to `found` `(P,)` the cells and flags of one row of an input, by the pairs' `columns` `(P, A)`."""
    for pair in range(len(columns)):
        for attribute in range(columns.shape[1]):
            column = columns[pair, attribute]
            if column < 0:
                continue
            found[pair] += wide_cell(cells, row, column) * weight
            for slot in range(len(matches)):
                if matches[slot] == column:
                    found[pair] += flags[slot]


@compiled_freely
def best(offsets: Array, pair_slot: Array, chances: Array, place_of_name: Array, k: int, found: Array) -> None:
    """Fill `found` `(B, k)` with each event's best pairs, best first, ties by name, -1 where there are no more."""
    for event in range(len(offsets) - 1):
        number = 0
        for pair in range(offsets[event], offsets[event + 1]):
            chance, name = chances[pair], place_of_name[pair_slot[pair]]
            if number == k:
                last = found[event, k - 1]
                if chance < chances[last] or (chance == chances[last] and name > place_of_name[pair_slot[last]]):
                    continue
            else:
                number += 1
            at = number - 1
            while at > 0:
                other = found[event, at - 1]
                if chances[other] > chance or (chances[other] == chance and place_of_name[pair_slot[other]] < name):
                    break
                found[event, at] = other
                at -= 1
            found[event, at] = pair
        for at in range(number, k):
            found[event, at] = -1
