"""Cells that are posteriors: a normal mean and precision for each (key, column), and when they were last.

Within one coordinate of GLMix a pair reads one cell, so the cells' regressions share nothing: each is one-dimensional,
its precision exact. The update is that of `stream.adaptation.bayes.posterior` at width 1, over ragged cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import softplus

from stream.network.cells import Cells

__all__ = ["CellPairs", "PosteriorTable"]

_HALVINGS = 24
_TOLERANCE_NATS = 1e-6


@dataclass(frozen=True, slots=True)
class CellPairs:
    """The pairs `(n,)` that one coordinate explains: the cell that each reads (-1: none), and what became of it."""

    cells: torch.Tensor
    moves: torch.Tensor
    """Whether a step may move the cell."""
    taken: torch.Tensor
    weight: torch.Tensor
    """float64; an event's weight."""


class PosteriorTable(Cells):
    """`weight` is the posterior mean and `squares` the precision, at first `prior`.

    A last count is the clock, in events trained, at a cell's last update: what a cell missed is forgotten at its
    next one, exactly. `half_life_events` 0 forgets nothing.
    """

    def __init__(
        self, *, capacity: int, counts: int, prior: float, half_life_events: int, steps: int, device: torch.device
    ) -> None:
        super().__init__(capacity=capacity, counts=counts + 1, rate=0.0, prior=prior, device=device)
        self.half_life_events = half_life_events
        self.steps = steps

    def update(self, pairs: CellPairs, logits: torch.Tensor, clock: int) -> torch.Tensor:
        """Take a batch in and return the pairs' new logits, given the old `logits` `(n,)` float64.

        `clock` is the number of events trained with this batch.
        """
        chosen = ((pairs.cells >= 0) & pairs.moves).nonzero()[:, 0]
        if not len(chosen):
            return logits
        places, cell = torch.unique(pairs.cells[chosen], return_inverse=True)
        start = self.weight[places].to(torch.float64)
        kept = self._kept(places, clock)
        pull = kept * self.squares[places]
        ridge = (1.0 - kept) * self.prior
        batch = _Cells(pairs.taken[chosen], pairs.weight[chosen], cell, len(places))
        offset = logits[chosen] - start[cell]
        mean = _mode(batch, offset, start, pull, ridge, self.steps)
        _, curvature = batch.slopes(offset + mean[cell])
        self.weight[places] = mean.to(torch.float32)
        self.squares[places] = (pull + ridge + curvature).to(torch.float32)
        self.counts[places.numpy(), -1] = clock
        return logits.index_copy(0, chosen, offset + mean[cell])

    def variance(self, cells: torch.Tensor, clock: int) -> torch.Tensor:
        """Return the cells' variance `(n,)` float64, after what was forgotten by now; without a cell the prior's."""
        places = cells.clamp_min(0)
        kept = self._kept(places, clock)
        found = 1.0 / (kept * self.squares[places] + (1.0 - kept) * self.prior)
        return torch.where(cells >= 0, found, 1.0 / self.prior)

    def _kept(self, places: torch.Tensor, clock: int) -> torch.Tensor:
        age = (clock - torch.from_numpy(self.counts[places.numpy(), -1])).clamp_min(0)
        return torch.pow(0.5, age / self.half_life_events) if self.half_life_events else torch.ones_like(age)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The batch's part of J, summed by cell."""

    taken: torch.Tensor
    weight: torch.Tensor
    cell: torch.Tensor
    cells: int

    def summed(self, values: torch.Tensor) -> torch.Tensor:
        return torch.zeros(self.cells, dtype=values.dtype, device=values.device).index_add_(0, self.cell, values)

    def loss(self, logits: torch.Tensor) -> torch.Tensor:
        return self.summed(self.weight * (softplus(logits) - self.taken * logits))

    def slopes(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        chance = torch.sigmoid(logits)
        return (
            self.summed(self.weight * (chance - self.taken)),
            self.summed(self.weight * chance * (1.0 - chance)),
        )


def _mode(
    batch: _Cells, offset: torch.Tensor, start: torch.Tensor, pull: torch.Tensor, ridge: torch.Tensor, steps: int
) -> torch.Tensor:
    """Return the argmin of each cell's J by Newton steps, each halved until J does not rise."""

    def objective(mean: torch.Tensor) -> torch.Tensor:
        prior = 0.5 * (pull * (mean - start) ** 2 + ridge * mean**2)
        return batch.loss(offset + mean[batch.cell]) + prior

    mean, value = start, objective(start)
    for _ in range(steps):
        slope, curvature = batch.slopes(offset + mean[batch.cell])
        slope = slope + pull * (mean - start) + ridge * mean
        step = slope / (curvature + pull + ridge)
        slack = 1e-12 * (1.0 + value)
        for _ in range(_HALVINGS):
            after = objective(mean - step)
            worse = ~(after <= value + slack)
            if not bool(worse.any()):
                break
            step = torch.where(worse, 0.5 * step, step)
        else:
            step = torch.where(worse, 0.0, step)
            after = torch.where(worse, value, after)
        mean, value = mean - step, after
        if not bool((slope * step > _TOLERANCE_NATS).any()):
            break
    return mean
