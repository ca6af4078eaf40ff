"""The pair part's loops, compiled: running counts as inputs, logits, gradients, steps and counting.

One kernel for each plain pass over the pairs of a gradient step, on the same arrays: what each computes is said by the
plain one (:mod:`stream.network.counts`, :mod:`stream.network.pairs`, :mod:`stream.network.mixer`). A pair's bits never
depend on what else stands in the step. Events are contiguous among the pairs; ``columns`` ``(offers, A)`` holds the
value slot of each attribute, -1 if an offer lacks it; key row 0 is nobody's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled

__all__ = ["count_inputs", "pair_logits", "train_cells", "train_mixer", "train_wide", "update_counts"]

Array = np.ndarray[Any, Any]

_BASE, _VALUE = 7, 6
_OFFER_PAIRS = 20.0
_ONE = np.float32(1.0)
_CELLS = 1 << 20
"""Sums that are held at a time."""


@compiled
def _offsets(pair_event: Array, events: int) -> Array:
    """Return where each event's pairs begin, ``(events + 1,)``."""
    offsets = np.zeros(events + 1, dtype=np.int64)
    for pair in range(len(pair_event)):
        offsets[pair_event[pair] + 1] += 1
    for event in range(events):
        offsets[event + 1] += offsets[event]
    return offsets


@compiled
def _by_event(row_event: Array, events: int) -> tuple[Array, Array]:
    """Return where each event's rows begin ``(events + 1,)``, and the rows' places in that order."""
    starts = np.zeros(events + 1, dtype=np.int64)
    for event in row_event:
        starts[event + 1] += 1
    for event in range(events):
        starts[event + 1] += starts[event]
    free = starts[:-1].copy()
    order = np.empty(len(row_event), dtype=np.int64)
    for place in range(len(row_event)):
        event = row_event[place]
        order[free[event]] = place
        free[event] += 1
    return starts, order


@compiled
def _ratio_log(taken: float, expected: float) -> Any:
    """Return log((taken + 1) / (expected + 1)), float32; most cells are empty, and log 1 is 0."""
    if taken == 0.0 and expected == 0.0:
        return np.float32(0.0)
    return math.log((np.float32(taken) + _ONE) / (np.float32(expected) + _ONE))


@compiled
def count_inputs(
    pair_event: Array,
    pair_slot: Array,
    columns: Array,
    entity: Array,
    ts: Array,
    half_life_ms: float,
    totals: Array,
    offers: tuple[Array, Array, Array, Array],
    values: tuple[Array, Array, Array, Array, Array],
    keys: tuple[Array, Array, Array, Array, Array, Array],
    key_offer: tuple[Array, Array],
    key_value: tuple[Array, Array, Array, Array, Array, Array],
    inputs: Array,
    rates: Array,
    expected: Array,
) -> None:
    """Fill ``inputs`` ``(P, width)`` float32, and ``rates`` and ``expected`` ``(P,)`` float64.

    ``totals`` are taken, possible, events, and the strengths of offers, values and keys; the tuples are the counts by
    offer, value, key, and pairs of these, in the order of :mod:`stream.network.counts`.
    """
    events, attributes = len(entity), columns.shape[1]
    offsets = _offsets(pair_event, events)
    base = totals[0] / totals[1]
    of_offer, of_value, of_key = totals[3], totals[4], totals[5]
    taken, possible, taken_recent, possible_recent = offers
    number, size = len(taken), len(values[0])
    known_offer, known_value = np.zeros(number, dtype=np.uint8), np.zeros(size, dtype=np.uint8)
    by_offer = np.empty((number, 4))
    lift, lately_value, often = np.empty(size), np.empty(size, dtype=np.float32), np.empty(size)
    own_value = np.empty((size, _VALUE), dtype=np.float32)
    seen = np.full(size, -1, dtype=np.int64)
    for event in range(events):
        row = entity[event]
        elapsed = max(0.0, ts[event] - keys[5][row])
        fade = 0.5 ** (elapsed / half_life_ms)
        fade32 = np.float32(fade)
        propensity = (keys[0][row] + of_key) / (keys[1][row] + of_key)
        lately = (keys[2][row] * fade + of_key) / (keys[3][row] * fade + of_key)
        log_propensity, log_lately = math.log(propensity), math.log(lately / propensity)
        age = math.log1p(keys[1][row]) / 4.0
        for pair in range(offsets[event], offsets[event + 1]):
            slot = pair_slot[pair]
            if not known_offer[slot]:
                known_offer[slot] = 1
                lifts = 0.0
                for attribute in range(attributes):
                    column = columns[slot, attribute]
                    if column >= 0:
                        if not known_value[column]:
                            known_value[column] = 1
                            lift[column] = math.log((values[0][column] + of_value) / (values[1][column] + of_value))
                            lately_value[column] = math.log(
                                (values[2][column] + of_value) / (values[3][column] + of_value)
                            )
                            often[column] = (values[4][column] + 0.01) / (totals[2] + 1.0)
                        lifts += lift[column]
                prior = min(max(base * math.exp(lifts), 1e-6), 0.5)
                strength = max(_OFFER_PAIRS, of_offer / prior)
                rate = (taken[slot] + strength * prior) / (possible[slot] + strength)
                recent = (taken_recent[slot] + strength * rate) / (possible_recent[slot] + strength)
                by_offer[slot, 0] = rate
                by_offer[slot, 1] = math.log(rate)
                by_offer[slot, 2] = math.log(recent / rate)
                by_offer[slot, 3] = math.log1p(possible[slot]) / 8.0
            rate = by_offer[slot, 0]
            rates[pair] = rate
            expected[pair] = rate * propensity
            inputs[pair, 0] = by_offer[slot, 1]
            inputs[pair, 1] = by_offer[slot, 2]
            inputs[pair, 2] = log_propensity
            inputs[pair, 3] = log_lately
            inputs[pair, 4] = _ratio_log(key_offer[0][row, slot], key_offer[1][row, slot])
            inputs[pair, 5] = by_offer[slot, 3]
            inputs[pair, 6] = age
            for attribute in range(attributes):
                column = columns[slot, attribute]
                if column < 0:
                    for place in range(_VALUE):
                        inputs[pair, _BASE + attribute * _VALUE + place] = 0.0
                    continue
                if seen[column] != event:
                    seen[column] = event
                    share = key_value[1][row, column]
                    habit = np.float32(keys[4][row] * often[column])
                    own_value[column, 0] = _ratio_log(key_value[0][row, column], share)
                    own_value[column, 1] = _ratio_log(
                        key_value[2][row, column] * fade32, key_value[3][row, column] * fade32
                    )
                    own_value[column, 2] = lately_value[column]
                    own_value[column, 3] = math.log1p(share) if share != 0.0 else np.float32(0.0)
                    own_value[column, 4] = key_value[4][row, column] * fade32
                    own_value[column, 5] = _ratio_log(key_value[5][row, column], habit)
                first = _BASE + attribute * _VALUE
                for place in range(_VALUE):
                    inputs[pair, first + place] = own_value[column, place]


@compiled
def pair_logits(
    pair_event: Array,
    pair_slot: Array,
    columns: Array,
    task_of_offer: Array,
    entity: Array,
    rows: Array,
    row_event: Array,
    row_slot: Array,
    row_weight: Array,
    wide_rows: Array,
    matches: Array,
    alone: Array,
    key_offer: Array,
    key_value: Array,
    wide: Array,
    flags: Array,
    inputs: Array,
    mixer: tuple[Array, Array, Array, Array],
    hidden: Array,
    logits: Array,
) -> None:
    """Fill ``logits`` ``(P,)`` and the mixer's ``hidden`` units ``(P, H)``, float32.

    ``alone`` ``(P,)`` is what the output layer says of the pairs; ``mixer`` is in, bias, out and linear.
    """
    events, attributes, units = len(entity), columns.shape[1], hidden.shape[1]
    weights, bias, out, linear = mixer
    width = inputs.shape[1]
    offsets = _offsets(pair_event, events)
    starts, order = _by_event(row_event, events)
    shared = np.zeros(key_value.shape[1], dtype=np.float32)
    seen = np.full(key_value.shape[1], -1, dtype=np.int64)
    listed = np.empty(key_value.shape[1], dtype=np.int64)
    for event in range(events):
        key = entity[event]
        number = 0
        for pair in range(offsets[event], offsets[event + 1]):
            for attribute in range(attributes):
                column = columns[pair_slot[pair], attribute]
                if column >= 0 and seen[column] != event:
                    seen[column] = event
                    listed[number] = column
                    number += 1
                    shared[column] = key_value[key, column]
        for at in range(starts[event], starts[event + 1]):
            place = order[at]
            row, line = rows[place], wide_rows[place]
            if line > 0:
                weight = row_weight[place]
                for one in range(number):
                    column = listed[one]
                    shared[column] += wide[line, column] * weight
            for slot in range(matches.shape[1]):
                column = matches[row, slot]
                if column >= 0 and seen[column] == event:
                    shared[column] += flags[row_slot[place], slot]
        for pair in range(offsets[event], offsets[event + 1]):
            slot = pair_slot[pair]
            task = task_of_offer[slot]
            first = task * width
            logit = alone[pair] + key_offer[key, slot]
            for unit in range(units):
                hidden[pair, unit] = bias[task, unit]
            for place in range(_BASE):
                value = inputs[pair, place]
                logit += value * linear[first + place]
                for unit in range(units):
                    hidden[pair, unit] += value * weights[first + place, unit]
            for attribute in range(attributes):
                column = columns[slot, attribute]
                if column < 0:
                    continue
                logit += shared[column]
                begin = _BASE + attribute * _VALUE
                for place in range(begin, begin + _VALUE):
                    value = inputs[pair, place]
                    logit += value * linear[first + place]
                    for unit in range(units):
                        hidden[pair, unit] += value * weights[first + place, unit]
            for unit in range(units):
                value = hidden[pair, unit]
                if value < 0.0:
                    value = np.float32(0.0)
                    hidden[pair, unit] = value
                logit += value * out[task, unit]
            logits[pair] = logit


@compiled
def _adagrad(weight: Array, squares: Array, row: int, column: int, slope: float, rate: float) -> None:
    total = squares[row, column] + slope * slope
    squares[row, column] = total
    weight[row, column] -= rate * slope / (math.sqrt(total) + np.float32(1e-10))


@compiled
def train_cells(
    pair_event: Array,
    pair_slot: Array,
    columns: Array,
    entity: Array,
    gradient: Array,
    key_offer: tuple[Array, Array],
    key_value: tuple[Array, Array],
    offer_rate: float,
    value_rate: float,
) -> None:
    """Step the keys' cells, weights beside their squares, each along its sum over the step's events."""
    events, attributes = len(entity), columns.shape[1]
    rate_o, rate_v = np.float32(offer_rate), np.float32(value_rate)
    offsets = _offsets(pair_event, events)
    sums_o = np.zeros(key_offer[0].shape[1], dtype=np.float32)
    sums_v = np.zeros(key_value[0].shape[1], dtype=np.float32)
    marked_o, marked_v = np.zeros(len(sums_o), dtype=np.uint8), np.zeros(len(sums_v), dtype=np.uint8)
    listed_o, listed_v = np.empty(len(sums_o), dtype=np.int64), np.empty(len(sums_v), dtype=np.int64)
    done = np.zeros(events, dtype=np.uint8)
    for event in range(events):
        key = entity[event]
        if key == 0 or done[event]:
            continue
        number_o = number_v = 0
        for other in range(event, events):
            if entity[other] != key:
                continue
            done[other] = 1
            for pair in range(offsets[other], offsets[other + 1]):
                slot = pair_slot[pair]
                if not marked_o[slot]:
                    marked_o[slot] = 1
                    listed_o[number_o] = slot
                    number_o += 1
                sums_o[slot] += gradient[pair]
                for attribute in range(attributes):
                    column = columns[slot, attribute]
                    if column >= 0:
                        if not marked_v[column]:
                            marked_v[column] = 1
                            listed_v[number_v] = column
                            number_v += 1
                        sums_v[column] += gradient[pair]
        for one in range(number_o):
            slot = listed_o[one]
            _adagrad(key_offer[0], key_offer[1], key, slot, sums_o[slot], rate_o)
            sums_o[slot] = 0.0
            marked_o[slot] = 0
        for one in range(number_v):
            column = listed_v[one]
            _adagrad(key_value[0], key_value[1], key, column, sums_v[column], rate_v)
            sums_v[column] = 0.0
            marked_v[column] = 0


@compiled
def train_wide(
    events: int,
    rows: Array,
    row_event: Array,
    row_slot: Array,
    row_weight: Array,
    wide_rows: Array,
    matches: Array,
    by_value: Array,
    used: Array,
    mark: Array,
    wide: tuple[Array, Array],
    flags: tuple[Array, Array],
    wide_rate: float,
    flag_rate: float,
) -> None:
    """Step the wide cells and the flags along the sums of ``by_value`` ``(B, values)``; ``used`` are its columns.

    ``mark`` int32, by wide row, is zero before and after.
    """
    rate = np.float32(wide_rate)
    place_of = np.full(len(rows), -1, dtype=np.int64)
    lines = np.empty(len(rows), dtype=np.int64)
    number = 0
    for place in range(len(rows)):
        line = wide_rows[place]
        if line > 0:
            if mark[line] == 0:
                lines[number] = line
                number += 1
                mark[line] = number
            place_of[place] = mark[line] - 1
    size = len(used)
    dense = np.empty((events, size), dtype=np.float32)
    for event in range(events):
        for one in range(size):
            dense[event, one] = by_value[event, used[one]]
    # In blocks of rows, for an event may have very many.
    block = max(1, _CELLS // max(1, size))
    sums = np.zeros((min(block, number), size), dtype=np.float32)
    for first in range(0, number, block):
        last = min(first + block, number)
        sums[:] = 0.0
        for place in range(len(rows)):
            at, event = place_of[place], row_event[place]
            if first <= at < last:
                weight = row_weight[place]
                for one in range(size):
                    sums[at - first, one] += dense[event, one] * weight
        for at in range(first, last):
            mark[lines[at]] = 0
            for one in range(size):
                slope = sums[at - first, one]
                if slope != 0.0:
                    _adagrad(wide[0], wide[1], lines[at], used[one], slope, rate)
    total: Array = np.zeros(flags[0].shape, dtype=np.float32)
    for place in range(len(rows)):
        for slot in range(matches.shape[1]):
            column = matches[rows[place], slot]
            if column >= 0:
                total[row_slot[place], slot] += by_value[row_event[place], column]
    for row in range(total.shape[0]):
        for slot in range(total.shape[1]):
            if total[row, slot] != 0.0:
                _adagrad(flags[0], flags[1], row, slot, total[row, slot], np.float32(flag_rate))


@compiled
def train_mixer(
    pair_slot: Array,
    columns: Array,
    task_of_offer: Array,
    gradient: Array,
    inputs: Array,
    hidden: Array,
    out: Array,
    sums: tuple[Array, Array, Array, Array],
) -> None:
    """Add up the mixer's gradients by task, in the order of :func:`pair_logits`' ``mixer``; zero before."""
    width, units, attributes = inputs.shape[1], hidden.shape[1], columns.shape[1]
    by_weights, by_bias, by_out, by_linear = sums
    back = np.empty(units, dtype=np.float32)
    for pair in range(len(pair_slot)):
        slope = gradient[pair]
        if slope == 0.0:
            continue
        slot = pair_slot[pair]
        task = task_of_offer[slot]
        first = task * width
        for unit in range(units):
            active = hidden[pair, unit]
            by_out[task, unit] += slope * active
            change = slope * out[task, unit] if active > 0.0 else np.float32(0.0)
            back[unit] = change
            by_bias[task, unit] += change
        for block in range(attributes + 1):
            if block == 0:
                begin, end = 0, _BASE
            else:
                if columns[slot, block - 1] < 0:
                    continue
                begin = _BASE + (block - 1) * _VALUE
                end = begin + _VALUE
            for place in range(begin, end):
                value = inputs[pair, place]
                by_linear[first + place] += slope * value
                if value != 0.0:
                    for unit in range(units):
                        by_weights[first + place, unit] += value * back[unit]


@compiled
def update_counts(
    pair_event: Array,
    pair_slot: Array,
    columns: Array,
    possible: Array,
    taken: Array,
    entity: Array,
    ts: Array,
    rows: Array,
    row_event: Array,
    matches: Array,
    half_life_ms: float,
    faded: float,
    base: float,
    rates: Array,
    expected: Array,
    offers: tuple[Array, Array, Array, Array],
    values: tuple[Array, Array, Array, Array, Array],
    keys: tuple[Array, Array, Array, Array, Array, Array],
    key_offer: tuple[Array, Array],
    key_value: tuple[Array, Array, Array, Array, Array, Array],
) -> tuple[float, float]:
    """Count some events whose ``rates`` and ``expected`` :func:`count_inputs` gave; return their takes and pairs."""
    events, attributes = len(entity), columns.shape[1]
    if faded != 1.0:
        for slot in range(len(offers[0])):
            offers[2][slot] *= faded
            offers[3][slot] *= faded
        for column in range(len(values[0])):
            values[2][column] *= faded
            values[3][column] *= faded
    # Each key moves to its newest event time, and what is recent of it fades on the way.
    for event in range(events):
        key = entity[event]
        newest = ts[event]
        first = True
        for other in range(events):
            if entity[other] == key:
                if other < event:
                    first = False
                    break
                newest = max(newest, ts[other])
        if not first or key == 0:
            continue
        if keys[4][key] > 0.0:
            newest = max(newest, keys[5][key])
            fade = 0.5 ** ((newest - keys[5][key]) / half_life_ms)
            if fade != 1.0:
                keys[2][key] *= fade
                keys[3][key] *= fade
                for column in range(len(values[0])):
                    key_value[2][key, column] *= fade
                    key_value[3][key, column] *= fade
                    key_value[4][key, column] *= fade
        keys[5][key] = newest
    all_taken = all_possible = 0.0
    for event in range(events):
        if entity[event] > 0:
            keys[4][entity[event]] += 1.0
    for pair in range(len(pair_slot)):
        slot, key = pair_slot[pair], entity[pair_event[pair]]
        took, could = np.float64(taken[pair]), 1.0 if possible[pair] else 0.0
        all_taken += took
        all_possible += could
        own, rate = expected[pair] * could, rates[pair] * could
        offers[0][slot] += took
        offers[1][slot] += could
        offers[2][slot] += took
        offers[3][slot] += could
        if key > 0:
            keys[0][key] += took
            keys[1][key] += rate
            keys[2][key] += took
            keys[3][key] += rate
            key_offer[0][key, slot] += took
            key_offer[1][key, slot] += own
        for attribute in range(attributes):
            column = columns[slot, attribute]
            if column < 0:
                continue
            values[0][column] += took
            values[1][column] += base * could
            values[2][column] += took
            values[3][column] += base * could
            if key > 0:
                key_value[0][key, column] += took
                key_value[1][key, column] += own
                key_value[2][key, column] += took
                key_value[3][key, column] += own
                if took > 0.0:
                    key_value[4][key, column] = 1.0
    starts, order = _by_event(row_event, events)
    seen = np.full(len(values[0]), -1, dtype=np.int64)
    for event in range(events):
        for at in range(starts[event], starts[event + 1]):
            for slot in range(matches.shape[1]):
                column = matches[rows[order[at]], slot]
                if column >= 0 and seen[column] != event:
                    seen[column] = event
                    values[4][column] += 1.0
                    if entity[event] > 0:
                        key_value[5][entity[event], column] += 1.0
    return all_taken, all_possible
