"""A table's steps are those of torch's own optimisers, row by row; a pair table's too, cell by cell."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch

from stream.network.cells import Cells
from stream.network.table import Table


@pytest.mark.parametrize("method", ["adagrad", "adam", "sgd"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_table_steps_as_torch_s_own_optimiser_does(method: Literal["adagrad", "adam", "sgd"], compiled: bool) -> None:
    draw = torch.Generator().manual_seed(3)
    table = Table(4, (5,), method=method, rate=0.03, prior=0.1 if method == "adagrad" else 0.0)
    table.compiled = compiled
    table.set([0, 1, 2, 3], torch.randn(4, 5, generator=draw))
    other = table.weight[:2].clone().requires_grad_()
    optimiser: Any = {  # type: ignore[no-untyped-call]
        "adagrad": lambda: torch.optim.Adagrad([other], lr=0.03, initial_accumulator_value=0.1, eps=1e-10),
        "adam": lambda: torch.optim.Adam([other], lr=0.03, eps=0.01),
        "sgd": lambda: torch.optim.SGD([other], lr=0.03),
    }[method]()
    still = table.weight[2:].clone()
    for _ in range(5):
        gradient = torch.randn(2, 5, generator=draw)
        other.grad = gradient.clone()
        optimiser.step()
        table.step(gradient, torch.tensor([0, 1]))
    assert torch.allclose(table.weight[:2], other, rtol=1e-4, atol=1e-6)
    assert torch.equal(table.weight[2:], still)


def test_cells_take_adagrad_steps_of_its_own_rate() -> None:
    draw = torch.Generator().manual_seed(3)
    table = Cells(capacity=100, counts=0, rate=0.05, prior=0.1, device=torch.device("cpu"))
    table.begin(np.arange(60), 1, may_evict=True)
    other = torch.zeros(20, requires_grad=True)
    optimiser: Any = torch.optim.Adagrad([other], lr=0.05, initial_accumulator_value=0.1, eps=1e-10)
    for _ in range(5):
        gradient = torch.randn(20, generator=draw)
        other.grad = gradient.clone()
        optimiser.step()
        table.descend(torch.arange(7, 27), gradient)
    assert torch.allclose(table.weight[7:27], other, rtol=1e-5, atol=1e-7)
    assert not table.weight[:7].any()
    assert not table.weight[27:].any()
