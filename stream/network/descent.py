"""What a backward pass does with the gradients that it finds: take a step with each.

The layers know where a table's gradient comes from (which activations, which errors, which rows); what is done with it
is decided here, so that a pass of another kind over the same layers (squares instead of sums, say) needs no second copy
of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from stream.network.table import Table

if TYPE_CHECKING:
    from stream.network.frame import Frame
    from stream.network.network import Network
    from stream.network.pair_table import PairTable

__all__ = ["Descent"]


class Descent:
    """Sum the gradients over the batch's events and step each table once."""

    def train(self, network: Network, frame: Frame, logits: torch.Tensor, *, warming_up: bool) -> None:
        """Go back once over the network's last forward pass, with the outcomes that came."""
        network.backward(frame, logits, frame.taken, self, warming_up=warming_up)

    def product(self, table: Table, left: torch.Tensor, right: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        """Train on the gradient ``left.T @ right``: event e contributes the outer product of its rows of the two.

        ``left`` ``(B, n * k)`` and ``right`` ``(B, m)`` give ``n`` rows of the table: those of ``rows``, or all.
        """
        table.step((left.T @ right).view(-1, *table.shape), rows)

    def stacked(self, table: Table, left: torch.Tensor, right: torch.Tensor, rows: torch.Tensor) -> None:
        """Train ``rows`` ``(n,)`` each on a product of its own: ``left`` ``(B, n, k)``, ``right`` ``(B, n, m)``."""
        table.step(torch.einsum("bnk,bnm->nkm", left, right), rows)

    def summed(self, table: Table, gradient: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        """Train on the sum over events of ``gradient`` ``(B, n * size)``, for ``n`` rows of the table."""
        table.step(gradient.sum(0).view(-1, *table.shape), rows)

    def gathered(self, table: Table, rows: torch.Tensor, gradient: torch.Tensor) -> None:
        """Train on ``gradient`` ``(n, *shape)`` of ``n`` uses of rows, which may repeat."""
        distinct, inverse = torch.unique(rows, return_inverse=True)
        summed = torch.zeros(len(distinct), *table.shape, device=table.device)
        table.step(summed.index_add_(0, inverse, gradient), distinct)

    def scattered(self, table: Table, places: torch.Tensor, gradient: torch.Tensor, rows: torch.Tensor | None) -> None:
        """Train on ``gradient`` ``(n,)`` of single weights, at flat ``places`` ``(n,)``; of these only ``rows``."""
        full = torch.zeros_like(table.weight).view(-1).index_add_(0, places, gradient).view_as(table.weight)
        table.step(full if rows is None else full[rows], rows)

    def cells(
        self, table: PairTable, rows: torch.Tensor, gradient: torch.Tensor, columns: torch.Tensor | None = None
    ) -> None:
        """Train on ``gradient`` ``(n, columns)`` of ``n`` uses of a pair table's rows, which may repeat."""
        distinct, inverse = torch.unique(rows, return_inverse=True)
        summed = torch.zeros(len(distinct), gradient.shape[1], device=table.device)
        table.descend(distinct, summed.index_add_(0, inverse, gradient), columns)
