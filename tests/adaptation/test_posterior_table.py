"""Cells with a posterior: each update is the exact one-dimensional fit, and a warm-up moves fresh cells only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from stream.adaptation.bayes.posterior import LogisticPosterior
from stream.adaptation.glmix.posterior_table import CellPairs, PosteriorTable

CPU = torch.device("cpu")


def _table(half_life_events: int = 0, prior: float = 3.0) -> PosteriorTable:
    """A table with cells 0 to 8: those of three rows and three columns."""
    table = PosteriorTable(capacity=20, counts=0, prior=prior, half_life_events=half_life_events, steps=50, device=CPU)
    table.reserve(8, 8)
    rows, columns = np.divmod(np.arange(9), 3)
    table.begin(table.name(rows + 1, columns + 1), 1, may_evict=True)
    return table


def _pairs(seed: int, number: int = 60) -> tuple[CellPairs, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows, columns = (torch.randint(0, 3, (number,), generator=generator) for _ in range(2))
    taken = (torch.rand(number, generator=generator) < 0.4).double()
    weight = torch.rand(number, generator=generator).double().round(decimals=1)
    pairs = CellPairs(rows * 3 + columns, torch.ones(number, dtype=torch.bool), taken, weight)
    return pairs, torch.randn(number, generator=generator).double()


def test_each_cell_is_the_regression_of_its_own_pairs_on_a_constant() -> None:
    """Two batches with forgetting between them, beside the posterior of width 1."""
    table, prior = _table(half_life_events=100), torch.tensor([3.0], dtype=torch.float64)
    single = {
        cell: LogisticPosterior(torch.zeros(1, 1).double(), prior.expand(1, -1).clone(), prior, full=True)
        for cell in range(9)
    }
    seen = dict.fromkeys(range(9), 0)
    for clock, seed in ((40, 1), (100, 2), (230, 3)):
        pairs, offset = _pairs(seed)
        own = table.weight[pairs.cells].double()
        logits = table.update(pairs, offset + own, clock)
        assert torch.allclose(logits, offset + table.weight[pairs.cells], atol=1e-6)
        for cell, posterior in single.items():
            mine = pairs.cells == cell
            if not mine.any():
                continue
            keep = torch.tensor([0.5 ** ((clock - seen[cell]) / 100)]).double()
            posterior.update(
                torch.ones(int(mine.sum()), 1).double(),
                pairs.taken[mine][None],
                offset[mine][None],
                pairs.weight[mine][None],
                keep,
                steps=50,
                tolerance=1e-18,
            )
            seen[cell] = clock
            assert torch.allclose(table.weight[cell].double(), posterior.mean[0, 0], atol=1e-5)
            assert torch.allclose(table.squares[cell].double(), posterior.precision[0, 0], rtol=1e-4)
    variance = table.variance(torch.tensor([0, -1]), 330)
    faded = 0.5 ** ((330 - seen[0]) / 100)
    assert float(variance[0]) == 1 / float(faded * table.squares[0].double() + (1 - faded) * 3.0)
    assert float(variance[1]) == 1 / 3


def test_a_pair_without_a_cell_or_with_a_closed_one_moves_nothing() -> None:
    table = _table()
    pairs, logits = _pairs(5)
    table.update(pairs, logits, 60)
    before = table.weights.copy(), table.counts.copy()
    open_cells = torch.arange(9) % 2 == 0
    pairs, logits = _pairs(6)
    some = replace(pairs, moves=open_cells[pairs.cells], cells=torch.where(pairs.cells == 4, -1, pairs.cells))
    found = table.update(some, logits, 120)
    moved = (table.weights != before[0]).any(1) | (table.counts != before[1]).any(1)
    assert np.flatnonzero(moved).tolist() == [0, 2, 6, 8]
    assert torch.equal(found != logits, some.moves & (some.cells >= 0))


def test_cleared_cells_have_the_prior_again_and_the_others_are_kept_and_restored() -> None:
    table = _table(half_life_events=10)
    pairs, logits = _pairs(7)
    table.update(pairs, logits, 60)
    table.clear_rows([1])
    table.clear_columns([2])
    cells = [(row, column) for row in (1, 2, 3) for column in (1, 2, 3)]
    found = table.find(table.name(*(np.array(part) for part in zip(*cells, strict=True))))
    assert {cell: int(place) for cell, place in zip(cells, found, strict=True) if place >= 0} == {
        (2, 1): 3,
        (2, 3): 5,
        (3, 1): 6,
        (3, 3): 8,
    }
    assert float(table.read(found)[0]) == 0.0
    other = _table(half_life_events=10)
    other.restore(table.state())
    assert np.array_equal(other.weights, table.weights[: other.reserved])
    assert np.array_equal(other.counts, table.counts)
