"""Consumes gradients; by default steps each table's optimiser.

The layers know which activations, errors and rows a gradient comes from; what is done with it is decided here. So a
pass of another kind over the same layers (squares instead of sums, say) needs no second copy of them.
"""

from __future__ import annotations

from typing import Protocol

import torch

from stream.network.cells import Cells
from stream.network.frame import Frame
from stream.network.table import Table

__all__ = ["Descent", "Differentiable", "Rows"]

Rows = torch.Tensor | None


class Differentiable(Protocol):
    """A network that can go back over its last forward pass."""

    def backward(
        self, frame: Frame, logits: torch.Tensor, taken: torch.Tensor, descent: Descent, *, warming_up: bool
    ) -> None:
        """Hand each table's gradient under the outcomes `taken` `(P,)` to `descent`."""


class Descent:
    """Sum the gradients over the batch's events and step each table once.

    A pass of another kind overrides what is summed (`_each`) and what is done with the sum (`_take`,
    `_take_cells`).
    """

    def train(self, network: Differentiable, frame: Frame, logits: torch.Tensor, *, warming_up: bool) -> None:
        """Go back once over the network's last forward pass, with the outcomes that came."""
        network.backward(frame, logits, frame.taken, self, warming_up=warming_up)

    def product(self, table: Table, left: torch.Tensor, right: torch.Tensor, rows: Rows = None) -> None:
        """Train on the gradient `left.T @ right`: event e contributes the outer product of its rows of the two.

        `left` `(B, n * k)` and `right` `(B, m)` give `n` rows of the table: those of `rows`, or all.
        """
        self._take(table, (self._each(left).T @ self._each(right)).view(-1, *table.shape), rows)

    def stacked(self, table: Table, left: torch.Tensor, right: torch.Tensor, rows: torch.Tensor) -> None:
        """Train `rows` `(n,)` each on a product of its own: `left` `(B, n, k)`, `right` `(B, n, m)`."""
        self._take(table, torch.einsum("bnk,bnm->nkm", self._each(left), self._each(right)), rows)

    def summed(self, table: Table, gradient: torch.Tensor, rows: Rows = None) -> None:
        """Train on the sum over events of `gradient` `(B, n * size)`, for `n` rows of the table."""
        self._take(table, self._each(gradient).sum(0).view(-1, *table.shape), rows)

    def gathered(self, table: Table, rows: torch.Tensor, gradient: torch.Tensor) -> None:
        """Train on `gradient` `(n, *shape)` of `n` uses of rows, which may repeat."""
        distinct, inverse = torch.unique(rows, return_inverse=True)
        total = torch.zeros(len(distinct), *table.shape, device=table.device)
        self._take(table, total.index_add_(0, inverse, self._each(gradient)), distinct)

    def scattered(self, table: Table, places: torch.Tensor, gradient: torch.Tensor, rows: Rows) -> None:
        """Train on `gradient` `(n,)` of single weights, at flat `places` `(n,)`; of these only `rows`."""
        flat = torch.zeros_like(table.weight).view(-1).index_add_(0, places, self._each(gradient))
        total = flat.view_as(table.weight)
        self._take(table, total if rows is None else total[rows], rows)

    def cells(self, cells: Cells, places: torch.Tensor, gradient: torch.Tensor) -> None:
        """Train on the `gradient` `(n,)` of `n` uses of cells, at `places` `(n,)`, which may repeat."""
        distinct, inverse = torch.unique(places, return_inverse=True)
        total = gradient.new_zeros(len(distinct)).index_add_(0, inverse, self._each(gradient))
        self._take_cells(cells, distinct, total)

    def _each(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return what is summed of a factor, or of each event's or use's gradient."""
        return gradient

    def _take(self, table: Table, total: torch.Tensor, rows: Rows) -> None:
        """Do with the sum `(n, *shape)` of `rows` (None: all) what the pass is for."""
        table.step(total, rows)

    def _take_cells(self, cells: Cells, places: torch.Tensor, total: torch.Tensor) -> None:
        """Do the same with the sums `(n,)` of distinct cells."""
        cells.descend(places, total)
