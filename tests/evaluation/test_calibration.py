"""AUC and calibration from binned logits."""

import numpy as np
import pytest

from stream.evaluation.calibration import codes, expected_calibration_error, histogram, micro_auc, reliability


def _sample(size: int = 60_000, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    logit = rng.normal(-3.0, 1.5, size)
    return logit + shift, rng.random(size) < 1 / (1 + np.exp(-logit))


def test_auc_in_bins_is_within_a_thousandth_of_the_exact_one() -> None:
    logit, taken = _sample()
    order = np.argsort(logit)
    rank = np.empty(len(logit))
    rank[order] = np.arange(1, len(logit) + 1)
    positives = int(taken.sum())
    exact = (rank[taken].sum() - positives * (positives + 1) / 2) / (positives * (len(logit) - positives))
    assert micro_auc(histogram(codes(logit, taken))) == pytest.approx(exact, abs=1e-3)


def test_auc_is_undefined_without_both_outcomes_and_a_half_where_all_logits_tie() -> None:
    assert micro_auc(histogram(codes(np.zeros(3), np.ones(3, dtype=bool)))) is None
    assert micro_auc(histogram(codes(np.zeros(0), np.zeros(0, dtype=bool)))) is None
    assert micro_auc(histogram(codes(np.zeros(4), np.array([True, False, True, False])))) == 0.5


def test_logits_beyond_the_bins_fall_into_the_outermost() -> None:
    counts = histogram(codes(np.array([-1e30, -16.1, 16.0, 1e30]), np.array([False, True, False, True])))
    assert counts[:, 0].tolist() == [1, 1]
    assert counts[:, -1].tolist() == [1, 1]


def test_true_probabilities_are_calibrated_and_shifted_ones_are_not() -> None:
    true = expected_calibration_error(histogram(codes(*_sample())))
    shifted = expected_calibration_error(histogram(codes(*_sample(shift=1.0))))
    assert true is not None
    assert shifted is not None
    assert true < 0.005
    logit, taken = _sample(shift=1.0)
    assert shifted == pytest.approx((1 / (1 + np.exp(-logit))).mean() - taken.mean(), rel=0.01)


@pytest.mark.parametrize("shift", [0.0, -4.0])
def test_reliability_groups_ascend_and_weigh_half_by_pairs_and_half_by_predicted_positives(shift: float) -> None:
    groups = reliability(histogram(codes(*_sample(shift=shift))))
    predicted, _, size = (np.array(column) for column in zip(*groups, strict=True))
    assert len(groups) == 15
    assert size.sum() == 60_000
    weight = (size / size.sum() + size * predicted / (size @ predicted)) / 2
    assert weight == pytest.approx(np.full(15, 1 / 15), rel=0.2)
    assert (np.diff(predicted) > 0).all()


def test_without_pairs_there_are_no_reliability_groups() -> None:
    assert reliability(histogram(codes(np.zeros(0), np.zeros(0, dtype=bool)))) == []
