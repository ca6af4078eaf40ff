"""The input layer: everything between an event's inputs and the first hidden layer.

`z = x W + missing M + sum over features of (rows of its values) P_f + b`: a numeric input owns a row of W and of M,
a categorical value a row of width `embedding_dim`, a feature its projection P_f. An event costs what is active in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import numpy as np
import torch

from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.initial import uniform
from stream.network.part import Owner, Part
from stream.network.room import Room
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table

__all__ = ["InputLayer", "embedding_table"]


class InputLayer(Part):
    """Tables by numeric column, categorical slot and vocabulary row, with a hand-written backward pass."""

    owners: ClassVar[Mapping[str, Owner]] = {
        "numeric": Owner.NUMERIC,
        "missing": Owner.NUMERIC,
        "bias": Owner.PART,
        "projection": Owner.CATEGORICAL,
        "rows": Owner.VALUE_ROW,
    }
    compiled = False
    """Whether the passes over vocabulary rows are compiled loops."""

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.width = network.hidden[0]
        self.dim = network.embedding_dim
        self.row_width = self.dim
        """Width of a vocabulary row; `dim` is that of what the projection reads."""
        width, dim, rate = self.width, self.dim, optimiser.dense_rate
        self.numeric = Table(8, (width,), method="adam", rate=rate, device=device)
        self.missing = Table(8, (width,), method="adam", rate=rate, device=device)
        self.bias = Table(1, (width,), method="adam", rate=rate, device=device)
        self.projection = Table(8, (dim, width), method="adam", rate=rate, device=device)
        self.rows = embedding_table(256, (dim,), optimiser, optimiser.embedding_rate, device)
        self._mark = np.zeros(0, dtype=np.int32)
        self._room = Room()

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name."""
        yield "numeric", self.numeric
        yield "missing", self.missing
        yield "bias", self.bias
        yield "projection", self.projection
        yield "rows", self.rows

    # -- fresh values -------------------------------------------------------------------------------------------

    def start_numeric(self, slot: int, name: str, *, silent: bool) -> None:
        """Give a numeric column its weights: zero (`silent`: the function does not change) or seeded."""
        for group, table in (("numeric", self.numeric), ("missing", self.missing)):
            scale = 0.0 if silent else 1.0
            table.set(slot, uniform(self.seed, group, [name], self.width, 0.1)[0] * scale)

    def start_projection(self, slot: int, name: str, *, silent: bool, fresh: bool) -> None:
        """Give a categorical feature its projection, zero (`silent`) or seeded, and say whether it is fresh."""
        size = self.dim * self.width
        values = uniform(self.seed, "projection", [name], size, (3.0 / self.dim) ** 0.5 * 0.3)
        self.projection.set(slot, values[0] * (0.0 if silent else 1.0))
        self.projection.fresh[slot] = fresh

    def start_rows(self, rows: list[int], names: list[str]) -> None:
        """Give vocabulary rows their seeded values; `names` are unique over features."""
        if rows:
            self.rows.set(rows, uniform(self.seed, "rows", names, self.row_width, 0.5))

    def clear_numeric(self, slot: int) -> None:
        """Zero a numeric column."""
        for table in (self.numeric, self.missing):
            table.set(slot, 0.0)
            table.fresh[slot] = False

    def clear_projection(self, slot: int) -> None:
        """Zero what a categorical feature owns beside its rows."""
        self.projection.set(slot, 0.0)
        self.projection.fresh[slot] = False

    def clear_rows(self, rows: list[int]) -> None:
        """Zero vocabulary rows."""
        self.rows.set(rows, 0.0)
        self.rows.fresh[rows] = False

    def reserve(self, numeric: int, categorical: int, rows: int) -> None:
        """Make room for numeric columns, categorical slots and vocabulary rows."""
        self.numeric.grow(numeric)
        self.missing.grow(numeric)
        self.projection.grow(categorical)
        self.rows.grow(rows)

    def restart(
        self,
        numeric: Iterable[tuple[str, int]],
        categorical: Iterable[tuple[str, int]],
        rows: list[int],
        names: list[str],
    ) -> None:
        """Replace the layer: fresh weights for every name, no optimiser state, all of it marked fresh."""
        self.bias.set(0, 0.0)
        for name, slot in numeric:
            self.start_numeric(slot, name, silent=False)
        for name, slot in categorical:
            self.start_projection(slot, name, silent=False, fresh=True)
        self.start_rows(rows, names)
        for _, table in self.tables():
            table.fresh.fill_(True)
            table.release()

    def hasten(self, *, numeric: list[int], categorical: list[int]) -> None:
        """Lengthen the first steps of inputs added to a trained network (`Table.hasten`)."""
        self.numeric.hasten(numeric)
        self.missing.hasten(numeric)
        self.projection.hasten(categorical)

    def mean_contribution(self, slot: int, rows: list[int], mass: torch.Tensor) -> torch.Tensor:
        """Return what a categorical feature adds to `z` `(width,)` at its running mean `mass` by row."""
        mean_row = mass.to(self.rows.weight) @ self.rows.weight[rows]
        return mean_row @ self.projection.weight[slot]

    # -- passes -------------------------------------------------------------------------------------------------

    def forward(self, frame: Frame) -> torch.Tensor:
        """Return `z` `(B, width)`; it stands until the next call."""
        if self.compiled:
            return self._compiled_forward(frame)
        slots = self.projection.rows
        pooled = torch.zeros(frame.events * slots, self.row_width, device=self.rows.device)
        by_slot = pooled.view(frame.events, slots, self.row_width)
        active = self.rows.weight[frame.rows] * frame.row_weight[:, None]
        pooled.index_add_(0, frame.row_event * slots + frame.row_slot, active)
        self._pooled = self._embed(by_slot).flatten(1)
        z = torch.addmm(self.bias.weight[0], self._pooled, self.projection.weight.view(-1, self.width))
        z.addmm_(frame.numeric, self.numeric.weight)
        return z.addmm_(frame.missing, self.missing.weight)

    def _embed(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return what the projections read `(B, slots, dim)` for rows summed by feature `(B, slots, row_width)`."""
        return pooled

    def _embed_backward(
        self, gradient: torch.Tensor, live: torch.Tensor, descent: Descent, *, warming_up: bool
    ) -> torch.Tensor:
        """Return the gradient by the summed rows for that by what `_embed` returned; train what lies between."""
        return gradient

    def backward(
        self, frame: Frame, gradient: torch.Tensor, live: dict[str, torch.Tensor], descent: Descent, *, warming_up: bool
    ) -> None:
        """Train on `gradient` `(B, width)` of the loss by `z`; in a warm-up only what is fresh.

        `live` names the slots in use of `numeric` and `projection`.
        """
        if self.compiled and self._plain_loops(descent) and not warming_up:
            self._compiled_backward(frame, gradient, live)
            return
        columns = self.numeric.trained(warming_up=warming_up, among=live["numeric"])
        assert columns is not None
        if columns.numel():
            descent.product(self.numeric, frame.numeric[:, columns], gradient, columns)
            descent.product(self.missing, frame.missing[:, columns], gradient, columns)
        bias = self.bias.trained(warming_up=warming_up)
        if bias is None or bias.numel():
            descent.summed(self.bias, gradient)
        self._backward_categorical(frame, gradient, live["projection"], descent, warming_up=warming_up)

    def _backward_categorical(
        self, frame: Frame, gradient: torch.Tensor, live: torch.Tensor, descent: Descent, *, warming_up: bool
    ) -> None:
        active, events, slots, weights = frame.rows, frame.row_event, frame.row_slot, frame.row_weight
        if warming_up or self.rows.holds:
            open_rows = self.rows.fresh if warming_up else ~self.rows.held
            chosen = open_rows[active].nonzero()[:, 0]
            active, events, slots, weights = active[chosen], events[chosen], slots[chosen], weights[chosen]
        row_gradient: torch.Tensor | None = None
        if active.numel():  # before the projection moves
            embedded = (gradient @ self.projection.weight.view(-1, self.width).T).view(frame.events, -1, self.dim)
            by_slot = self._embed_backward(embedded, live, descent, warming_up=warming_up)
            if self.compiled and type(descent) is Descent and self.rows.method == "adagrad":
                uses = (tensor.numpy() for tensor in (active, events, slots, weights, by_slot.contiguous()))
                self._compiled_rows(*uses)
            else:
                row_gradient = by_slot[events, slots] * weights[:, None]
        trained = self.projection.trained(warming_up=warming_up, among=live)
        assert trained is not None
        if trained.numel():
            pooled = self._pooled.view(frame.events, -1, self.dim)[:, trained]
            descent.product(self.projection, pooled.flatten(1), gradient, trained)
        if row_gradient is not None:
            descent.gathered(self.rows, active, row_gradient)

    # -- compiled -------------------------------------------------------------------------------------------------

    def _plain_loops(self, descent: Descent) -> bool:
        """Say whether the compiled step is the one that is asked for."""
        tables = (table for _, table in self.tables())
        own = type(self)._embed is InputLayer._embed and self.rows.method == "adagrad"
        return own and type(descent) is Descent and not any(table.holds for table in tables)

    def _compiled_forward(self, frame: Frame) -> torch.Tensor:
        from stream.network import step_kernels

        arrays, slots, room = frame.arrays, self.projection.rows, self._room
        pooled, pooled_array = room.matrix("pooled", frame.events, slots * self.row_width)
        step_kernels.pool(
            arrays.rows,
            arrays.row_event,
            arrays.row_slot,
            arrays.row_weight,
            self.rows.weight.numpy(),
            pooled_array.reshape(frame.events, slots, self.row_width),
        )
        self._pooled = self._embed(pooled.view(frame.events, slots, self.row_width)).flatten(1)
        z, _ = room.matrix("z", frame.events, self.width)
        torch.addmm(self.bias.lines, self._pooled, self.projection.lines.view(-1, self.width), out=z)
        z.addmm_(frame.numeric, self.numeric.weight)
        return z.addmm_(frame.missing, self.missing.weight) if arrays.missing.any() else z

    def _compiled_backward(self, frame: Frame, gradient: torch.Tensor, live: dict[str, torch.Tensor]) -> None:
        room, width = self._room, self.width
        projection = self.projection.lines.view(-1, width)
        by_slot, by_slot_array = room.matrix("by slot", frame.events, len(projection))
        torch.mm(gradient, projection.T, out=by_slot)  # before the projection moves
        arrays = frame.arrays
        self._compiled_rows(
            arrays.rows,
            arrays.row_event,
            arrays.row_slot,
            arrays.row_weight,
            by_slot_array.reshape(frame.events, -1, self.dim),
        )
        numeric, projections = live["numeric"].numpy(), live["projection"].numpy()
        if len(numeric):
            for name, table, inputs in (
                ("numeric", self.numeric, frame.numeric),
                ("missing", self.missing, frame.missing),
            ):
                total, total_array = room.matrix(name, table.rows, width)
                torch.mm(inputs.T, gradient, out=total)
                table.descend(total_array, numeric)
        self.bias.descend(gradient.sum(0, keepdim=True).numpy())
        if len(projections):
            total, total_array = room.matrix("projection", len(projection), width)
            torch.mm(self._pooled.T, gradient, out=total)
            self.projection.descend(total_array.reshape(self.projection.rows, -1), projections)

    def _compiled_rows(
        self, rows: np.ndarray, events: np.ndarray, slots: np.ndarray, weights: np.ndarray, by_slot: np.ndarray
    ) -> None:
        from stream.network import step_kernels

        if len(self._mark) < self.rows.rows:
            self._mark = np.zeros(self.rows.rows, dtype=np.int32)
        table, squares = self.rows.arrays()
        step_kernels.train_rows(rows, events, slots, weights, by_slot, table, squares, self.rows.rate, self._mark)


def embedding_table(
    rows: int, shape: tuple[int, ...], optimiser: OptimiserSettings, rate: float, device: torch.device
) -> Table:
    """Return a table that is trained as rows of categorical values are."""
    return Table(rows, shape, method=optimiser.embedding_method, rate=rate, prior=optimiser.accumulator, device=device)
