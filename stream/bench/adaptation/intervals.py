"""What several seeds say together: a mean with its 95 % interval, and differences paired by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Interval", "mean_interval", "paired_difference", "paired_ratio"]

# The 97.5 % quantile of Student's t by degrees of freedom, 1 to 30; beyond, a series in 1 / freedom.
_T: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over `seeds` runs and half the width of its 95 % t-interval (None for a single run)."""

    mean: float
    half_width: float | None
    seeds: int

    @property
    def low(self) -> float:
        """The lower end; minus infinity for a single run, of which nothing is known."""
        return -math.inf if self.half_width is None else self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end; infinity for a single run."""
        return math.inf if self.half_width is None else self.mean + self.half_width

    @property
    def sign(self) -> int:
        """1 if all of the interval lies above 0, -1 if all lies below, else 0: no difference was seen."""
        return 1 if self.low > 0 else -1 if self.high < 0 else 0

    def text(self, format_spec: str = ".4f", scale: float = 1.0, unit: str = "") -> str:
        """Return, say, `0.0123 ± 0.0011`; `scale` multiplies both (100 for per cent)."""
        mean = f"{self.mean * scale:{format_spec}}"
        if self.half_width is None:
            return f"{mean}{unit} (one seed)"
        return f"{mean} ± {self.half_width * scale:{format_spec.lstrip('+')}}{unit}"


def mean_interval(values: Iterable[float], comparisons: int = 1) -> Interval | None:
    """Return the mean of finite values with its interval; None if there is none.

    Of so many `comparisons` of which the best is looked at, chance makes one look good. Then the interval is as wide as
    it has to be for all of them to hold at once in 95 % of cases (Bonferroni).
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    mean = statistics.fmean(finite)
    if len(finite) == 1:
        return Interval(mean, None, 1)
    freedom = len(finite) - 1
    return Interval(
        mean, _quantile(freedom, comparisons) * statistics.stdev(finite) / math.sqrt(len(finite)), len(finite)
    )


def _quantile(freedom: int, comparisons: int = 1) -> float:
    """Return the upper quantile of Student's t for 2.5 % over so many comparisons."""
    if comparisons == 1 and freedom <= len(_T):
        return _T[freedom - 1]
    tail = 0.025 / comparisons
    if freedom == 1:
        return 1 / math.tan(math.pi * tail)
    if freedom == 2:
        return (1 - 2 * tail) / math.sqrt(2 * tail * (1 - tail))
    # Cornish and Fisher's series; within 1 % from 3 degrees of freedom on.
    z = statistics.NormalDist().inv_cdf(1 - tail)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Interval | None:
    """Return `first` less `second` over the seeds that both have; None if they share none."""
    return mean_interval(first[seed] - second[seed] for seed in sorted(first.keys() & second.keys()))


def paired_ratio(first: Mapping[int, float], second: Mapping[int, float]) -> Interval | None:
    """Return `first / second - 1` over the seeds that both have: the share by which `first` is larger."""
    shared = [seed for seed in sorted(first.keys() & second.keys()) if second[seed]]
    return mean_interval(first[seed] / second[seed] - 1 for seed in shared)
