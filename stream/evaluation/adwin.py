"""ADWIN: a window over which the mean of a stream can be taken as constant (Bifet and Gavaldà, SDM 2007).

From the paper, as far as a detector that starts anew after each detection needs it: so the window never shrinks, and of
a bucket the sum is enough. It detects where `river.drift.ADWIN` does (a test holds it to that), and its state is plain
numbers, which river's keeps to itself; and what trains need not import river, which brings pandas.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["Adwin"]

_BUCKETS = 5
"""Buckets of one size; one more, and the two oldest become one of twice the size."""
_SHORTEST = 5
"""Values that either side of a cut has at least."""


class Adwin:
    """Tells once that the mean has moved; then it is spent.

    Args:
        delta: significance, the chance of a false alarm at each check.
        check_every: values between two checks.
        grace: no check before there are more values than this.
    """

    def __init__(self, delta: float, check_every: int, grace: int) -> None:
        self._delta = delta
        self._check_every = check_every
        self._grace = grace
        self._width = 0
        self._total = 0.0
        self._squares = 0.0
        """Squared distances from the mean, summed."""
        self._sums: list[list[float]] = [[]]
        """Of buckets of 1, 2, 4, ... values the sums, the oldest first."""

    def update(self, value: float) -> bool:
        """Take in a value; return whether two parts of the window now differ in their means."""
        before = self._width
        self._width += 1
        if before:
            away = value - self._total / before
            self._squares += before * away * away / self._width
        self._total += value
        self._insert(value)
        return self._width % self._check_every == 0 and self._width > self._grace and self._differs()

    def _insert(self, value: float) -> None:
        for sums in self._sums:
            sums.append(value)
            if len(sums) <= _BUCKETS:
                return
            value = sums[0] + sums[1]
            del sums[:2]
        self._sums.append([value])

    def _differs(self) -> bool:
        """Say whether the window can be cut so that its parts' means are further apart than chance has them."""
        width, total = self._width, self._total
        spread = self._squares / width
        doubt = math.log(2.0 * math.log(width) / self._delta)
        older, older_sum = 0, 0.0
        for power in range(len(self._sums) - 1, -1, -1):
            for of_bucket in self._sums[power]:
                older += 1 << power
                newer = width - older
                older_sum += of_bucket
                total -= of_bucket
                if older < _SHORTEST or newer < _SHORTEST:
                    continue
                scarcity = 1.0 / (older - _SHORTEST + 1) + 1.0 / (newer - _SHORTEST + 1)
                chance = math.sqrt(2.0 * scarcity * spread * doubt) + 2.0 / 3.0 * doubt * scarcity
                if abs(older_sum / older - total / newer) > chance:
                    return True
        return False

    def state(self) -> dict[str, Any]:
        """Return the window as plain numbers; it grows with the logarithm of its length."""
        return {
            "width": self._width,
            "window": np.array([self._total, self._squares, *(each for sums in self._sums for each in sums)]),
            "buckets": [len(sums) for sums in self._sums],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`, bit for bit; the thresholds are those of this object."""
        self._width = int(state["width"])
        self._total, self._squares, *sums = state["window"].tolist()
        self._sums = []
        for number in state["buckets"]:
            self._sums.append(sums[:number])
            del sums[:number]
