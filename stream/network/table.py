"""A named table of weights with its optimiser state: rows come, go and stand still without disturbing others.

Weights and optimiser state live side by side row by row, so that no moment outlives the parameter that it was
measured on, and a row that a batch does not touch is not read.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch

from stream.encoding.slots import SlotRegistry
from stream.state import Tree

__all__ = ["Table"]

_BETA_1, _BETA_2 = 0.9, 0.999
_HASTE, _HASTE_STEPS = 2.0, 30.0
_FLOOR = 0.01
"""Adam's epsilon, if nothing else is said, in gradients of one event: what is far below one event's is not blown up to
a whole step. With rare labels nearly all steps are such, and all point down."""
_EVERY = np.zeros(0, dtype=np.int64)


class Table:
    """Weights `(rows, *shape)` float32, trained by Adagrad (Duchi 2011), Adam (Kingma and Ba 2015) or plain SGD.

    Adam counts its steps per row: a row that joins late has its own bias correction. `fresh` `(rows,)` marks the
    rows that a warm-up trains; it is all False outside one. `held` `(rows,)` marks rows that stand still for good.
    Newton steps are taken by `stream.network.curvature`; the table keeps each row's part of the curvature.
    """

    def __init__(
        self,
        rows: int,
        shape: tuple[int, ...],
        *,
        method: Literal["adagrad", "adam", "newton", "sgd"],
        rate: float,
        prior: float = 0.0,
        floor: float = _FLOOR,
        device: torch.device | str = "cpu",
    ) -> None:
        self.method: Literal["adagrad", "adam", "newton", "sgd", "quadratic"] = method
        self.rate = rate
        self.prior = prior
        """The curvature that a weight starts with: Adagrad's sum of squares, Newton's damping, or a precision."""
        self.floor = floor
        self.device = torch.device(device)
        self.shape = shape
        self.moments: dict[str, torch.Tensor] = {}
        self.compiled = False
        """Whether steps are taken by a compiled loop."""
        self._seen: torch.Tensor | None = None
        self._lines_of: torch.Tensor | None = None
        self._lines = torch.zeros(0)
        self._views: tuple[np.ndarray, ...] = ()
        """Weights and moments as the loops take them, of the weights last seen."""
        self.names: SlotRegistry | None = None
        """Whose each row is, for a table that a method brings along; those of the plain layers are known by place."""
        self._allocate(rows)

    def _allocate(self, rows: int) -> None:
        """Make `rows` rows that are zero and have no history."""
        self.weight = torch.zeros(rows, *self.shape, device=self.device)
        self.fresh = torch.zeros(rows, dtype=torch.bool, device=self.device)
        self.held = torch.zeros(rows, dtype=torch.bool, device=self.device)
        self.holds = False
        """Whether any row may be held: so that a step need not look at all of them."""
        if self.method == "adagrad":
            self.moments["squares"] = torch.full((rows, *self.shape), self.prior, device=self.device)
        elif self.method == "newton":
            self.moments["curvature"] = torch.zeros(rows, device=self.device)
        elif self.method == "quadratic":
            self.moments["precision"] = torch.full((rows, *self.shape), self.prior, device=self.device)
            self.moments["seen"] = torch.zeros(rows, dtype=torch.float64, device=self.device)
        elif self.method == "adam":
            self.moments["first"] = torch.zeros(rows, *self.shape, device=self.device)
            self.moments["second"] = torch.zeros(rows, *self.shape, device=self.device)
            self.moments["steps"] = torch.zeros(rows, device=self.device)
            self.moments["late"] = torch.zeros(rows, device=self.device)

    def keep_precision(self, prior: float) -> None:
        """Keep a precision (at first `prior`) by weight, and when it was brought up to date, in place of moments."""
        self.method, self.prior = "quadratic", prior
        self.moments.clear()
        weight, fresh, held, holds = self.weight, self.fresh, self.held, self.holds
        self._allocate(len(weight))
        self.weight, self.fresh, self.held, self.holds = weight, fresh, held, holds

    def hold(self) -> None:
        """Let every row there is stand still for good."""
        self.held.fill_(True)
        self.holds = True

    def release(self) -> None:
        """Let every row be trained."""
        self.held.fill_(False)
        self.holds = False

    def hasten(self, rows: list[int]) -> None:
        """Triple the first Adam steps of rows added to a trained network; decays over about 30 steps."""
        if "late" in self.moments:
            self.moments["late"][rows] = 1.0

    @property
    def rows(self) -> int:
        """Rows, reserved ones included."""
        return int(self.weight.shape[0])

    @property
    def row_size(self) -> int:
        """Weights in one row."""
        return math.prod(self.shape)

    def grow(self, rows: int) -> None:
        """Reserve rows up to `rows`; new ones are zero and have no history."""
        extra = rows - self.rows
        if extra <= 0:
            return
        self.weight = _extended(self.weight, extra, 0.0)
        self.fresh = _extended(self.fresh, extra, False)
        self.held = _extended(self.held, extra, False)
        for name, moment in self.moments.items():
            self.moments[name] = _extended(moment, extra, self._start_of(name))

    def widen(self, columns: int) -> None:
        """Reserve columns of a table whose rows are vectors, up to `columns`; what is there stays."""
        extra = columns - self.shape[0]
        if extra <= 0:
            return
        before, self.shape = self.shape, (columns,)
        wide = self.weight.new_zeros(self.rows, columns)
        wide[:, : before[0]] = self.weight
        self.weight = wide
        for name, moment in self.moments.items():
            if moment.shape[1:] == before:
                wide = moment.new_full((self.rows, columns), self._start_of(name))
                wide[:, : before[0]] = moment
                self.moments[name] = wide

    def set_columns(self, first: int, values: torch.Tensor) -> None:
        """Give the columns from `first` on fresh values `(rows, n)` and fresh optimiser state."""
        columns = slice(first, first + values.shape[1])
        self.weight[:, columns] = values
        for name, moment in self.moments.items():
            if moment.shape == self.weight.shape:
                moment[:, columns] = self._start_of(name)

    def set(self, rows: torch.Tensor | list[int] | int, values: torch.Tensor | np.ndarray | float) -> None:
        """Give rows fresh values and fresh optimiser state; 0.0 is how a freed slot is zeroed."""
        if isinstance(values, np.ndarray):
            values = torch.from_numpy(values).to(self.device)
        if isinstance(values, torch.Tensor):
            values = values.reshape(-1, *self.shape) if not isinstance(rows, int) else values.reshape(self.shape)
        self.weight[rows] = values
        self.held[rows] = False
        for name, moment in self.moments.items():
            moment[rows] = self._start_of(name)

    def _start_of(self, moment: str) -> float:
        return self.prior if moment in ("squares", "precision") else 0.0

    def trained(self, *, warming_up: bool, among: torch.Tensor | None = None) -> torch.Tensor | None:
        """Return the rows that a step may train (of those `among`, if given), or None if these are all rows."""
        if warming_up:
            open_rows = self.fresh
        elif not self.holds:
            return among
        else:
            open_rows = ~self.held
        return open_rows.nonzero()[:, 0] if among is None else among[open_rows[among]]

    def step(self, gradient: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        """Descend along `gradient`: `(rows, *shape)`, or `(n, *shape)` for the `n` distinct `rows`.

        Elements whose gradient is zero do not move under Adagrad and SGD; under Adam pass only rows that were active.
        """
        if self.compiled and self.method in ("adagrad", "adam"):
            self._compiled_step(gradient, rows)
            return
        if rows is None:
            self._apply(self.weight, self.moments, gradient)
            return
        if rows.numel() == 0:
            return
        weight = self.weight[rows]
        moments = {name: moment[rows] for name, moment in self.moments.items()}
        self._apply(weight, moments, gradient)
        self.weight[rows] = weight
        for name, moment in moments.items():
            self.moments[name][rows] = moment

    def _compiled_step(self, gradient: torch.Tensor, rows: torch.Tensor | None) -> None:
        some = _EVERY if rows is None else rows.numpy()
        if rows is None or len(some):
            self.descend(_flat(gradient.contiguous()), some, whole=rows is None)

    def descend(self, gradient: np.ndarray, rows: np.ndarray = _EVERY, *, whole: bool = True) -> None:
        """Step along `gradient` `(n, row_size)` by a compiled loop: all rows, or `rows`.

        `whole` says that it has a line for each row of the table, and not only for `rows`.
        """
        from stream.network import step_kernels

        if self.method == "adagrad":
            step_kernels.adagrad(*self.arrays(), gradient, rows, whole, self.rate)
        else:
            step_kernels.adam(*self.arrays(), gradient, rows, whole, self.rate, _HASTE, _HASTE_STEPS, self.floor)

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return weights and moments as the loops take them: views, a line for each row."""
        if self._seen is not self.weight:  # moments are replaced with the weights and never alone
            names = ("squares",) if self.method == "adagrad" else ("first", "second")
            by_row = () if self.method == "adagrad" else (self.moments["steps"].numpy(), self.moments["late"].numpy())
            self._views = _flat(self.weight), *(_flat(self.moments[name]) for name in names), *by_row
            self._seen = self.weight
        return self._views

    @property
    def lines(self) -> torch.Tensor:
        """The weights as a matrix: a line `(row_size,)` for each row."""
        if self._lines_of is not self.weight:
            self._lines_of, self._lines = self.weight, self.weight.view(self.rows, -1)
        return self._lines

    def _apply(self, weight: torch.Tensor, moments: dict[str, torch.Tensor], gradient: torch.Tensor) -> None:
        if self.method == "adagrad":
            squares = moments["squares"].addcmul_(gradient, gradient)
            weight.addcdiv_(gradient, squares.sqrt().add_(1e-10), value=-self.rate)
            return
        if self.method == "sgd":
            weight.sub_(gradient, alpha=self.rate)
            return
        steps = moments["steps"].add_(1.0).reshape(-1, *([1] * len(self.shape)))
        first = moments["first"].lerp_(gradient, 1.0 - _BETA_1)
        second = moments["second"].mul_(_BETA_2).addcmul_(gradient, gradient, value=1.0 - _BETA_2)
        scale = torch.sqrt(1.0 - _BETA_2**steps) / (1.0 - _BETA_1**steps)
        scale = scale * (1.0 + _HASTE * moments["late"].reshape_as(steps) / (1.0 + steps / _HASTE_STEPS))
        weight.sub_(self.rate * scale * first / (second.sqrt() + self.floor * torch.sqrt(1.0 - _BETA_2**steps)))

    def state(self, rows: int | None = None) -> Tree:
        """Return weights and optimiser state of the first `rows` rows (all by default), slot by slot."""
        tree: Tree = {"weight": self.weight[:rows].cpu().numpy(), "rows": self.rows}
        for name, moment in self.moments.items():
            tree[name] = moment[:rows].cpu().numpy()
        tree["fresh"] = self.fresh[:rows].cpu().numpy()
        tree["held"] = self.held[:rows].cpu().numpy()
        return tree

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned; reserved rows and columns come back too."""
        self.shape = tree["weight"].shape[1:]
        self._allocate(int(tree["rows"]))
        used = tree["weight"].shape[0]
        self.weight[:used] = torch.from_numpy(tree["weight"].copy()).to(self.device)
        self.fresh[:used] = torch.from_numpy(tree["fresh"].copy()).to(self.device)
        self.held[:used] = torch.from_numpy(tree["held"].copy()).to(self.device)
        self.holds = bool(tree["held"].any())
        for name, moment in self.moments.items():
            moment[:used] = torch.from_numpy(tree[name].copy()).to(self.device)

    def named_row(self, row: int, columns: list[int] | None = None) -> np.ndarray:
        """Return one row's weights and optimiser state as a flat float32 array, for the state digest.

        `columns` puts a row that has a column for each name into the order of names.
        """
        parts = [self.weight[row], *(moment[row] for moment in self.moments.values())]
        if columns is not None:
            parts = [part[columns] if part.dim() else part for part in parts]
        return np.concatenate([part.reshape(-1).cpu().numpy() for part in parts])

    def is_finite(self) -> bool:
        """Say whether every weight and moment is a number."""
        return all(bool(torch.isfinite(tensor).all()) for tensor in (self.weight, *self.moments.values()))


def _flat(tensor: torch.Tensor) -> np.ndarray:
    return tensor.numpy().reshape(len(tensor), -1)


def _extended(tensor: torch.Tensor, extra: int, value: float | bool) -> torch.Tensor:
    tail = torch.full((extra, *tensor.shape[1:]), value, dtype=tensor.dtype, device=tensor.device)
    return torch.cat([tensor, tail])
