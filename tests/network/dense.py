"""Cells as a dense table, for tests: what each row has with each column."""

from __future__ import annotations

import numpy as np
import torch

from stream.network.cells import Cells

__all__ = ["dense", "dense_counts"]


def dense(cells: Cells, kind: str = "weight") -> torch.Tensor:
    """Return weights, or ``squares``, as ``(rows, columns)``; what has no cell is as one that just began."""
    start = cells.prior if kind == "squares" else 0.0
    found = torch.full((len(cells.row_lives), len(cells.column_lives)), start)
    rows, columns, places = cells.live()
    found[torch.from_numpy(rows), torch.from_numpy(columns)] = getattr(cells, kind)[torch.from_numpy(places)]
    return found


def dense_counts(cells: Cells, place: int) -> np.ndarray:
    """Return one of the counts as ``(rows, columns)``, 0 where there is no cell."""
    found = np.zeros((len(cells.row_lives), len(cells.column_lives)))
    rows, columns, places = cells.live()
    found[rows, columns] = cells.counts[places, place]
    return found
