"""What the network reads of each pair beside the hidden activations: running counts, and the sum of its cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled_freely
from stream.encoding.batch import Batch
from stream.scoring.cells import key_offer_cell, key_value_cell
from stream.scoring.loops import BASE_INPUTS, VALUE_INPUTS
from stream.scoring.scorer import Scorer

__all__ = ["pair_inputs"]

Array = np.ndarray[Any, Any]


def pair_inputs(scorer: Scorer, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Return the running counts `(P, width)` and the sums of cells and flags `(P,)` of a batch's pairs, float32."""
    width = BASE_INPUTS + scorer.columns.shape[1] * VALUE_INPUTS
    counts, cells = np.zeros((batch.pairs, width), dtype=np.float32), np.zeros(batch.pairs)
    entities = scorer.entities(batch)
    bounds = np.searchsorted(batch.row_event, np.arange(len(batch) + 1))
    for event in range(len(batch)):
        pairs = slice(int(batch.offsets[event]), int(batch.offsets[event + 1]))
        slots = batch.pair_slot[pairs]
        _fill(
            slots,
            scorer.columns,
            int(entities[event]),
            float(batch.ts[event]),
            scorer.half_life_ms,
            scorer.key_strength,
            scorer.keys,
            scorer.cells,
            scorer.offer_inputs,
            scorer.lately,
            scorer.often,
            counts[pairs],
            cells[pairs],
        )
        for place in range(bounds[event], bounds[event + 1]):
            row, slot, weight = int(batch.rows[place]), int(batch.row_slot[place]), float(batch.row_weight[place])
            cells[pairs] += scorer.direct(row, slot, weight, scorer.columns[slots])
    return counts, cells.astype(np.float32)


@compiled_freely
def _log_ratio(taken: float, expected: float) -> Any:
    return math.log((taken + 1.0) / (expected + 1.0))


@compiled_freely
def _fill(
    slots: Array,
    columns: Array,
    key: int,
    ts: float,
    half_life_ms: float,
    key_strength: float,
    keys: tuple[Array, Array, Array, Array, Array, Array],
    cells: tuple[Array, ...],
    inputs: Array,
    lately: Array,
    often: Array,
    counts: Array,
    sums: Array,
) -> None:
    cell = np.empty(7, dtype=np.float32)
    fade = 0.5 ** (max(0.0, ts - keys[5][key]) / half_life_ms)
    propensity = (keys[0][key] + key_strength) / (keys[1][key] + key_strength)
    recent = (keys[2][key] * fade + key_strength) / (keys[3][key] * fade + key_strength)
    for pair in range(len(slots)):
        slot = slots[pair]
        weight, taken, expected = key_offer_cell(cells, key, slot)
        counts[pair, 0], counts[pair, 1] = inputs[slot, 0], inputs[slot, 1]
        counts[pair, 2], counts[pair, 3] = math.log(propensity), math.log(recent / propensity)
        counts[pair, 4], counts[pair, 5] = _log_ratio(taken, expected), inputs[slot, 2]
        counts[pair, 6] = math.log1p(keys[1][key]) / 4.0
        sums[pair] = weight
        for attribute in range(columns.shape[1]):
            column = columns[slot, attribute]
            if column < 0:
                continue
            key_value_cell(cells, key, column, cell)
            at = BASE_INPUTS + attribute * VALUE_INPUTS
            sums[pair] += cell[0]
            counts[pair, at] = _log_ratio(cell[1], cell[2])
            counts[pair, at + 1] = _log_ratio(cell[3] * fade, cell[4] * fade)
            counts[pair, at + 2] = lately[column]
            counts[pair, at + 3] = math.log1p(cell[2])
            counts[pair, at + 4] = cell[5] * fade
            counts[pair, at + 5] = _log_ratio(cell[6], keys[4][key] * often[column])
