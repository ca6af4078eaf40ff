"""The measures of a service: over its whole life, and over a window of its last events, in memory of fixed size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.calibration import BINS, expected_calibration_error, histogram, micro_auc
from stream.evaluation.scored import RankingQuality, WindowedMeasures

__all__ = ["Lifetime", "Window"]

RANKINGS = 9
"""Columns of a row of rankings: recall, NDCG, precision of the model, of popularity, of entity_attribute_counts."""
LOSSES = 3
"""Columns of a row of losses: the model's sum, the pairs, the running rate's sum."""

_BLOCKS = 20


class _Ring:
    """The last rows of an endless table."""

    def __init__(self, length: int, width: int) -> None:
        self.rows = np.zeros((length, width))
        self.seen = 0

    def extend(self, rows: NDArray[np.float64]) -> None:
        """Append (N, width) rows; the oldest leave."""
        length = len(self.rows)
        self.seen += len(rows)
        last = rows[-length:]
        self.rows[np.arange(self.seen - len(last), self.seen) % length] = last

    def held(self) -> NDArray[np.float64]:
        """Return the rows held, in the ring's order."""
        return self.rows[: self.seen]


class Window:
    """The last ``events`` events for loss, AUC and calibration, and the last ``events`` labelled ones for rankings.

    AUC and calibration move in steps of a twentieth: they cover between 95 % and 100 % of the window.
    """

    def __init__(self, events: int) -> None:
        self._rankings = _Ring(events, RANKINGS + 1)
        self._losses = _Ring(events, LOSSES)
        self._block_events = -(-events // _BLOCKS)
        self._blocks = np.zeros((events // self._block_events, 2, BINS), dtype=np.int32)
        self._histogram = np.zeros((2, BINS), dtype=np.int64)
        """The blocks' sum."""

    def extend(
        self,
        rankings: NDArray[np.float64],
        losses: NDArray[np.float64],
        pair_codes: NDArray[np.int64],
        offsets: NDArray[np.int64],
    ) -> None:
        """Append B events: (L, 10) rankings of the labelled ones, (B, 3) losses, (P,) codes of the pairs.

        A ranking's last column says whether its event was contested (1) or not (0). ``offsets`` (B + 1,) are the
        events' bounds in the codes.
        """
        first = self._losses.seen
        self._rankings.extend(rankings)
        self._losses.extend(losses)
        event = first
        while event < first + len(losses):
            block, done = divmod(event, self._block_events)
            end = min(event - done + self._block_events, first + len(losses))
            part = histogram(pair_codes[offsets[event - first] : offsets[end - first]])
            kept = self._blocks[block % len(self._blocks)]
            if done == 0:
                self._histogram -= kept
                kept[...] = 0
            kept += part
            self._histogram += part
            event = end

    def histogram(self) -> NDArray[np.int64]:
        """Return the window's (2, BINS) histogram."""
        return self._histogram.copy()

    def measures(self) -> WindowedMeasures:
        """Return all measures over the window."""
        rankings, losses = self._rankings.held(), self._losses.held()
        contested = _contested(rankings)
        return _measures(
            len(losses), len(rankings), rankings.sum(axis=0), contested, losses.sum(axis=0), self._histogram
        )

    def state(self) -> dict[str, Any]:
        """Return the window as arrays."""
        return {
            "rankings": self._rankings.rows.copy(),
            "rankings_seen": self._rankings.seen,
            "losses": self._losses.rows.copy(),
            "losses_seen": self._losses.seen,
            "blocks": self._blocks.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` returned; where the window's length was another, it starts anew."""
        if len(state["losses"]) != len(self._losses.rows):
            return
        for ring, name in ((self._rankings, "rankings"), (self._losses, "losses")):
            ring.rows = np.array(state[name], dtype=np.float64)
            ring.seen = int(state[f"{name}_seen"])
        self._blocks = np.array(state["blocks"], dtype=np.int32)
        self._histogram = self._blocks.sum(axis=0, dtype=np.int64)


class Lifetime:
    """Running sums over all events there ever were."""

    def __init__(self) -> None:
        self._events = 0
        self._events_with_labels = 0
        self._rankings = np.zeros(RANKINGS + 1)
        self._contested = np.zeros(RANKINGS + 1)
        """The part of it that stems from contested events."""
        self._losses = np.zeros(LOSSES)
        self._histogram = np.zeros((2, BINS), dtype=np.int64)

    def extend(self, rankings: NDArray[np.float64], losses: NDArray[np.float64], pair_codes: NDArray[np.int64]) -> None:
        """Append B events: as :meth:`Window.extend`."""
        self._events += len(losses)
        self._events_with_labels += len(rankings)
        self._rankings = _add_in_order(self._rankings, rankings)
        self._contested = _add_in_order(self._contested, rankings * rankings[:, -1:])
        self._losses = _add_in_order(self._losses, losses)
        self._histogram += histogram(pair_codes)

    def histogram(self) -> NDArray[np.int64]:
        """Return the (2, BINS) histogram of all pairs."""
        return self._histogram.copy()

    def measures(self) -> WindowedMeasures:
        """Return all measures over the whole life."""
        return _measures(
            self._events, self._events_with_labels, self._rankings, self._contested, self._losses, self._histogram
        )

    def state(self) -> dict[str, Any]:
        """Return the sums."""
        return {
            "events": self._events,
            "events_with_labels": self._events_with_labels,
            "rankings": self._rankings.copy(),
            "contested": self._contested.copy(),
            "losses": self._losses.copy(),
            "histogram": self._histogram.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` returned."""
        self._events = int(state["events"])
        self._events_with_labels = int(state["events_with_labels"])
        self._rankings = np.array(state["rankings"], dtype=np.float64)
        self._contested = np.array(state["contested"], dtype=np.float64)
        self._losses = np.array(state["losses"], dtype=np.float64)
        self._histogram = np.array(state["histogram"], dtype=np.int64)


def _add_in_order(total: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add rows one after the other, so that the sum's last bit does not depend on how events were cut into batches."""
    totals: NDArray[np.float64] = np.add.accumulate(np.vstack((total, rows)), axis=0)
    last: NDArray[np.float64] = totals[-1].copy()
    return last


def _contested(rankings: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = rankings[rankings[:, -1] > 0].sum(axis=0)
    return total


def _means(rankings: NDArray[np.float64], events: int) -> list[RankingQuality | None]:
    """Return the means of the model and of both baselines from the sums over so many events."""
    if not events:
        return [None, None, None]
    return [RankingQuality(*(rankings[column : column + 3] / events).tolist()) for column in (0, 3, 6)]


def _measures(
    events: int,
    events_with_labels: int,
    rankings: NDArray[np.float64],
    contested: NDArray[np.float64],
    losses: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> WindowedMeasures:
    model, popularity, entity_attribute_counts = _means(rankings, events_with_labels)
    contested_events = int(contested[-1])
    hard, hard_popularity, hard_counts = _means(contested, contested_events)
    loss_sum, pairs, rate_sum = losses.tolist()
    return WindowedMeasures(
        events=events,
        events_with_labels=events_with_labels,
        recall_at_5=model.recall_at_5 if model else None,
        ndcg_at_5=model.ndcg_at_5 if model else None,
        precision_at_5=model.precision_at_5 if model else None,
        bce=loss_sum / pairs if pairs else None,
        micro_auc=micro_auc(counts),
        expected_calibration_error=expected_calibration_error(counts),
        baselines={"popularity": popularity, "entity_attribute_counts": entity_attribute_counts},
        running_rate_bce=rate_sum / pairs if pairs else None,
        contested_events=contested_events,
        contested=hard,
        contested_baselines={"popularity": hard_popularity, "entity_attribute_counts": hard_counts},
    )
