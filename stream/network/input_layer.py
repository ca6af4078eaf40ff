"""The input layer: everything between an event's inputs and the first hidden layer.

``z = x W + missing M + sum over features of (rows of its values) P_f + b``: a numeric input owns a row of W and of M,
a categorical value a row of width ``embedding_dim``, a feature its projection P_f. An event costs what is active in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from stream.network.frame import Frame
from stream.network.initial import uniform
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table

__all__ = ["InputLayer"]


class InputLayer:
    """Tables by numeric column, categorical slot and vocabulary row, with a hand-written backward pass."""

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.width = network.hidden[0]
        self.dim = network.embedding_dim
        width, dim, rate = self.width, self.dim, optimiser.trunk_rate
        self.numeric = Table(8, (width,), method="adam", rate=rate, device=device)
        self.missing = Table(8, (width,), method="adam", rate=rate, device=device)
        self.bias = Table(1, (width,), method="adam", rate=rate, device=device)
        self.projection = Table(8, (dim, width), method="adam", rate=rate, device=device)
        self.rows = Table(
            256,
            (dim,),
            method="adagrad",
            rate=optimiser.embedding_rate,
            accumulator=optimiser.accumulator,
            device=device,
        )

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name."""
        yield "numeric", self.numeric
        yield "missing", self.missing
        yield "bias", self.bias
        yield "projection", self.projection
        yield "rows", self.rows

    @property
    def any_fresh(self) -> bool:
        """Say whether a warm-up trains anything in this layer."""
        return any(bool(table.fresh.any()) for _, table in self.tables())

    # -- fresh values -------------------------------------------------------------------------------------------

    def start_numeric(self, slot: int, name: str, *, silent: bool) -> None:
        """Give a numeric column its weights: zero (``silent``: the function does not change) or seeded."""
        for group, table in (("numeric", self.numeric), ("missing", self.missing)):
            scale = 0.0 if silent else 1.0
            table.set(slot, uniform(self.seed, group, [name], self.width, 0.1)[0] * scale)

    def start_projection(self, slot: int, name: str, *, silent: bool) -> None:
        """Give a categorical feature its projection: zero (``silent``) or seeded."""
        size = self.dim * self.width
        values = uniform(self.seed, "projection", [name], size, (3.0 / self.dim) ** 0.5 * 0.3)
        self.projection.set(slot, values[0] * (0.0 if silent else 1.0))

    def start_rows(self, rows: list[int], names: list[str]) -> None:
        """Give vocabulary rows their seeded values; ``names`` are unique over features."""
        if rows:
            self.rows.set(rows, uniform(self.seed, "rows", names, self.dim, 0.5))

    def start_bias(self) -> None:
        """Set the input bias back to zero."""
        self.bias.set(0, 0.0)

    def mean_contribution(self, slot: int, rows: list[int], mass: torch.Tensor) -> torch.Tensor:
        """Return what a categorical feature adds to ``z`` ``(width,)`` at its running mean ``mass`` by row."""
        mean_row = mass.to(self.rows.weight) @ self.rows.weight[rows]
        return mean_row @ self.projection.weight[slot]

    # -- passes -------------------------------------------------------------------------------------------------

    def forward(self, frame: Frame) -> torch.Tensor:
        """Return ``z`` ``(B, width)``."""
        slots = self.projection.rows
        pooled = torch.zeros(frame.events * slots, self.dim, device=self.rows.device)
        active = self.rows.weight[frame.rows] * frame.row_weight[:, None]
        pooled.index_add_(0, frame.row_event * slots + frame.row_slot, active)
        self._pooled = pooled.view(frame.events, slots * self.dim)
        z = torch.addmm(self.bias.weight[0], self._pooled, self.projection.weight.view(-1, self.width))
        z.addmm_(frame.numeric, self.numeric.weight)
        return z.addmm_(frame.missing, self.missing.weight)

    def backward(
        self, frame: Frame, gradient: torch.Tensor, live: dict[str, torch.Tensor], *, warming_up: bool
    ) -> None:
        """Train on ``gradient`` ``(B, width)`` of the loss by ``z``; in a warm-up only what is fresh.

        ``live`` names the slots in use of ``numeric`` and ``projection``.
        """
        columns = self._chosen(self.numeric, live["numeric"], warming_up)
        if columns.numel():
            self.numeric.step(frame.numeric[:, columns].T @ gradient, columns)
            self.missing.step(frame.missing[:, columns].T @ gradient, columns)
        if not warming_up or bool(self.bias.fresh[0]):
            self.bias.step(gradient.sum(0, keepdim=True))
        active = frame.rows
        chosen = self.rows.fresh[active].nonzero()[:, 0] if warming_up else None
        row_gradient: torch.Tensor | None = None
        if chosen is None or chosen.numel():
            events = frame.row_event if chosen is None else frame.row_event[chosen]
            slots = frame.row_slot if chosen is None else frame.row_slot[chosen]
            weights = frame.row_weight if chosen is None else frame.row_weight[chosen]
            active = active if chosen is None else active[chosen]
            projection = self.projection.weight.permute(2, 0, 1).reshape(self.width, -1)
            by_slot = (gradient @ projection).view(-1, self.dim)
            row_gradient = by_slot[events * self.projection.rows + slots] * weights[:, None]
        slots = self._chosen(self.projection, live["projection"], warming_up)
        if slots.numel():
            pooled = self._pooled.view(frame.events, -1, self.dim)[:, slots]
            self.projection.step(torch.einsum("bsd,bh->sdh", pooled, gradient), slots)
        if row_gradient is not None:
            distinct, inverse = torch.unique(active, return_inverse=True)
            summed = torch.zeros(len(distinct), self.dim, device=self.rows.device)
            self.rows.step(summed.index_add_(0, inverse, row_gradient), distinct)

    @staticmethod
    def _chosen(table: Table, live: torch.Tensor, warming_up: bool) -> torch.Tensor:
        return live[table.fresh[live]] if warming_up else live
