"""One running quadratic over every weight: diagonal precision from per-sample gradients, a Newton step a batch.

Sequential Bayes with a quadratic (Laplace) approximation (arXiv 2108.13299, in this project's reading for deep models):
the posterior so far, `theta_prev` with precision `L_prev`, is the prior of the next batch,

    J = BCE_sum + (d/2) sum_j L_prev_j (theta_j - theta_prev_j)^2 + ((1-d) l / 2) |theta|^2
    L = d L_prev + F + (1-d) l

centred at the newest theta. F is the diagonal Fisher information: outcomes drawn from the model itself, the gradient of
each sample squared, then summed; never the square of a batch's summed gradient. d forgets by a half-life in events, and
a row that no batch touches is brought up to date when one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import xxhash

from stream.network.cells import Cells
from stream.network.descent import Descent, Differentiable, Rows
from stream.network.frame import Frame
from stream.network.initial import mixed
from stream.network.table import Table

if TYPE_CHECKING:
    from stream.network.network import Network

__all__ = ["Quadratic"]


class _Fisher(Descent):
    """A backward pass over drawn outcomes that adds squares of per-sample gradients to the precisions."""

    def __init__(self, owner: Quadratic) -> None:
        self._owner = owner

    def _each(self, gradient: torch.Tensor) -> torch.Tensor:
        # Of an outer product, too: its square is the product of the squares.
        return gradient * gradient

    def _take(self, table: Table, total: torch.Tensor, rows: Rows) -> None:
        self._owner.learn_precision(table, total, rows)

    def _take_cells(self, cells: Cells, places: torch.Tensor, total: torch.Tensor) -> None:
        cells.squares[places] = cells.squares[places] + total


class Quadratic(Descent):
    """Newton steps along the diagonal of the running precision; a step is cut at `bound` x the table's rate.

    The cut is what keeps a diagonal that ignores correlations from overshooting while the precision is still young.
    Cells of pair tables do not forget: a cell's own history is short.
    """

    def __init__(
        self, *, seed: int, prior_precision: float, half_life_events: int, bound: float, output_step: float
    ) -> None:
        self.seed = seed
        self.prior = prior_precision
        self.half_life_events = half_life_events
        self.bound = bound
        self.output_step = output_step
        self.trained = 0
        """Events trained so far: the clock of forgetting."""
        self.drawn = 0
        """Events whose outcomes were drawn so far: each has draws of its own."""
        self._salts = np.zeros(0, dtype=np.uint64)
        self._keep: dict[int, torch.Tensor] = {}

    def adopt(self, network: Network) -> None:
        """Give every table of the network a precision in place of an optimiser's moments."""
        for _, part in network.parts():
            for _, table in part.tables():
                table.keep_precision(self.prior)
        for _, table in network.output.tables():
            table.rate = self.output_step  # what it has there is a share of a Newton step, no length
        network.output.keeps_posterior = True
        for _, cells in network.pairs.pair_tables():
            cells.prior = self.prior

    def take_names(self, names: list[str | None]) -> None:
        """Note the offers by slot: an outcome is drawn by (seed, event number, offer's name), whatever the slots."""
        self._salts = np.array([xxhash.xxh3_64_intdigest((name or "").encode()) for name in names], dtype=np.uint64)

    def train(self, network: Differentiable, frame: Frame, logits: torch.Tensor, *, warming_up: bool) -> None:
        """Measure the batch's information on drawn outcomes, then take the step on the true ones."""
        self._keep = {}
        # The information of a weighted sample is the weight times that of the sample: its gradient has the root.
        measured = frame.with_weight(frame.weight.sqrt())
        network.backward(measured, logits, self._drawn(frame, logits), _Fisher(self), warming_up=warming_up)
        network.backward(frame, logits, frame.taken, self, warming_up=warming_up)
        self.drawn += frame.events

    def _drawn(self, frame: Frame, logits: torch.Tensor) -> torch.Tensor:
        events = (np.uint64(self.drawn) + frame.pair_event.cpu().numpy().astype(np.uint64)) * np.uint64(1 << 20)
        bits = mixed(self._salts[frame.pair_slot.cpu().numpy()] ^ mixed(events + np.uint64(self.seed + 1)))
        unit = torch.from_numpy((bits >> np.uint64(40)).astype(np.float32) * 2.0**-24).to(logits.device)
        return (unit < torch.sigmoid(logits)).to(torch.float32)

    def learn_precision(self, table: Table, information: torch.Tensor, rows: Rows) -> None:
        """Bring rows' precision up to now and add the batch's `information` `(n, *shape)`."""
        where = slice(None) if rows is None else rows
        precision, seen = table.moments["precision"], table.moments["seen"]
        age = self.trained - seen[where]
        keep = torch.pow(0.5, age / self.half_life_events if self.half_life_events else 0.0 * age)
        keep = keep.to(precision.dtype).reshape(-1, *([1] * len(table.shape)))
        precision[where] = keep * precision[where] + (1.0 - keep) * self.prior + information
        seen[where] = float(self.trained)
        # By row: tasks have rows of their own in a table, and each is trained in a step of its own.
        kept = self._keep.setdefault(id(table), keep.new_ones(table.rows, *([1] * len(table.shape))))
        kept[where] = keep

    def _take(self, table: Table, total: torch.Tensor, rows: Rows) -> None:
        where = slice(None) if rows is None else rows
        weight, limit = table.weight[where], self.bound * table.rate
        pull = (1.0 - self._keep[id(table)][where]) * self.prior * weight
        table.weight[where] = weight - ((total + pull) / table.moments["precision"][where]).clamp_(-limit, limit)

    def _take_cells(self, cells: Cells, places: torch.Tensor, total: torch.Tensor) -> None:
        limit = self.bound * cells.rate
        cells.weight[places] = cells.weight[places] - (total / cells.squares[places]).clamp_(-limit, limit)
