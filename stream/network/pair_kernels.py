"""The pair part's logits and training, compiled: one pass each over the pairs of a step.

What they compute the plain passes of `stream.network.pairs` and `stream.network.mixer` say. What a value adds
is computed once an event, forward and back: a pair adds up. A pair's bits never depend on what else stands in the step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled

__all__ = ["pair_logits", "train_pairs"]

Array = np.ndarray[Any, Any]

_BASE, _VALUE = 7, 6
_ZERO, _TINY = np.float32(0.0), np.float32(1e-10)


@compiled
def pair_logits(
    pair_offsets: Array,
    pair_slot: Array,
    pair_value: Array,
    value_offsets: Array,
    value_pair: Array,
    value_attribute: Array,
    task_of_offer: Array,
    cells: tuple[Array, Array],
    weights: tuple[Array, Array, Array],
    use: tuple[Array, Array, Array],
    row_weight: Array,
    match: tuple[Array, Array, Array],
    row_slot: Array,
    flags: Array,
    alone: Array,
    inputs: Array,
    mixer: tuple[Array, Array, Array, Array],
    own: Array,
    own_hidden: Array,
    hidden: Array,
    logits: Array,
) -> None:
    """Fill `logits` `(P,)` and the mixer's `hidden` units `(P, H)`, float32.

    `cells` are by pair and by value, `weights` those of key x offer, key x value and wide; `use` and `match`
    are row, cell or slot, and value. `alone` `(P,)` is what the output layer says; `mixer` is in, bias,
    out and linear. `own` `(V,)` and `own_hidden` `(V, H)` are room for what the values add.
    """
    events, units, width = len(pair_offsets) - 1, hidden.shape[1], inputs.shape[1]
    by_input, bias, out, linear = mixer
    for value in range(len(value_pair)):
        pair = value_pair[value]
        begin = _BASE + value_attribute[value] * _VALUE
        first = task_of_offer[pair_slot[pair]] * width + begin
        cell = cells[1][value]
        total = weights[1][cell, 0] if cell >= 0 else _ZERO
        for unit in range(units):
            own_hidden[value, unit] = _ZERO
        for place in range(_VALUE):
            number = inputs[pair, begin + place]
            total += number * linear[first + place]
            for unit in range(units):
                own_hidden[value, unit] += number * by_input[first + place, unit]
        own[value] = total
    for one in range(len(use[0])):
        own[use[2][one]] += weights[2][use[1][one], 0] * row_weight[use[0][one]]
    for one in range(len(match[0])):
        own[match[2][one]] += flags[row_slot[match[0][one]], match[1][one]]
    for event in range(events):
        for pair in range(pair_offsets[event], pair_offsets[event + 1]):
            task = task_of_offer[pair_slot[pair]]
            first, cell = task * width, cells[0][pair]
            logit = alone[pair]
            if cell >= 0:
                logit += weights[0][cell, 0]
            for unit in range(units):
                hidden[pair, unit] = bias[task, unit]
            for place in range(_BASE):
                number = inputs[pair, place]
                logit += number * linear[first + place]
                for unit in range(units):
                    hidden[pair, unit] += number * by_input[first + place, unit]
            for attribute in range(pair_value.shape[1]):
                value = pair_value[pair, attribute]
                if value >= 0:
                    logit += own[value]
                    for unit in range(units):
                        hidden[pair, unit] += own_hidden[value, unit]
            for unit in range(units):
                number = max(hidden[pair, unit], _ZERO)
                hidden[pair, unit] = number
                logit += number * out[task, unit]
            logits[pair] = logit


@compiled
def _adagrad(weights: Array, cell: int, rate: Any) -> None:
    """Step a cell along the sum that it holds, if there is one."""
    slope = weights[cell, 2]
    if slope != _ZERO:
        total = weights[cell, 1] + slope * slope
        weights[cell, 1] = total
        weights[cell, 0] -= rate * slope / (math.sqrt(total) + _TINY)
        weights[cell, 2] = _ZERO


@compiled
def train_pairs(
    pair_offsets: Array,
    pair_slot: Array,
    pair_value: Array,
    value_pair: Array,
    value_attribute: Array,
    task_of_offer: Array,
    cells: tuple[Array, Array],
    weights: tuple[Array, Array, Array],
    rates: tuple[float, float, float],
    use: tuple[Array, Array, Array],
    row_weight: Array,
    match: tuple[Array, Array, Array],
    row_slot: Array,
    flags: Array,
    gradient: Array,
    inputs: Array,
    hidden: Array,
    out: Array,
    own: Array,
    own_hidden: Array,
    sums: tuple[Array, Array, Array, Array],
) -> None:
    """Step the cells along the `gradient` by logit `(P,)`; add up those of the mixer (`sums`) and of the flags.

    Each cell takes one step along its sum over the step's events. `sums` and `flags` are zero before.
    """
    units, width, attributes = hidden.shape[1], inputs.shape[1], pair_value.shape[1]
    by_input, by_bias, by_out, by_linear = sums
    own[:] = _ZERO
    own_hidden[:] = _ZERO
    back = np.empty(units, dtype=np.float32)
    for pair in range(len(pair_slot)):
        slope = gradient[pair]
        if slope == _ZERO:
            continue
        task = task_of_offer[pair_slot[pair]]
        first, cell = task * width, cells[0][pair]
        if cell >= 0:
            weights[0][cell, 2] += slope
        for unit in range(units):
            active = hidden[pair, unit]
            by_out[task, unit] += slope * active
            change = slope * out[task, unit] if active > _ZERO else _ZERO
            back[unit] = change
            by_bias[task, unit] += change
        for place in range(_BASE):
            number = inputs[pair, place]
            by_linear[first + place] += slope * number
            for unit in range(units):
                by_input[first + place, unit] += number * back[unit]
        for attribute in range(attributes):
            value = pair_value[pair, attribute]
            if value >= 0:
                own[value] += slope
                for unit in range(units):
                    own_hidden[value, unit] += back[unit]
    for value in range(len(value_pair)):
        pair, cell = value_pair[value], cells[1][value]
        begin = _BASE + value_attribute[value] * _VALUE
        first = task_of_offer[pair_slot[pair]] * width + begin
        if cell >= 0:
            weights[1][cell, 2] += own[value]
        for place in range(_VALUE):
            number = inputs[pair, begin + place]
            by_linear[first + place] += own[value] * number
            if number != _ZERO:
                for unit in range(units):
                    by_input[first + place, unit] += number * own_hidden[value, unit]
    for one in range(len(use[0])):
        weights[2][use[1][one], 2] += own[use[2][one]] * row_weight[use[0][one]]
    for one in range(len(match[0])):
        flags[row_slot[match[0][one]], match[1][one]] += own[match[2][one]]
    rate = np.float32(rates[0])
    for pair in range(len(pair_slot)):
        if cells[0][pair] >= 0:
            _adagrad(weights[0], cells[0][pair], rate)
    rate = np.float32(rates[1])
    for value in range(len(value_pair)):
        if cells[1][value] >= 0:
            _adagrad(weights[1], cells[1][value], rate)
    rate = np.float32(rates[2])
    for one in range(len(use[0])):
        _adagrad(weights[2], use[1][one], rate)
