"""Uses of a pair table's rows: which row, in which event, how strongly; and passes over them in blocks.

An event uses as many rows as it has input values, and a row is as wide as there are offers or attribute values: with a
list of 90,000 values and 4,000 attribute values, one array over both would take 1.4 GB. No array here is larger than
BLOCK_CELLS, or than one row. The sums are the same to the last bit, because each is taken in the order of the uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

__all__ = ["BLOCK_CELLS", "Uses"]

BLOCK_CELLS = 1 << 20
"""Cells (uses, or rows, x columns) in hand at once: 4 MiB."""


@dataclass(frozen=True, slots=True)
class Uses:
    """``n`` uses of rows ``(n,)``, which may repeat, in the events ``(n,)``; ``weight`` ``(n,)``, or None: 1 each."""

    rows: torch.Tensor
    event: torch.Tensor
    weight: torch.Tensor | None = None

    def __getitem__(self, places: torch.Tensor) -> Uses:
        """Return the uses at some places ``(m,)``."""
        weight = None if self.weight is None else self.weight[places]
        return Uses(self.rows[places], self.event[places], weight)

    def add_to(self, by_event: torch.Tensor, cells: torch.Tensor) -> None:
        """Add to each event's row of ``by_event`` ``(B, columns)`` the rows of ``cells`` that it uses."""
        number = self.rows.numel()
        block = max(1, BLOCK_CELLS // max(1, cells.shape[1]))
        for first in range(0, number, block):
            some = slice(first, first + block)
            used = cells[self.rows[some]]
            by_event.index_add_(0, self.event[some], used if self.weight is None else used * self.weight[some, None])

    def gradients(
        self, by_event: torch.Tensor, columns: torch.Tensor | None, each: Callable[[torch.Tensor], torch.Tensor]
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield distinct rows ``(m,)`` with the sum ``(m, columns)`` of their uses' gradients, block by block.

        A use's gradient is its event's row of ``by_event`` (of this only ``columns``, if given) times its weight, and
        ``each`` turns a block of them into what is summed.
        """
        distinct, inverse = torch.unique(self.rows, return_inverse=True)
        width = by_event.shape[1] if columns is None else len(columns)
        block = max(1, BLOCK_CELLS // max(1, width))
        if len(inverse) <= block:
            yield distinct, self._sum(inverse, len(distinct), by_event, columns, each)
            return
        order = torch.argsort(inverse, stable=True)
        ends = [0, *torch.bincount(inverse).cumsum(0).tolist()]
        for first in range(0, len(distinct), block):
            last = min(first + block, len(distinct))
            places = order[ends[first] : ends[last]]
            total = by_event.new_zeros(last - first, width)
            for start in range(0, len(places), block):
                some = places[start : start + block]
                self[some]._sum(inverse[some] - first, last - first, by_event, columns, each, total)
            yield distinct[first:last], total

    def _sum(
        self,
        inverse: torch.Tensor,
        number: int,
        by_event: torch.Tensor,
        columns: torch.Tensor | None,
        each: Callable[[torch.Tensor], torch.Tensor],
        total: torch.Tensor | None = None,
    ) -> torch.Tensor:
        gradient = by_event[self.event] if columns is None else by_event[self.event[:, None], columns]
        if self.weight is not None:
            gradient = gradient * self.weight[:, None]
        if total is None:
            total = by_event.new_zeros(number, gradient.shape[1])
        return total.index_add_(0, inverse, each(gradient))
