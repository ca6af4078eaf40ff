"""A series of numbers as one line of blocks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

__all__ = ["Values", "bounds", "sparkline"]

_BLOCKS = "▁▂▃▄▅▆▇█"

Values = Collection[float | None]


def bounds(*series: Values) -> tuple[float, float] | None:
    """Return the smallest and largest value of all series together, so that they can share a scale; None of none."""
    known = [value for values in series for value in values if value is not None]
    return (min(known), max(known)) if known else None


def sparkline(values: Values, width: int, scale: tuple[float, float] | None = None) -> str:
    """Draw `values` with a block for each, or for each group of neighbours if there are more than `width`.

    A group is drawn at its mean, and blank if it holds nothing but None. `scale` gives the values of the lowest and
    highest block; by default those of the series. A series that does not move lies in the middle.
    """
    cells = _cells(list(values), width)
    low, high = scale or bounds(cells) or (0.0, 0.0)
    return "".join(" " if cell is None else _block(cell, low, high) for cell in cells)


def _cells(values: Sequence[float | None], width: int) -> Sequence[float | None]:
    if len(values) <= width:
        return values
    edges = [len(values) * cell // width for cell in range(width + 1)]
    return [_mean(values[start:end]) for start, end in pairwise(edges)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _block(value: float, low: float, high: float) -> str:
    height = (value - low) / (high - low) if high > low else 0.5
    return _BLOCKS[round(min(max(height, 0.0), 1.0) * (len(_BLOCKS) - 1))]
