"""Where a version keeps what belongs to one pair: the key's cells and counts, and the cells of an input's values.

These few functions are all that knows how the arrays lie; everything else asks here. They are compiled into those that
ask: who changes them, or `stream.network.cell_kernels`, has to see to it that what was compiled before is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stream.compiler.jit import compiled_freely
from stream.network.cell_kernels import cell_of

__all__ = ["key_offer_cell", "key_value_cell", "pair_cells", "wide_cell"]

Array = np.ndarray[Any, Any]

_PARTS = ("index", "names", "row_lives", "column_lives", "weights", "counts")
_COUNTS = ("key_open", "key_open_recent", "key_ts", "open_expected", "value_open_expected")
_HALF = np.int64(32)


def pair_cells(arrays: Mapping[str, np.ndarray], open_events: float, half_life_ms: float) -> tuple[Array, ...]:
    """Return the arrays as the functions below take them."""
    kinds = (arrays[f"cells/{kind}/{part}"] for kind in ("key_offer", "key_value", "wide") for part in _PARTS)
    counts = (arrays[f"counts/{name}"] for name in _COUNTS)
    return (*kinds, *counts, np.array([1.0 / max(1.0, open_events), half_life_ms]))


@compiled_freely
def key_offer_cell(cells: tuple[Array, ...], row: int, slot: int) -> tuple[float, float, float]:
    """Return a key's weight for an offer, what it took of it, and what was expected."""
    cell = cell_of(cells[0], cells[1], cells[2][row] << _HALF | cells[3][slot])
    if cell < 0:
        return 0.0, 0.0, cells[18][row] * cells[21][slot] * cells[23][0]
    return float(cells[4][cell, 0]), cells[5][cell, 0], cells[5][cell, 1]


@compiled_freely
def key_value_cell(cells: tuple[Array, ...], row: int, column: int, found: Array) -> None:
    """Fill `found` float32 `(7,)`: weight, taken, expected, both of lately, the last one's trace, seen.

    What is of lately stands at the key's newest time.
    """
    cell = cell_of(cells[6], cells[7], cells[8][row] << _HALF | cells[9][column])
    if cell < 0:
        share = cells[22][column] * cells[23][0]
        found[:] = np.float32(0.0)
        found[2] = cells[18][row] * share
        found[4] = cells[19][row] * share
        return
    kept = 0.5 ** ((cells[20][row] - cells[11][cell, 6]) / cells[23][1])
    found[0] = cells[10][cell, 0]
    found[1] = cells[11][cell, 0]
    found[2] = cells[11][cell, 1]
    found[3] = cells[11][cell, 2] * kept
    found[4] = cells[11][cell, 3] * kept
    found[5] = cells[11][cell, 4] * kept
    found[6] = cells[11][cell, 5]


@compiled_freely
def wide_cell(cells: tuple[Array, ...], row: int, column: int) -> Any:
    """Return the weight between an input's value (its vocabulary row) and an attribute value."""
    cell = cell_of(cells[12], cells[13], cells[14][row + 1] << _HALF | cells[15][column])
    return cells[16][cell, 0] if cell >= 0 else np.float32(0.0)
