"""The optimisers' steps and the passes over vocabulary rows, compiled: what each computes is said by the plain one.

See `stream.network.table.Table.step` and `stream.network.input_layer`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled

__all__ = ["adagrad", "adam", "pool", "train_rows", "unbent"]

Array = np.ndarray[Any, Any]


@compiled
def adam(
    weight: Array,
    first: Array,
    second: Array,
    steps: Array,
    late: Array,
    gradient: Array,
    rows: Array,
    whole: bool,
    rate: float,
    haste: float,
    haste_steps: float,
    floor: float,
) -> None:
    """Step `rows` of `weight` `(n, m)` along their lines of `gradient`: all of its lines, if there is no row.

    `whole` says that `gradient` has a line for every row of the table, not only for `rows`.
    """
    for at in range(len(rows) if len(rows) else len(gradient)):
        row = rows[at] if len(rows) else at
        place = row if whole else at
        steps[row] += 1.0
        step = np.float64(steps[row])
        scale = math.sqrt(1.0 - 0.999**step) / (1.0 - 0.9**step)
        length = np.float32(rate * scale * (1.0 + haste * late[row] / (1.0 + step / haste_steps)))
        least = np.float32(floor * math.sqrt(1.0 - 0.999**step))
        for column in range(weight.shape[1]):
            slope = gradient[place, column]
            mean = first[row, column] + np.float32(0.1) * (slope - first[row, column])
            square = np.float32(0.999) * second[row, column] + np.float32(0.001) * slope * slope
            first[row, column] = mean
            second[row, column] = square
            weight[row, column] -= length * mean / (math.sqrt(square) + least)


@compiled
def adagrad(weight: Array, squares: Array, gradient: Array, rows: Array, whole: bool, rate: float) -> None:
    """Step as `adam` does."""
    length = np.float32(rate)
    for at in range(len(rows) if len(rows) else len(gradient)):
        row = rows[at] if len(rows) else at
        place = row if whole else at
        for column in range(weight.shape[1]):
            slope = gradient[place, column]
            total = squares[row, column] + slope * slope
            squares[row, column] = total
            weight[row, column] -= length * slope / (math.sqrt(total) + np.float32(1e-10))


@compiled
def unbent(gradient: Array, bent: Array, inner: Array, total: Array) -> None:
    """Fill `inner` `(B, width)` with the gradient behind a ReLU that gave `bent`, and `total` with its sums."""
    total[:] = 0.0
    for event in range(len(gradient)):
        for unit in range(gradient.shape[1]):
            slope = gradient[event, unit] if bent[event, unit] > 0.0 else np.float32(0.0)
            inner[event, unit] = slope
            total[unit] += slope


@compiled
def pool(rows: Array, row_event: Array, row_slot: Array, row_weight: Array, table: Array, pooled: Array) -> None:
    """Fill `pooled` `(B, slots, width)` with the sums of the active rows of `table`, each by its weight."""
    pooled[:] = 0.0
    for place in range(len(rows)):
        event, slot, row, weight = row_event[place], row_slot[place], rows[place], row_weight[place]
        for column in range(table.shape[1]):
            pooled[event, slot, column] += table[row, column] * weight


@compiled
def train_rows(
    rows: Array,
    row_event: Array,
    row_slot: Array,
    row_weight: Array,
    by_slot: Array,
    weight: Array,
    squares: Array,
    rate: float,
    mark: Array,
) -> None:
    """Take an Adagrad step for each distinct row along its sum of `by_slot` `(B, slots, width)`.

    `mark` int32, by row, is zero before and after.
    """
    width, length = weight.shape[1], np.float32(rate)
    sums = np.zeros((len(rows), width), dtype=np.float32)
    lines = np.empty(len(rows), dtype=np.int64)
    number = 0
    for place in range(len(rows)):
        row = rows[place]
        if mark[row] == 0:
            lines[number] = row
            number += 1
            mark[row] = number
        at = mark[row] - 1
        share = row_weight[place]
        for column in range(width):
            sums[at, column] += by_slot[row_event[place], row_slot[place], column] * share
    for at in range(number):
        row = lines[at]
        mark[row] = 0
        for column in range(width):
            slope = sums[at, column]
            total = squares[row, column] + slope * slope
            squares[row, column] = total
            weight[row, column] -= length * slope / (math.sqrt(total) + np.float32(1e-10))
