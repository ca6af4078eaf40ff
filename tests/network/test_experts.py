"""The experts' one compiled pass against the plain one: what is published, and what it cost whom."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stream.encoding.offers import Offers
from stream.network.counts import BASE_INPUTS, VALUE_INPUTS
from stream.network.experts import EXPERTS, Assessed, Experts
from stream.network.frame import Arrays, Frame

CPU = torch.device("cpu")


def _frame(generator: np.random.Generator, sizes: list[int], offers: int) -> Frame:
    """Events with so many pairs each, of some offers."""
    none, numeric = np.zeros(0, dtype=np.int64), np.zeros((len(sizes), 8), dtype=np.float32)
    pairs = sum(sizes)
    arrays = Arrays(
        numeric=numeric,
        missing=numeric,
        rows=none,
        row_event=none,
        row_slot=none,
        row_weight=none.astype(np.float32),
        row_offsets=np.zeros(len(sizes) + 1, dtype=np.int64),
        entity=np.zeros(len(sizes), dtype=np.int64),
        pair_event=np.repeat(np.arange(len(sizes)), sizes),
        pair_slot=generator.integers(0, offers, pairs),
        pair_offsets=np.append(0, np.cumsum(sizes)),
        listed=np.zeros(len(sizes), dtype=bool),
        possible=np.ones(pairs, dtype=bool),
        taken=(generator.random(pairs) < 0.2).astype(np.float32),
        weight=np.ones(len(sizes), dtype=np.float32),
        ts=np.zeros(len(sizes), dtype=np.int64),
    )
    return Frame(arrays, Offers(attributes=4, departed_capacity=1), np.zeros((0, 4), dtype=np.int64), CPU)


def _assessed(seed: int, width: float, sizes: list[int], *, compiled: bool) -> Assessed:
    generator = np.random.default_rng(seed)
    frame = _frame(generator, sizes, 30)
    pairs = len(frame.arrays.taken)
    inputs = generator.normal(0.0, 0.3, (pairs, BASE_INPUTS + 4 * VALUE_INPUTS)).astype(np.float32)
    inputs[:, 0] = np.log(generator.uniform(1e-6, 0.9, pairs))
    alone, logits = (torch.from_numpy(generator.normal(0.0, width, pairs).astype(np.float32)) for _ in range(2))
    muted = torch.from_numpy(generator.random(30) < 0.1)
    experts = Experts(0.02)
    experts.compiled = compiled
    experts.mixture.log_weights = np.log(np.arange(1.0, 8.0) / 28.0)
    totals = {"taken": 3.0, "possible": 70.0}
    return experts.assess(frame, totals, torch.from_numpy(inputs), alone, logits, muted)


@pytest.mark.parametrize("width", [0.5, 3.0, 40.0])
@pytest.mark.parametrize("sizes", [[30] * 32, [0, 1, 7, 0, 200], [1], []])
def test_the_compiled_pass_says_and_charges_what_the_plain_one_does(width: float, sizes: list[int]) -> None:
    for seed in range(3):
        plain, found = (_assessed(seed, width, sizes, compiled=compiled) for compiled in (False, True))
        assert found.scores == pytest.approx(plain.scores, rel=1e-5, abs=1e-5)
        assert found.network_losses == pytest.approx(plain.network_losses, rel=1e-5, abs=1e-6)
        assert len(found.losses) == len(EXPERTS)
        assert found.losses == pytest.approx(plain.losses, rel=1e-5, abs=1e-9)
        assert found.loss == pytest.approx(plain.loss, rel=1e-5, abs=1e-9)
        assert found.finite
        assert plain.finite


def test_a_pair_is_scored_alike_whatever_stands_beside_it() -> None:
    few = _assessed(1, 2.0, [5], compiled=True)
    again = _assessed(1, 2.0, [3, 2], compiled=True)
    assert few.scores.tolist() == again.scores.tolist()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_logit_that_is_no_number_is_told(compiled: bool, broken: float) -> None:
    frame = _frame(np.random.default_rng(1), [4], 3)
    experts = Experts(0.02)
    experts.compiled = compiled
    inputs, logits = torch.zeros(4, 31) - 4.0, torch.zeros(4)
    logits[2] = broken
    totals = {"taken": 3.0, "possible": 70.0}
    said = experts.assess(frame, totals, inputs, torch.zeros(4), logits, torch.zeros(3, dtype=torch.bool))
    assert not said.finite
