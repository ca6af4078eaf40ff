import math

import pytest
from scipy import stats  # type: ignore[import-untyped]

from stream.bench.adaptation.intervals import mean_interval, paired_difference, paired_ratio


@pytest.mark.parametrize("seeds", [2, 3, 5, 10, 31, 40, 200])
def test_an_interval_is_the_one_of_students_t(seeds: int) -> None:
    values = [math.sin(seed) for seed in range(seeds)]
    found = mean_interval(values)
    assert found is not None
    low, high = stats.t.interval(0.95, seeds - 1, loc=sum(values) / seeds, scale=stats.tstd(values) / math.sqrt(seeds))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-3, abs=1e-4)


def test_one_run_has_a_mean_and_nothing_is_known_of_its_spread() -> None:
    found = mean_interval([2.0, math.nan])
    assert found is not None
    assert (found.mean, found.half_width, found.sign) == (2.0, None, 0)
    assert mean_interval([math.nan]) is None


def test_pairing_by_seed_takes_out_what_seeds_differ_in() -> None:
    hard_and_easy = {0: 10.0, 1: 1.0, 2: 5.0}
    better = {seed: loss - 0.1 - 0.001 * seed for seed, loss in hard_and_easy.items()} | {7: 100.0}
    found = paired_difference(better, hard_and_easy)
    assert found is not None
    assert found.mean == pytest.approx(-0.101)
    assert (found.sign, found.seeds) == (-1, 3)
    ratio = paired_ratio({0: 11.0, 1: 1.1}, hard_and_easy)
    assert ratio is not None
    assert ratio.mean == pytest.approx(0.1)


def test_an_interval_around_nothing_has_no_sign() -> None:
    found = mean_interval([-1.0, 1.0, 0.1])
    assert found is not None
    assert found.sign == 0
    assert found.text("+.2f", 100, " %").endswith(" %")
