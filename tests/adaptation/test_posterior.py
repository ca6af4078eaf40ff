"""The posterior of logistic regressions: the published golden values, the mode of J, forgetting, and its guards."""

from __future__ import annotations

import pytest
import torch

from stream.adaptation.bayes.posterior import LogisticPosterior

STEPS, TOLERANCE = 30, 1e-18


def _tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _start(groups: int, prior: torch.Tensor, *, full: bool = True) -> LogisticPosterior:
    precision = LogisticPosterior.start(prior, full=full).expand(groups, -1).clone()
    return LogisticPosterior(torch.zeros(groups, len(prior), dtype=torch.float64), precision, prior, full=full)


def _matrix(posterior: LogisticPosterior, group: int = 0) -> torch.Tensor:
    width = len(posterior.prior)
    if not posterior.full:
        return posterior.precision[group].diag()
    lower = torch.zeros(width, width, dtype=torch.float64)
    rows, columns = torch.tril_indices(width, width)
    lower[rows, columns] = posterior.precision[group]
    return lower + lower.tril(-1).T


def _correlated(number: int, width: int, seed: int, groups: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """A design of correlated columns, the last constant, and outcomes ``(groups, number)`` drawn from true weights."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=generator, dtype=torch.float64) / width**0.5 + 0.6
    design = torch.randn(number, width, generator=generator, dtype=torch.float64) @ mix / 2
    design[:, -1] = 1.0
    truth = torch.randn(groups, width, generator=generator, dtype=torch.float64) * 0.7
    chance = torch.sigmoid(truth @ design.T)
    return design, (torch.rand(groups, number, generator=generator, dtype=torch.float64) < chance).double()


def test_the_precision_has_the_published_golden_values() -> None:
    """One step of no length: the offset is chosen so that the posterior stays at the published coefficients."""
    design, taken, offset = _tensor([[1, 0.5, 3], [0.5, 0, 1]]), _tensor([[-1, 1]]), _tensor([[-0.25, 1]])
    golden = _tensor(
        [[1.0760066, 0.0078267, 0.1676666], [0.0078267, 1.0039133, 0.0234801], [0.1676666, 0.0234801, 1.3822933]]
    )
    posterior = _start(1, torch.ones(3, dtype=torch.float64))
    posterior.mean = _tensor([[0.25, 0.75, -1.5]])
    failed = posterior.update(design, taken, offset, torch.ones_like(taken), _tensor([1.0]), steps=0, tolerance=0.0)
    assert not failed.any()
    assert torch.allclose(_matrix(posterior), golden, rtol=0, atol=6e-8)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("keep", [1.0, 0.6])
def test_the_mean_is_where_the_slope_of_j_is_zero(full: bool, keep: float) -> None:
    design, taken = _correlated(40, 6, 1, groups=3)
    generator = torch.Generator().manual_seed(9)
    offset = torch.randn(3, 40, generator=generator, dtype=torch.float64)
    weight = torch.rand(3, 40, generator=generator, dtype=torch.float64).round(decimals=1)
    prior = _tensor([1, 1, 1, 1, 1, 5])
    posterior = _start(3, prior, full=full)
    posterior.update(
        design[:20], taken[:, :20], offset[:, :20], weight[:, :20], _tensor([1.0] * 3), steps=STEPS, tolerance=TOLERANCE
    )
    before = [(posterior.mean[group].clone(), _matrix(posterior, group)) for group in range(3)]
    posterior.update(
        design, taken, offset, weight, torch.full((3,), keep, dtype=torch.float64), steps=STEPS, tolerance=TOLERANCE
    )
    for group, (mean, precision) in enumerate(before):
        theta = posterior.mean[group].clone().requires_grad_()
        logits = design @ theta + offset[group]
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, taken[group], reduction="none")
        moved = theta - mean
        j = (
            (weight[group] * losses).sum()
            + keep / 2 * moved @ precision @ moved
            + (1 - keep) / 2 * theta @ (prior * theta)
        )
        [slope] = torch.autograd.grad(j, [theta])
        assert float(slope.abs().max()) < 1e-9
        chance = torch.sigmoid(logits.detach())
        hessian = keep * precision + (1 - keep) * prior.diag()
        hessian = hessian + design.T @ ((weight[group] * chance * (1 - chance))[:, None] * design)
        wanted = hessian if full else torch.linalg.inv(hessian).diagonal().reciprocal().diag()
        assert torch.allclose(_matrix(posterior, group), wanted, rtol=1e-9)


def test_batch_after_batch_comes_close_to_one_fit_and_a_marginal_diagonal_closer_than_a_simple_one() -> None:
    """Without forgetting; on correlated inputs, where a diagonal forgets what belongs together."""
    design, taken = _correlated(600, 15, 4)
    prior = torch.ones(15, dtype=torch.float64)
    nothing, one = torch.zeros_like(taken), _tensor([1.0])
    whole = _start(1, prior)
    whole.update(design, taken, nothing, torch.ones_like(taken), one, steps=STEPS, tolerance=TOLERANCE)
    distance = {}
    for name in ("full", "marginal", "simple"):
        posterior = _start(1, prior, full=name == "full")
        for first in range(0, 600, 60):
            part = slice(first, first + 60)
            held = posterior.precision.clone()
            posterior.update(
                design[part],
                taken[:, part],
                nothing[:, part],
                torch.ones(1, 60, dtype=torch.float64),
                one,
                steps=STEPS,
                tolerance=TOLERANCE,
            )
            if name == "simple":
                chance = torch.sigmoid(posterior.mean @ design[part].T)
                posterior.precision = held + (chance * (1 - chance)) @ design[part].square()
        distance[name] = float((posterior.mean - whole.mean).norm() / whole.mean.norm())
    assert distance["full"] < 0.03
    assert distance["full"] < distance["marginal"] < distance["simple"]


def test_a_fit_of_all_regressions_is_the_fit_of_each_in_any_order() -> None:
    design, taken = _correlated(30, 5, 2, groups=150)
    prior, keep = torch.ones(5, dtype=torch.float64), torch.linspace(0.5, 1, 150, dtype=torch.float64)
    order = torch.randperm(150, generator=torch.Generator().manual_seed(1))
    results = []
    for groups in (torch.arange(150), order, order[:7]):
        posterior = _start(len(groups), prior)
        nothing, whole = torch.zeros(len(groups), 30).double(), torch.ones(len(groups), 30).double()
        posterior.update(design, taken[groups], nothing, whole, keep[groups], steps=STEPS, tolerance=TOLERANCE)
        results.append(posterior)
    for groups, posterior in ((order, results[1]), (order[:7], results[2])):
        assert torch.allclose(posterior.mean, results[0].mean[groups], rtol=1e-9, atol=1e-12)
        assert torch.allclose(posterior.precision, results[0].precision[groups], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("full", [True, False])
def test_outcomes_of_either_form_and_weights_as_repetitions_give_the_same_posterior(full: bool) -> None:
    design, taken = _correlated(24, 4, 3)
    prior, one = torch.ones(4, dtype=torch.float64), _tensor([1.0])
    twice = torch.cat([design, design[:6]])
    results = []
    for rows, outcomes, weight in (
        (design, taken, _tensor([[2.0] * 6 + [1.0] * 18])),
        (design, 2 * taken - 1, _tensor([[2.0] * 6 + [1.0] * 18])),
        (twice, torch.cat([taken, taken[:, :6]], 1), torch.ones(1, 30, dtype=torch.float64)),
    ):
        posterior = _start(1, prior, full=full)
        posterior.update(rows, outcomes, torch.zeros_like(outcomes), weight, one, steps=STEPS, tolerance=TOLERANCE)
        results.append(posterior)
    for other in results[1:]:
        assert torch.allclose(other.mean, results[0].mean, rtol=1e-9)
        assert torch.allclose(other.precision, results[0].precision, rtol=1e-9)


@pytest.mark.parametrize("full", [True, False])
def test_forgetting_at_once_is_forgetting_bit_by_bit(full: bool) -> None:
    design, taken = _correlated(40, 4, 5)
    prior = _tensor([2, 2, 2, 7])
    none, nothing = torch.zeros(1, 40, dtype=torch.float64), torch.zeros_like(taken)
    results = []
    for keeps in ([0.25], [0.5, 0.5], [0.8, 0.5, 0.625]):
        posterior = _start(1, prior, full=full)
        posterior.update(
            design, taken, nothing, torch.ones_like(taken), _tensor([1.0]), steps=STEPS, tolerance=TOLERANCE
        )
        for keep in keeps:
            posterior.update(design, taken, nothing, none, _tensor([keep]), steps=STEPS, tolerance=TOLERANCE)
        results.append(posterior)
    for other in results[1:]:
        assert torch.allclose(other.mean, results[0].mean, rtol=1e-9)
        assert torch.allclose(other.precision, results[0].precision, rtol=1e-9)
    posterior.update(design, taken, nothing, none, _tensor([0.0]), steps=STEPS, tolerance=TOLERANCE)
    assert torch.allclose(_matrix(posterior), prior.diag())
    assert float(posterior.mean.abs().max()) < 1e-12


def test_a_step_that_overshoots_is_halved_until_the_loss_does_not_rise() -> None:
    """Far out on a flat loss Newton's full step jumps over the mode and away."""
    design, taken = _tensor([[1.0]] * 4), _tensor([[1, 1, 1, 0]])
    offset, prior = torch.full((1, 4), 12.0, dtype=torch.float64), _tensor([1e-6])
    posterior = _start(1, prior)
    assert not posterior.update(
        design, taken, offset, torch.ones_like(taken), _tensor([1.0]), steps=200, tolerance=0.0
    ).any()
    assert float(posterior.mean) == pytest.approx(torch.logit(_tensor(0.75)).item() - 12.0, abs=1e-3)


@pytest.mark.parametrize("full", [True, False])
def test_a_regression_without_a_finite_step_stays_as_it_was_beside_others_that_move(full: bool) -> None:
    design, taken = _correlated(20, 4, 6, groups=2)
    posterior = _start(2, torch.ones(4, dtype=torch.float64), full=full)
    offset = torch.zeros_like(taken)
    offset[1, 3] = torch.nan
    before = posterior.precision.clone()
    failed = posterior.update(
        design, taken, offset, torch.ones_like(taken), _tensor([0.9, 0.9]), steps=STEPS, tolerance=TOLERANCE
    )
    assert failed.tolist() == [False, True]
    assert torch.equal(posterior.precision[1], before[1])
    assert not posterior.mean[1].any()
    assert posterior.mean[0].any()


def test_logits_far_out_overflow_nowhere() -> None:
    design, taken = _tensor([[1.0, 1.0], [2.0, 1.0]]), _tensor([[1, 0]])
    posterior = _start(1, torch.ones(2, dtype=torch.float64))
    assert not posterior.update(
        design,
        taken,
        _tensor([[-900.0, 900.0]]),
        torch.ones_like(taken),
        _tensor([1.0]),
        steps=STEPS,
        tolerance=TOLERANCE,
    ).any()
    assert torch.isfinite(posterior.mean).all()


def test_the_diagonal_of_a_full_precision_keeps_each_weights_own_variance() -> None:
    design, taken = _correlated(50, 5, 7)
    posterior = _start(1, torch.ones(5, dtype=torch.float64))
    posterior.update(
        design, taken, torch.zeros_like(taken), torch.ones_like(taken), _tensor([1.0]), steps=STEPS, tolerance=TOLERANCE
    )
    inverse = torch.linalg.inv(_matrix(posterior))
    assert torch.allclose(posterior.covariance()[0], inverse, rtol=1e-9)
    assert torch.allclose(posterior.marginal()[0], 1 / inverse.diagonal(), rtol=1e-9)
