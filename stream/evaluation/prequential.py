"""The measures of a pass that ends: means over all but the first fifth of the labelled events (contract, part 6)."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PrequentialSums"]

_RANKINGS = ("model", "popularity", "entity_attribute_counts")
_FLOATS = (
    *(f"{ranking}_{measure}" for ranking in _RANKINGS for measure in ("recall", "ndcg")),
    *("bce_before", "rate_before"),
)


class PrequentialSums:
    """One row of 73 bytes per labelled event, so that the cut can be made when their number is known; unbounded."""

    def __init__(self) -> None:
        self._rows: dict[str, array[float]] = {name: array("d") for name in _FLOATS}
        self._pairs_before = array("q")
        self._contested = array("b")
        self._bce_sum = 0.0
        self._rate_sum = 0.0
        self._bce_pairs = 0

    @property
    def events_with_labels(self) -> int:
        """n: events with T non-empty."""
        return len(self._pairs_before)

    def extend(
        self, losses: list[tuple[float, int, float]], rankings: NDArray[np.float64], labelled: NDArray[np.bool_]
    ) -> None:
        """Take in B events: as :meth:`stream.evaluation.windows.Window.extend`, and which are labelled (B,)."""
        for place, ranking in enumerate(_RANKINGS):
            self._rows[f"{ranking}_recall"].frombytes(rankings[:, 3 * place].tobytes())
            self._rows[f"{ranking}_ndcg"].frombytes(rankings[:, 3 * place + 1].tobytes())
        self._contested.frombytes(rankings[:, -1].astype(np.int8).tobytes())
        for (bce_sum, bce_pairs, rate_sum), has_labels in zip(losses, labelled.tolist(), strict=True):
            if has_labels:
                self._rows["bce_before"].append(self._bce_sum)
                self._rows["rate_before"].append(self._rate_sum)
                self._pairs_before.append(self._bce_pairs)
            self._bce_sum += bce_sum
            self._rate_sum += rate_sum
            self._bce_pairs += bce_pairs

    def summary(self) -> dict[str, Any]:
        """Return recall_at_5, ndcg_at_5 and bce of each, over all but the first floor(n/5) labelled events.

        Each is None where no event has labels; the baselines' bce always is. ``contested`` holds the rankings' means
        over those of these events that had more possible offers than places, ``running_rate`` the loss of the running
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
            ranking: {
                "recall_at_5": mean(f"{ranking}_recall"),
                "ndcg_at_5": mean(f"{ranking}_ndcg"),
                "bce": bce if ranking == "model" else None,
                "contested": {
                    "recall_at_5": mean_of_hard(f"{ranking}_recall"),
                    "ndcg_at_5": mean_of_hard(f"{ranking}_ndcg"),
                },
            }
            for ranking in _RANKINGS
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
        """Take over what :meth:`state` returned."""
        self._rows = {name: array("d", np.asarray(state[name], dtype=np.float64).tobytes()) for name in _FLOATS}
        self._pairs_before = array("q", np.asarray(state["pairs_before"], dtype=np.int64).tobytes())
        self._contested = array("b", np.asarray(state["contested"], dtype=np.int8).tobytes())
        self._bce_sum = float(state["bce_sum"])
        self._rate_sum = float(state["rate_sum"])
        self._bce_pairs = int(state["bce_pairs"])
