"""The measures of a pass that ends: means over all but the first fifth of the labelled events (contract, part 6)."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.quality import RANKINGS

__all__ = ["PrequentialSums"]


class PrequentialSums:
    """A row of each labelled event, so that the cut can be made when their number is known; unbounded.

    Args:
        measures: the names of the reported measures, and the place of each among all measures.
        number: how many measures there are.
    """

    def __init__(self, measures: Sequence[tuple[str, int]], number: int) -> None:
        self._measures = [name for name, _ in measures]
        columns = {
            f"{whose}_{name}": at * number + place for at, whose in enumerate(RANKINGS) for name, place in measures
        }
        self._columns = list(columns.values())
        self._rows: dict[str, array[float]] = {name: array("d") for name in (*columns, "bce_before", "rate_before")}
        self._pairs_before = array("q")
        self._contested = array("b")
        self._bce_sum = 0.0
        self._rate_sum = 0.0
        self._bce_pairs = 0

    @property
    def events_with_labels(self) -> int:
        """n: events with T non-empty."""
        return len(self._pairs_before)

    def extend(self, losses: NDArray[np.float64], rankings: NDArray[np.float64], labelled: NDArray[np.int64]) -> None:
        """Take in B events: as `stream.evaluation.windows.Windows.extend`, and the (n,) labelled ones."""
        for row, column in zip(self._rows.values(), self._columns, strict=False):
            row.frombytes(rankings[:, column].tobytes())
        self._contested.frombytes(rankings[:, -1].astype(np.int8).tobytes())
        # One after the other: the sums do not depend on how events were cut into batches.
        start = np.array([[self._bce_sum, self._bce_pairs, self._rate_sum]])
        sums = np.add.accumulate(np.concatenate([start, losses]), axis=0)
        before = sums[labelled]
        self._rows["bce_before"].frombytes(before[:, 0].tobytes())
        self._rows["rate_before"].frombytes(before[:, 2].tobytes())
        self._pairs_before.frombytes(before[:, 1].astype(np.int64).tobytes())
        self._bce_sum, self._rate_sum, self._bce_pairs = float(sums[-1, 0]), float(sums[-1, 2]), int(sums[-1, 1])

    def summary(self) -> dict[str, Any]:
        """Return the reported measures and bce of each, over all but the first floor(n/5) labelled events.

        Each is None if no event has labels; the baselines' bce always is. `contested` holds the rankings' means
        over those of these events that had more possible offers than places, `running_rate` the loss of the running
        rate over the pairs of the model's.
        """
        n = self.events_with_labels
        cut = n // 5

        def mean(row: str) -> float | None:
            return math.fsum(self._rows[row][cut:]) / (n - cut) if n else None

        hard = [at for at in range(cut, n) if self._contested[at]]

        def mean_of_hard(row: str) -> float | None:
            return math.fsum(self._rows[row][at] for at in hard) / len(hard) if hard else None

        bce = rate = None
        if n:
            pairs = self._bce_pairs - self._pairs_before[cut]
            bce = (self._bce_sum - self._rows["bce_before"][cut]) / pairs
            rate = (self._rate_sum - self._rows["rate_before"][cut]) / pairs
        measures: dict[str, dict[str, Any]] = {
            whose: {
                **{name: mean(f"{whose}_{name}") for name in self._measures},
                "bce": bce if whose == "model" else None,
                "contested": {name: mean_of_hard(f"{whose}_{name}") for name in self._measures},
            }
            for whose in RANKINGS
        }
        return {
            "model": measures.pop("model"),
            "baselines": measures,
            "running_rate": {"bce": rate},
            "contested_events": len(hard),
        }

    def state(self) -> dict[str, Any]:
        """Return the rows as arrays and the running sums."""
        rows: dict[str, Any] = {name: np.array(row, dtype=np.float64) for name, row in self._rows.items()}
        return rows | {
            "pairs_before": np.array(self._pairs_before, dtype=np.int64),
            "contested": np.array(self._contested, dtype=np.int8),
            "bce_sum": self._bce_sum,
            "rate_sum": self._rate_sum,
            "bce_pairs": self._bce_pairs,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._rows = {name: array("d", np.asarray(state[name], dtype=np.float64).tobytes()) for name in self._rows}
        self._pairs_before = array("q", np.asarray(state["pairs_before"], dtype=np.int64).tobytes())
        self._contested = array("b", np.asarray(state["contested"], dtype=np.int8).tobytes())
        self._bce_sum = float(state["bce_sum"])
        self._rate_sum = float(state["rate_sum"])
        self._bce_pairs = int(state["bce_pairs"])
