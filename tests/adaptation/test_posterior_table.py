"""Cells with a posterior: each update is the exact one-dimensional fit, and a warm-up moves fresh cells only."""

from __future__ import annotations

import torch

from stream.adaptation.bayes.posterior import LogisticPosterior
from stream.adaptation.glmix.posterior_table import CellPairs, PosteriorTable

CPU = torch.device("cpu")


def _table(half_life_events: int = 0, prior: float = 3.0) -> PosteriorTable:
    table = PosteriorTable(prior=prior, half_life_events=half_life_events, steps=50, device=CPU)
    table.reserve(8, 8)
    return table


def _pairs(seed: int, number: int = 60) -> tuple[CellPairs, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows, columns = (torch.randint(1, 4, (number,), generator=generator) for _ in range(2))
    taken = (torch.rand(number, generator=generator) < 0.4).double()
    weight = torch.rand(number, generator=generator).double().round(decimals=1)
    return CellPairs(rows, columns, taken, weight), torch.randn(number, generator=generator).double()


def test_each_cell_is_the_regression_of_its_own_pairs_on_a_constant() -> None:
    """Two batches with forgetting between them, beside the posterior of width 1."""
    table, prior = _table(half_life_events=100), torch.tensor([3.0], dtype=torch.float64)
    cells = [(row, column) for row in range(1, 4) for column in range(1, 4)]
    single = {
        cell: LogisticPosterior(torch.zeros(1, 1).double(), prior.expand(1, -1).clone(), prior, full=True)
        for cell in cells
    }
    seen = dict.fromkeys(cells, 0)
    for clock, seed in ((40, 1), (100, 2), (230, 3)):
        pairs, offset = _pairs(seed)
        own = table.weight[pairs.rows, pairs.columns].double()
        logits = table.update(pairs, offset + own, clock, warming_up=False)
        assert torch.allclose(logits, offset + table.weight[pairs.rows, pairs.columns], atol=1e-6)
        for row, column in cells:
            mine = (pairs.rows == row) & (pairs.columns == column)
            if not mine.any():
                continue
            posterior = single[row, column]
            keep = torch.tensor([0.5 ** ((clock - seen[row, column]) / 100)]).double()
            posterior.update(
                torch.ones(int(mine.sum()), 1).double(),
                pairs.taken[mine][None],
                offset[mine][None],
                pairs.weight[mine][None],
                keep,
                steps=50,
                tolerance=1e-18,
            )
            seen[row, column] = clock
            assert torch.allclose(table.weight[row, column].double(), posterior.mean[0, 0], atol=1e-5)
            assert torch.allclose(table.squares[row, column].double(), posterior.precision[0, 0], rtol=1e-4)
    assert not table.weight[0].any()
    rows = torch.tensor([1, 0])
    variance = table.variance(rows, torch.tensor([1, 1]), 330)
    faded = 0.5 ** ((330 - seen[1, 1]) / 100)
    assert float(variance[0]) == 1 / float(faded * table.squares[1, 1].double() + (1 - faded) * 3.0)
    assert float(variance[1]) == 1 / 3


def test_a_warm_up_moves_cells_of_fresh_rows_or_columns_and_no_others() -> None:
    table = _table()
    pairs, logits = _pairs(5)
    table.update(pairs, logits, 60, warming_up=False)
    before = {name: getattr(table, name).clone() for name in ("weight", "squares", "updated")}
    table.fresh_rows[2] = table.fresh_columns[3] = True
    pairs, logits = _pairs(6)
    table.update(pairs, logits, 120, warming_up=True)
    fresh = table.fresh_rows[:, None] | table.fresh_columns
    used = torch.zeros_like(fresh)
    used[pairs.rows, pairs.columns] = True
    for name, old in before.items():
        assert torch.equal(getattr(table, name) != old, fresh & used), name


def test_cleared_cells_have_the_prior_again() -> None:
    table = _table(half_life_events=10)
    pairs, logits = _pairs(7)
    table.update(pairs, logits, 60, warming_up=False)
    table.clear_rows([1])
    table.clear_columns([2])
    for part in (table.weight[1], table.weight[:, 2], table.updated[1], table.updated[:, 2]):
        assert not part.any()
    assert (table.squares[1] == 3.0).all()
    assert (table.squares[:, 2] == 3.0).all()
    table.reserve(200, 64)
    assert table.squares[-1, -1] == 3.0
    assert table.updated.dtype == torch.int32
    other = _table(half_life_events=10)
    other.restore(table.state(5))
    assert torch.equal(other.updated, table.updated)
    assert torch.equal(other.squares, table.squares)
    assert (other.named_row(3, [1, 3]) == table.named_row(3, [1, 3])).all()
