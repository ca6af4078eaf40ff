"""Where a version keeps what belongs to one pair: the key's cells and counts, and the cells of an input's values.

These few functions are all that knows how the arrays lie; everything else asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stream.compiler.jit import compiled_freely

__all__ = ["CELLS", "key_offer_cell", "key_value_cell", "pair_cells", "wide_cell"]

Array = np.ndarray[Any, Any]

CELLS = (
    "pairs/key_offer",
    "counts/key_offer_taken",
    "counts/key_offer_expected",
    "pairs/key_value",
    "counts/key_value_taken",
    "counts/key_value_expected",
    "counts/key_value_taken_recent",
    "counts/key_value_expected_recent",
    "counts/key_value_last",
    "counts/key_value_seen",
    "pairs/wide",
)
"""The arrays of a version that hold cells."""


def pair_cells(arrays: Mapping[str, np.ndarray]) -> tuple[Array, ...]:
    """Return the arrays as the functions below take them."""
    return tuple(arrays[name] for name in CELLS)


@compiled_freely
def key_offer_cell(cells: tuple[Array, ...], row: int, slot: int) -> tuple[float, float, float]:
    """Return a key's weight for an offer, what it took of it, and what was expected."""
    return cells[0][row, slot], cells[1][row, slot], cells[2][row, slot]


@compiled_freely
def key_value_cell(cells: tuple[Array, ...], row: int, column: int, found: Array) -> None:
    """Fill ``found`` float32 ``(7,)``: weight, taken, expected, both of lately, the last one's trace, seen."""
    found[0] = cells[3][row, column]
    found[1] = cells[4][row, column]
    found[2] = cells[5][row, column]
    found[3] = cells[6][row, column]
    found[4] = cells[7][row, column]
    found[5] = cells[8][row, column]
    found[6] = cells[9][row, column]


@compiled_freely
def wide_cell(cells: tuple[Array, ...], line: int, column: int) -> Any:
    """Return the weight between an input's value (its line; 0 has none) and an attribute value."""
    return cells[10][line, column]
