"""The output layer's Newton steps: what they are, whose rows they move, and what they forget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stream.network.curvature import HiddenCurvature
from stream.network.table import Table
from stream.testing.streams import apply, events, label, learn, restored, trained

CPU = torch.device("cpu")


def activations(number: int, width: int, seed: int) -> torch.Tensor:
    """Positive, correlated and of unequal size, as behind a ReLU."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(number, width, generator=generator) @ torch.randn(width, width, generator=generator)
    design = torch.relu(mixed) * torch.linspace(0.1, 3.0, width)
    return torch.nn.functional.pad(design, (0, 1), value=1.0)


def tables(rows: int, width: int) -> tuple[Table, Table]:
    weight = Table(rows, (width,), method="newton", rate=0.5, prior=4.0)
    return weight, Table(rows, (), method="sgd", rate=0.5)


def test_a_step_is_the_solution_of_the_row_s_own_damped_normal_equations() -> None:
    design = activations(200, 6, 1)
    curvature = HiddenCurvature(6, 1000, CPU)
    curvature.update(design)
    assert torch.allclose(curvature.moment, design.T @ design / 200, rtol=1e-5)
    weight, bias = tables(4, 6)
    gradient, information = torch.randn(2, 7, generator=torch.Generator().manual_seed(2)), torch.tensor([3.0, 50.0])
    rows = torch.tensor([0, 2])
    curvature.step(weight, bias, rows, gradient @ curvature.vectors, information, 1.0)
    moment = (design.double().T @ design.double()) / 200
    for row, by, number in zip(rows.tolist(), gradient.double(), information.tolist(), strict=True):
        expected = -0.5 * torch.linalg.solve(4.0 * torch.eye(7, dtype=torch.float64) + number * moment, by)
        moved = torch.cat([weight.weight[row], bias.weight[row][None]]).double()
        assert torch.allclose(moved, expected, rtol=1e-4, atol=1e-6)
    assert not weight.weight[[1, 3]].any()
    assert weight.moments["curvature"].tolist() == [3.0, 0.0, 50.0, 0.0]


def test_a_row_s_step_has_the_same_bits_whatever_stands_beside_it() -> None:
    curvature = HiddenCurvature(40, 1000, CPU)
    curvature.update(activations(300, 40, 3))
    gradient = torch.randn(150, 41, generator=torch.Generator().manual_seed(4))
    information = torch.rand(150, generator=torch.Generator().manual_seed(5)) * 20
    turned = gradient @ curvature.vectors
    together = curvature.solve(turned, information, 4.0)
    for rows in ([7], [0, 7, 149], list(range(70))):
        assert torch.equal(curvature.solve(turned[rows], information[rows], 4.0), together[rows])


def test_curvature_is_forgotten_by_half_over_its_half_life_and_only_where_a_row_is_trained() -> None:
    curvature = HiddenCurvature(3, 1000, CPU)
    curvature.update(activations(50, 3, 6))
    weight, bias = tables(2, 3)
    both, none = torch.tensor([0, 1]), torch.zeros(2)
    curvature.step(weight, bias, both, torch.zeros(2, 4), torch.tensor([8.0, 8.0]), 1.0)
    for _ in range(10):
        curvature.step(weight, bias, torch.tensor([0]), torch.zeros(1, 4), none[:1], 0.5**0.1)
    assert weight.moments["curvature"].tolist() == pytest.approx([4.0, 8.0], rel=1e-5)


def test_the_moment_follows_activations_that_change() -> None:
    curvature = HiddenCurvature(4, 300, CPU)
    early, late = activations(32, 4, 1), 10.0 * activations(32, 4, 2)
    for _ in range(20):
        curvature.update(early)
    assert torch.allclose(curvature.moment, early.T @ early / 32, rtol=1e-4)
    for _ in range(100):
        curvature.update(late)
    assert torch.allclose(curvature.moment, late.T @ late / 32, rtol=1e-3)
    rebuilt = curvature.vectors @ torch.diag(curvature.values) @ curvature.vectors.T
    assert torch.allclose(rebuilt, curvature.moment, rtol=1e-2, atol=1e-2)


def test_activations_that_are_no_numbers_leave_the_eigenvectors_as_they_were() -> None:
    """The step that follows is not finite either, and the learner stops for that, with its own words."""
    curvature = HiddenCurvature(4, 300, CPU)
    curvature.update(activations(32, 4, 1))
    vectors = curvature.vectors.clone()
    for _ in range(5):
        curvature.update(torch.full((2, 5), float("nan")))
    assert torch.equal(curvature.vectors, vectors)


def _state(learner: Any) -> dict[str, Any]:
    return dict(learner.network.output.named_extra())


@pytest.mark.parametrize(("strategy", "moves"), [("carry", False), ("replace", True)])
def test_in_a_warm_up_the_curvature_moves_only_with_a_layer_that_is_new(strategy: str, moves: bool) -> None:
    learner = trained(strategy)
    before = {name: np.array(value) for name, value in _state(learner).items()}
    assert apply(learner, label("jam", group="g2")).warmup_started
    learn(learner, events(32, 4, 2000, ["soap", "jam"]))
    assert learner.warmup.active
    after = _state(learner)
    same = all(np.array_equal(before[name], after[name]) for name in before)
    assert same is not moves
    assert restored(learner).state_digest() == learner.state_digest()
