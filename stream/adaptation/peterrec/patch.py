"""A model patch: a bottleneck with a GELU between, zero when it is inserted (PeterRec, arXiv 2001.04253)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from stream.encoding.slots import SlotRegistry
from stream.network.descent import Descent
from stream.network.initial import uniform
from stream.network.part import Part
from stream.network.table import Table

__all__ = ["Patch", "PatchPass"]

_SCALE, _CUBIC = math.sqrt(2.0 / math.pi), 0.044715


@dataclass(frozen=True, slots=True)
class PatchPass:
    """What one forward pass of a task leaves for its backward pass."""

    task: int
    inputs: torch.Tensor
    down: torch.Tensor
    """Before the GELU `(B, bottleneck)`."""
    active: torch.Tensor
    """After it."""


class Patch(Part):
    """`p(v) = gelu(v D + d) U + c` by task, with GELU's tanh form as in the authors' code; trained by Adam.

    `U` and `c` start at 0, so that an inserted patch changes no bit; the authors start near 0.
    """

    def __init__(
        self,
        name: str,
        before: int,
        after: int,
        bottleneck: int,
        rate: float,
        seed: int,
        tasks: SlotRegistry,
        device: torch.device,
    ) -> None:
        self.name, self.seed = name, seed
        self.before, self.bottleneck = before, bottleneck
        self.down, self.down_bias, self.up, self.up_bias = (
            Table(1, shape, method="adam", rate=rate, device=device)
            for shape in ((before, bottleneck), (bottleneck,), (bottleneck, after), (after,))
        )
        for _, table in self.tables():
            table.names = tasks

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name; a task owns one row of each."""
        yield f"{self.name}/down", self.down
        yield f"{self.name}/down_bias", self.down_bias
        yield f"{self.name}/up", self.up
        yield f"{self.name}/up_bias", self.up_bias

    @property
    def parameters(self) -> int:
        """Parameters that one task adds."""
        return sum(table.row_size for _, table in self.tables())

    def start(self, name: str, task: int) -> None:
        """Start the row of a task at identity; `name` decides its `D`."""
        for _, table in self.tables():
            table.grow(task + 1)
            table.set(task, 0.0)
        size = self.before * self.bottleneck
        self.down.set(task, uniform(self.seed, f"patch {self.name}", [name], size, (3.0 / self.before) ** 0.5)[0])

    def end(self, task: int) -> None:
        """Zero the row of a task."""
        for _, table in self.tables():
            table.set(task, 0.0)
            table.fresh[task] = False

    def freshen(self, tasks: list[int]) -> None:
        """Let a warm-up train the patches of `tasks` and no others."""
        for _, table in self.tables():
            table.fresh.fill_(False)
            table.fresh[tasks] = True

    def forward(self, inputs: torch.Tensor, task: int) -> tuple[torch.Tensor, PatchPass]:
        """Return what the patch adds `(B, after)` for `inputs` `(B, before)`, and what it remembers of it."""
        down = torch.addmm(self.down_bias.weight[task], inputs, self.down.weight[task])
        active = torch.nn.functional.gelu(down, approximate="tanh")
        return torch.addmm(self.up_bias.weight[task], active, self.up.weight[task]), PatchPass(
            task, inputs, down, active
        )

    def backward(self, past: PatchPass, gradient: torch.Tensor, descent: Descent, *, warming_up: bool) -> torch.Tensor:
        """Return the gradient by the inputs, and train the task's row unless it is frozen."""
        by_active = gradient @ self.up.weight[past.task].T
        by_down = by_active * _gelu_slope(past.down)
        passed = by_down @ self.down.weight[past.task].T
        if not warming_up or bool(self.up.fresh[past.task]):
            row = torch.tensor([past.task], device=gradient.device)
            descent.product(self.up, past.active, gradient, row)
            descent.summed(self.up_bias, gradient, row)
            descent.product(self.down, past.inputs, by_down, row)
            descent.summed(self.down_bias, by_down, row)
        return passed


def _gelu_slope(v: torch.Tensor) -> torch.Tensor:
    """Return the derivative of `v (1 + tanh(s (v + c v^3))) / 2`."""
    bent = torch.tanh(_SCALE * (v + _CUBIC * v**3))
    return 0.5 * (1.0 + bent) + 0.5 * v * (1.0 - bent**2) * _SCALE * (1.0 + 3.0 * _CUBIC * v**2)
