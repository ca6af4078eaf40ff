"""Pooled logits in bins, split by outcome: micro AUC and calibration from a histogram of fixed size.

The bins are 1/64 wide in the logit and reach from -16 to 16, beyond which everything falls into the outermost bin. So
two predictions closer than a factor of exp(1/64) = 1.016 in odds may count as tied in the AUC, and a bin's probability
is at most 0.8 % off, relative. Counts are whole numbers: their order does not matter, and windows can be added without
rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "codes", "expected_calibration_error", "histogram", "micro_auc", "reliability"]

BINS = 2048
_PER_UNIT = 64
_GROUPS = 15
_PROBABILITY = 1.0 / (1.0 + np.exp(-(np.arange(BINS) + 0.5 - BINS / 2) / _PER_UNIT))

Histogram = NDArray[np.integer[Any]]


def codes(logit: NDArray[np.float64], taken: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (P,) codes of pairs for :func:`histogram`, from their (P,) logits and outcomes."""
    bins = np.clip(np.floor(logit * _PER_UNIT) + BINS / 2, 0, BINS - 1).astype(np.int64)
    return bins + BINS * taken


def histogram(pair_codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the (2, BINS) counts of negative and of positive pairs by ascending logit."""
    return np.bincount(pair_codes, minlength=2 * BINS).reshape(2, BINS)


def micro_auc(counts: Histogram) -> float | None:
    """Return the chance that a positive pair has the higher logit than a negative one, ties counted half.

    ``counts`` is a (2, BINS) histogram; None where it lacks positives or negatives.
    """
    negative, positive = counts.astype(np.float64)
    comparisons = negative.sum() * positive.sum()
    if not comparisons:
        return None
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / comparisons)


def reliability(counts: Histogram) -> list[tuple[float, float, int]]:
    """Return (mean predicted probability, observed rate, pairs) of at most 15 groups of like predictions, ascending.

    Groups are whole bins, and of like weight: half of it is their share of the pairs, half their share of the positives
    predicted. Where positives are rare, bins of equal width in probability, as of Guo et al. ("On Calibration of Modern
    Neural Networks", ICML 2017), would put nearly every pair into the first, and groups of equal size (Nguyen and
    O'Connor, "Posterior calibration and exploratory analysis for natural language processing models", EMNLP 2015)
    nearly every positive into the last.
    """
    pairs = counts.sum(axis=0)
    total = int(pairs.sum())
    if not total:
        return []
    expected = pairs * _PROBABILITY
    weight = (pairs / total + expected / expected.sum()) / 2
    middle = np.cumsum(weight) - weight / 2
    group = np.minimum((middle * _GROUPS).astype(np.int64), _GROUPS - 1)
    size, predicted, observed = (
        np.bincount(group, weights=weights, minlength=_GROUPS) for weights in (pairs, expected, counts[1])
    )
    return [(float(predicted[g] / size[g]), float(observed[g] / size[g]), int(size[g])) for g in np.flatnonzero(size)]


def expected_calibration_error(counts: Histogram) -> float | None:
    """Return the mean over pairs of |predicted - observed| of its group in :func:`reliability`; None without pairs."""
    groups = reliability(counts)
    total = sum(size for _, _, size in groups)
    return sum(abs(predicted - observed) * size for predicted, observed, size in groups) / total if total else None
