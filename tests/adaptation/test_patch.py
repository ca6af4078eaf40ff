"""The model patch and its linear stand-in, as mathematics."""

from __future__ import annotations

import pytest
import torch

from stream.adaptation.peterrec.linear_fit import Sample, linear_fit
from stream.adaptation.peterrec.patch import Patch
from stream.encoding.slots import SlotRegistry
from stream.network.descent import Descent
from stream.network.table import Table


class Gradients(Descent):
    """Keeps the gradients instead of stepping."""

    def __init__(self) -> None:
        self.of: dict[int, torch.Tensor] = {}

    def product(self, table: Table, left: torch.Tensor, right: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        self.of[id(table)] = (left.T @ right).view(table.shape)

    def summed(self, table: Table, gradient: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        self.of[id(table)] = gradient.sum(0)


def _patch(before: int = 7, after: int = 5) -> Patch:
    names = SlotRegistry(1)
    names.add("")
    names.add("other")
    patch = Patch("patch/1", before, after, 4, 0.01, 3, names, torch.device("cpu"))
    for name, slot in names.items():
        patch.start(name, slot)
    return patch


def test_a_patch_starts_at_zero_and_with_a_way_down_that_its_name_decides() -> None:
    """The authors start with deviation 0.02 everywhere; ours is an exact identity in u + p(u)."""
    patch = _patch()
    inputs = torch.linspace(-3, 3, 70).view(10, 7)
    for task in (0, 1):
        assert torch.equal(patch.forward(inputs, task)[0], torch.zeros(10, 5))
    assert float(patch.down.weight[0].abs().max()) > 0
    assert not torch.equal(patch.down.weight[0], patch.down.weight[1])
    assert torch.equal(patch.down.weight, _patch().down.weight)


def test_its_backward_pass_is_that_of_autograd() -> None:
    patch = _patch()
    generator = torch.Generator().manual_seed(5)
    for _, table in patch.tables():
        table.weight.copy_(torch.randn(table.weight.shape, generator=generator))
    inputs = torch.randn(6, 7, generator=generator)
    by_output = torch.randn(6, 5, generator=generator)
    leaves = {name: table.weight[1].double().requires_grad_() for name, table in patch.tables()}
    x = inputs.double().requires_grad_()
    d, db, u, ub = leaves.values()
    wanted = torch.nn.functional.gelu(x @ d + db, approximate="tanh") @ u + ub
    (wanted * by_output.double()).sum().backward()  # type: ignore[no-untyped-call]
    got, past = patch.forward(inputs, 1)
    kept = Gradients()
    by_inputs = patch.backward(past, by_output, kept, warming_up=False)
    assert torch.allclose(got.double(), wanted.detach(), atol=1e-5)
    assert x.grad is not None
    assert torch.allclose(by_inputs.double(), x.grad, atol=1e-4)
    for name, table in patch.tables():
        gradient = leaves[name].grad
        assert gradient is not None
        assert torch.allclose(kept.of[id(table)].double(), gradient, atol=1e-4), name


def test_only_the_row_of_the_task_moves_and_in_a_warm_up_only_if_it_is_fresh() -> None:
    patch = _patch()
    for _, table in patch.tables():
        table.weight.fill_(0.5)
    inputs, by_output = torch.ones(2, 7), torch.ones(2, 5)

    def moved(warming_up: bool) -> list[bool]:
        before = [table.weight.clone() for _, table in patch.tables()]
        patch.backward(patch.forward(inputs, 1)[1], by_output, Descent(), warming_up=warming_up)
        pairs = list(zip(before, patch.tables(), strict=True))
        assert all(torch.equal(old[0], table.weight[0]) for old, (_, table) in pairs), "another task's row moved"
        return [not torch.equal(old[1], table.weight[1]) for old, (_, table) in pairs]

    assert moved(warming_up=False) == [True] * 4
    assert moved(warming_up=True) == [False] * 4
    patch.freshen([1])
    assert moved(warming_up=True) == [True] * 4
    patch.freshen([0])
    assert moved(warming_up=True) == [False] * 4


def test_what_is_linear_is_explained_in_full_and_what_is_even_not_at_all() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4000, 3, generator=generator)
    slope, shift, share = linear_fit(x, x @ torch.tensor([[1.0], [2.0], [-1.0]]) + 4.0)
    assert torch.allclose(slope[:, 0], torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64), atol=5e-3)
    assert float(shift[0]) == pytest.approx(4.0, abs=1e-2)
    assert share > 0.9999
    square = x[:, :1] ** 2
    assert linear_fit(x, square - square.mean())[2] == pytest.approx(0.0, abs=0.02)
    assert linear_fit(x, torch.zeros(4000, 1))[2] == 0.0


def test_a_sample_keeps_the_last_rows_and_comes_back_from_its_state() -> None:
    sample = Sample(4, 2, torch.device("cpu"))
    for first in range(0, 6, 2):
        sample.add(torch.tensor([[first, 0.0], [first + 1, 0.0]]))
    assert sorted(sample.rows()[:, 0].tolist()) == [2, 3, 4, 5]
    other = Sample(4, 2, torch.device("cpu"))
    other.restore(sample.state())
    other.add(torch.full((9, 2), 7.0))
    assert other.rows().tolist() == [[7.0, 7.0]] * 4
    sample.clear()
    assert sample.rows().shape == (0, 2)
