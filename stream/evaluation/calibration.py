"""Pooled logits in bins, split by outcome: micro AUC and calibration from a histogram of fixed size.

The bins are 1/64 wide in the logit and reach from -16 to 16, beyond which everything falls into the outermost bin. So
two predictions closer than a factor of exp(1/64) = 1.016 in odds may count as tied in the AUC, and a bin's probability
is at most 0.8 % off, relative. Counts are whole numbers: their order does not matter, and windows can be added without
rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.bins import BINS, PER_UNIT

__all__ = [
    "Pooled",
    "codes",
    "expected_calibration_error",
    "histogram",
    "micro_auc",
    "pooled",
    "reliability",
]

_GROUPS = 15
_PROBABILITY = 1.0 / (1.0 + np.exp(-(np.arange(BINS) + 0.5 - BINS / 2) / PER_UNIT))

Histogram = NDArray[np.integer[Any]]


def codes(logit: NDArray[np.float64], taken: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (P,) codes of pairs for `histogram`, from their (P,) logits and outcomes."""
    bins = np.clip(np.floor(logit * PER_UNIT) + BINS / 2, 0, BINS - 1).astype(np.int64)
    return bins + BINS * taken


def histogram(pair_codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the (2, BINS) counts of negative and of positive pairs by ascending logit."""
    return np.bincount(pair_codes, minlength=2 * BINS).reshape(2, BINS)


@dataclass(frozen=True, slots=True)
class Pooled:
    """What a histogram says of a model."""

    micro_auc: float | None
    """The chance that a positive pair has the higher logit than a negative one, ties counted half; or None."""
    reliability: list[tuple[float, float, int]]
    """(mean predicted probability, observed rate, pairs) of at most 15 groups of like predictions, ascending.

    Groups are whole bins, and of like weight: half of it is their share of the pairs, half their share of the positives
    predicted. Where positives are rare, bins of equal width in probability, as of Guo et al. ("On Calibration of Modern
    Neural Networks", ICML 2017), would put nearly every pair into the first, and groups of equal size (Nguyen and
    O'Connor, "Posterior calibration and exploratory analysis for natural language processing models", EMNLP 2015)
    nearly every positive into the last.
    """

    @property
    def expected_calibration_error(self) -> float | None:
        """The mean over pairs of |predicted - observed| of its group; None without pairs."""
        total = sum(size for _, _, size in self.reliability)
        away = sum(abs(predicted - observed) * size for predicted, observed, size in self.reliability)
        return away / total if total else None


def pooled(counts: Histogram) -> Pooled:
    """Look through a (2, BINS) histogram."""
    from stream.evaluation import loops

    sizes = np.zeros(_GROUPS, dtype=np.int64)
    predicted, observed = np.zeros((2, _GROUPS))
    auc = loops.pooled(counts, _PROBABILITY, _GROUPS, sizes, predicted, observed)
    groups = zip(predicted.tolist(), observed.tolist(), sizes.tolist(), strict=True)
    return Pooled(
        auc if auc >= 0.0 else None,
        [(mass / size, positives / size, size) for mass, positives, size in groups if size],
    )


def micro_auc(counts: Histogram) -> float | None:
    """Return `Pooled.micro_auc` of a histogram."""
    return pooled(counts).micro_auc


def reliability(counts: Histogram) -> list[tuple[float, float, int]]:
    """Return `Pooled.reliability` of a histogram."""
    return pooled(counts).reliability


def expected_calibration_error(counts: Histogram) -> float | None:
    """Return `Pooled.expected_calibration_error` of a histogram."""
    return pooled(counts).expected_calibration_error
