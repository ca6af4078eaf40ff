"""Counts of single names are trusted as far as names were found to differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stream.network.strengths import due, strength


def drawn(seed: int, names: int, expected: float, true: float | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Counts of names whose rates have a gamma distribution of variance 1 / ``true`` (None: all the same)."""
    draw = np.random.default_rng(seed)
    e = draw.uniform(0.2, 1.8, names) * expected
    rates = np.ones(names) if true is None else draw.gamma(true, 1.0 / true, names)
    return torch.from_numpy(draw.poisson(rates * e).astype(float)), torch.from_numpy(e)


@pytest.mark.parametrize("true", [4.0, 16.0, 64.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_strength_by_which_counts_were_drawn_is_found(true: float, seed: int) -> None:
    assert 0.6 * true < strength(*drawn(seed, 400, 40.0, true), 2.0) < 1.7 * true


@pytest.mark.parametrize("seed", range(3))
def test_where_names_do_not_differ_no_count_is_trusted_far(seed: int) -> None:
    assert strength(*drawn(seed, 200, 20.0, None), 2.0) > 100.0


def test_names_that_differ_much_keep_the_least_strength() -> None:
    assert strength(*drawn(1, 300, 40.0, 0.5), 2.0) == pytest.approx(2.0, rel=1e-3)


def test_before_anything_was_seen_each_is_as_likely_and_rare_labels_say_little() -> None:
    nothing = torch.zeros(5, dtype=torch.float64)
    assert strength(nothing, nothing, 2.0) == pytest.approx(64.0)  # the middle of 2 to 2,048
    few = strength(*drawn(2, 30, 0.3, 4.0), 2.0)
    assert 8.0 < few < 300.0


def test_the_order_of_names_does_not_show_and_what_was_not_seen_has_no_say() -> None:
    taken, expected = drawn(4, 300, 3.0, 8.0)
    other = torch.from_numpy(np.random.default_rng(5).permutation(300))
    found = strength(taken, expected, 5.0)
    assert strength(taken[other], expected[other], 5.0) == found
    nobody = torch.zeros(7, dtype=torch.float64)
    assert strength(torch.cat([nobody, taken]), torch.cat([nobody, expected]), 5.0) == found


def test_they_are_sought_often_at_first_and_then_now_and_then() -> None:
    found, at = [], 0.0
    for events in range(64, 200_000, 64):
        if due(events, at):
            at = events
            found.append(events)
    assert found[:3] == [64, 128, 192]
    assert 120 < len(found) < 300
    assert max(np.diff(found)) <= 1_088
