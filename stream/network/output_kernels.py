"""The output layer's passes over the pairs that are shown, compiled: scores, gradients and Newton steps.

What each computes, the plain passes of `stream.network.output_layer` say. Nothing here is as large as what is
reserved: rows that no pair shows are not read. Pairs of one row of the hidden activations that stand together, a *run*,
share what they say of an attribute value. `seen` int64, `sums` float32 and `listed` int64, by value slot, are
scratch, in which runs are told apart by their number; `run` is the last one so far, and is returned.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled, summed

__all__ = ["gradients", "hidden_gradient", "move", "scores", "turned"]

Array = np.ndarray[Any, Any]

_ONE = np.float32(1.0)


@summed
def _product(left: Array, event: int, right: Array, row: int) -> Any:
    # By two indices each: a row as a view of its own costs more than its product.
    total = np.float32(0.0)
    for place in range(left.shape[1]):
        total += left[event, place] * right[row, place]
    return total


@compiled
def scores(
    pair_event: Array,
    pair_slot: Array,
    columns: Array,
    hidden: Array,
    offer: Array,
    offer_bias: Array,
    value: Array,
    value_bias: Array,
    seen: Array,
    sums: Array,
    run: int,
    alone: Array,
) -> int:
    """Fill `alone` `(P,)` from `hidden` `(rows, width)`."""
    last = -1
    for pair in range(len(pair_slot)):
        event, slot = pair_event[pair], pair_slot[pair]
        if event != last:
            last = event
            run += 1
        score = _product(hidden, event, offer, slot) + offer_bias[slot]
        for attribute in range(columns.shape[1]):
            column = columns[slot, attribute]
            if column >= 0:
                if seen[column] != run:
                    seen[column] = run
                    sums[column] = _product(hidden, event, value, column) + value_bias[column]
                score += sums[column]
        alone[pair] = score
    return run


@compiled
def gradients(
    pair_event: Array,
    pair_slot: Array,
    taken: Array,
    weight: Array,
    muted: Array,
    logits: Array,
    gradient: Array,
    information: Array,
) -> None:
    """Fill the loss's `gradient` by logit and its Fisher `information`, `(P,)` each."""
    for pair in range(len(pair_slot)):
        if muted[pair_slot[pair]]:
            gradient[pair] = information[pair] = 0.0
            continue
        share = weight[pair_event[pair]]
        chance = _ONE / (_ONE + math.exp(-logits[pair]))
        change = (chance - taken[pair]) * share
        gradient[pair] = change
        information[pair] = chance * (_ONE - chance) * share if change != 0.0 else 0.0


@compiled
def _add(total: Array, at: int, rows: Array, row: int, share: float, width: int) -> None:
    for place in range(width):
        total[at, place] += share * rows[row, place]


@compiled
def _add_four(total: Array, at: int, rows: Array, four: Array, shares: Array, width: int) -> None:
    first, second, third, last = four[0], four[1], four[2], four[3]
    a, b, c, d = shares[0], shares[1], shares[2], shares[3]
    for place in range(width):
        total[at, place] += (
            a * rows[first, place] + b * rows[second, place] + c * rows[third, place] + d * rows[last, place]
        )


@compiled
def hidden_gradient(
    pair_event: Array,
    pair_slot: Array,
    columns: Array,
    gradient: Array,
    offer: Array,
    value: Array,
    seen: Array,
    sums: Array,
    listed: Array,
    run: int,
    total: Array,
) -> int:
    """Add to `total` `(rows, width)` the gradient by the hidden activations."""
    pairs, width = len(pair_slot), total.shape[1]
    last, number, held = -1, 0, 0
    four, shares = np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.float32)
    for pair in range(pairs + 1):
        event = pair_event[pair] if pair < pairs else -1
        if event != last:
            for place in range(held):
                _add(total, last, offer, four[place], shares[place], width)
            held = 0
            for place in range(number):
                _add(total, last, value, listed[place], sums[listed[place]], width)
            last, number = event, 0
            run += 1
        if pair == pairs or gradient[pair] == 0.0:
            continue
        slot, slope = pair_slot[pair], gradient[pair]
        four[held], shares[held] = slot, slope
        held += 1
        if held == 4:  # one pass over the event's row for as many of the offers'
            _add_four(total, event, offer, four, shares, width)
            held = 0
        for attribute in range(columns.shape[1]):
            column = columns[slot, attribute]
            if column >= 0:
                if seen[column] != run:
                    seen[column] = run
                    sums[column] = 0.0
                    listed[number] = column
                    number += 1
                sums[column] += slope
    return run


@compiled
def turned(
    pair_event: Array,
    pair_slot: Array,
    columns: Array,
    gradient: Array,
    information: Array,
    design: Array,
    values: Array,
    keep: float,
    damping: float,
    offer_curvature: Array,
    value_curvature: Array,
    offer_open: Array,
    value_open: Array,
    opens: bool,
    offer_mark: Array,
    value_mark: Array,
    seen: Array,
    sums: Array,
    listed: Array,
    run: int,
    slots: Array,
    gained: Array,
    total: Array,
) -> tuple[int, int]:
    """Add up each row's gradient in `total`, with `design` turned already, and divide it by the row's curvature.

    A row trains if its `open` says `opens`. Rows get their places in `total` as they are met; `slots` has an
    offer's slot, and `-1 - slot` of a value. Marks int32, by slot, are zero before and after. Returns how many rows,
    and the last run.
    """
    pairs = len(pair_slot)
    last, number, rows = -1, 0, 0
    for pair in range(pairs + 1):
        event = pair_event[pair] if pair < pairs else -1
        if event != last:
            for place in range(number):
                column = listed[place]
                _add(total, value_mark[column] - 1, design, last, sums[column], total.shape[1])
            last, number = event, 0
            run += 1
        if pair == pairs or gradient[pair] == 0.0:
            continue
        slot, slope = pair_slot[pair], gradient[pair]
        if offer_open[slot] == opens:
            if offer_mark[slot] == 0:
                slots[rows], gained[rows] = slot, 0.0
                for place in range(total.shape[1]):
                    total[rows, place] = 0.0
                rows += 1
                offer_mark[slot] = rows
            place = offer_mark[slot] - 1
            gained[place] += information[pair]
            _add(total, place, design, event, slope, total.shape[1])
        for attribute in range(columns.shape[1]):
            column = columns[slot, attribute]
            if column < 0 or value_open[column] != opens:
                continue
            if value_mark[column] == 0:
                slots[rows], gained[rows] = -1 - column, 0.0
                for place in range(total.shape[1]):
                    total[rows, place] = 0.0
                rows += 1
                value_mark[column] = rows
            gained[value_mark[column] - 1] += information[pair]
            if seen[column] != run:
                seen[column] = run
                sums[column] = 0.0
                listed[number] = column
                number += 1
            sums[column] += slope
    for place in range(rows):
        slot = slots[place]
        if slot >= 0:
            offer_mark[slot] = 0
            held = np.float32(keep) * offer_curvature[slot] + gained[place]
            offer_curvature[slot] = held
        else:
            value_mark[-1 - slot] = 0
            held = np.float32(keep) * value_curvature[-1 - slot] + gained[place]
            value_curvature[-1 - slot] = held
        for column in range(total.shape[1]):
            total[place, column] /= np.float32(damping) + held * values[column]
    return rows, run


@compiled
def move(
    slots: Array,
    moves: Array,
    offer: Array,
    offer_bias: Array,
    value: Array,
    value_bias: Array,
    offer_rate: float,
    value_rate: float,
) -> None:
    """Take the `moves` `(rows, width + 1)` of the rows in `slots`, against them."""
    width = offer.shape[1]
    for place in range(len(slots)):
        slot = slots[place]
        if slot >= 0:
            _add(offer, slot, moves, place, -np.float32(offer_rate), width)
            offer_bias[slot] -= np.float32(offer_rate) * moves[place, width]
        else:
            _add(value, -1 - slot, moves, place, -np.float32(value_rate), width)
            value_bias[-1 - slot] -= np.float32(value_rate) * moves[place, width]
