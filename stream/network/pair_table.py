"""A weight for each (row, column) pair: what ties a key, or an input value, directly to an offer or attribute value."""

from __future__ import annotations

import numpy as np
import torch

from stream.network.descent import Descent
from stream.network.uses import Uses
from stream.state import Tree

__all__ = ["PairTable"]


class PairTable:
    """Weights ``(rows, columns)`` under element-wise Adagrad; row 0 is nobody's and stays zero.

    Only the cells with a gradient move, so an event costs its own rows. A cell is fresh where its row or its column is.
    """

    def __init__(self, *, rate: float, accumulator: float, device: torch.device) -> None:
        self.rate, self.accumulator, self.device = rate, accumulator, device
        self.weight = torch.zeros(64, 32, device=device)
        self.squares = torch.full((64, 32), accumulator, device=device)
        self.fresh_rows = torch.zeros(64, dtype=torch.bool, device=device)
        self.fresh_columns = torch.zeros(32, dtype=torch.bool, device=device)

    def _starts(self) -> dict[str, float]:
        """Return what is kept of each cell, with the value that a cell without history has."""
        return {"weight": 0.0, "squares": self.accumulator}

    def reserve(self, rows: int, columns: int) -> None:
        """Make room for ``rows`` (by doubling) and ``columns``; what is there stays."""
        have_rows, have_columns = self.weight.shape
        while rows > have_rows:
            have_rows *= 2
        columns = max(columns, have_columns)
        if (have_rows, columns) == tuple(self.weight.shape):
            return
        for name, value in self._starts().items():
            old = getattr(self, name)
            new = torch.full((have_rows, columns), value, dtype=old.dtype, device=self.device)
            new[: old.shape[0], : old.shape[1]] = old
            setattr(self, name, new)
        for name, size in (("fresh_rows", have_rows), ("fresh_columns", columns)):
            flags = torch.zeros(size, dtype=torch.bool, device=self.device)
            flags[: len(getattr(self, name))] = getattr(self, name)
            setattr(self, name, flags)

    def clear_rows(self, rows: list[int]) -> None:
        """Zero rows and their history."""
        if rows:
            for name, value in self._starts().items():
                getattr(self, name)[rows] = value
            self.fresh_rows[rows] = False

    def clear_columns(self, columns: list[int]) -> None:
        """Zero columns and their history."""
        if columns:
            for name, value in self._starts().items():
                getattr(self, name)[:, columns] = value
            self.fresh_columns[columns] = False

    def settle(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        self.fresh_rows.fill_(False)
        self.fresh_columns.fill_(False)

    @property
    def any_fresh(self) -> bool:
        """Say whether a warm-up trains any cell."""
        return bool(self.fresh_rows.any() | self.fresh_columns.any())

    def train(self, uses: Uses, by_event: torch.Tensor, descent: Descent, *, warming_up: bool) -> None:
        """Train on the gradient ``by_event`` ``(B, columns)`` of what the uses add to it; row 0 is skipped."""
        chosen = uses.rows.nonzero()[:, 0]
        if not warming_up:
            if chosen.numel():
                descent.cells(self, uses[chosen], by_event)
            return
        fresh = self.fresh_rows[uses.rows[chosen]]
        if bool(fresh.any()):
            descent.cells(self, uses[chosen[fresh]], by_event)
        columns = self.fresh_columns.nonzero()[:, 0]
        others = chosen[~fresh]
        if columns.numel() and others.numel():
            descent.cells(self, uses[others], by_event, columns)

    def descend(self, rows: torch.Tensor, gradient: torch.Tensor, columns: torch.Tensor | None = None) -> None:
        """Step along ``gradient`` ``(n, columns)`` of ``n`` distinct ``rows``."""
        cells = (rows,) if columns is None else (rows[:, None], columns)
        squares = self.squares[cells].addcmul_(gradient, gradient)
        self.squares[cells] = squares
        self.weight[cells] = self.weight[cells].addcdiv_(gradient, squares.sqrt().add_(1e-10), value=-self.rate)

    def state(self, rows: int) -> Tree:
        """Return the first ``rows`` rows as a state tree."""
        return {
            "reserved": list(self.weight.shape),
            **{name: getattr(self, name)[:rows].cpu().numpy() for name in self._starts()},
            "fresh_rows": self.fresh_rows.cpu().numpy(),
            "fresh_columns": self.fresh_columns.cpu().numpy(),
        }

    def restore(self, tree: Tree) -> None:
        """Take back what :meth:`state` returned."""
        shape = tuple(tree["reserved"])
        rows = tree["weight"].shape[0]
        for name, value in self._starts().items():
            cells = torch.full(shape, value, dtype=getattr(self, name).dtype, device=self.device)
            cells[:rows] = torch.from_numpy(tree[name].copy()).to(self.device)
            setattr(self, name, cells)
        self.fresh_rows = torch.from_numpy(tree["fresh_rows"].copy()).to(self.device)
        self.fresh_columns = torch.from_numpy(tree["fresh_columns"].copy()).to(self.device)

    def named_row(self, row: int, columns: list[int]) -> np.ndarray:
        """Return weights and history of one row over ``columns``, for the state digest."""
        return np.concatenate([getattr(self, name)[row, columns].cpu().numpy() for name in self._starts()])
