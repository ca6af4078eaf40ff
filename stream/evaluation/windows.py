"""The measures of a service: over its whole life, and over a window of its last events, in memory of fixed size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.evaluation import loops
from stream.evaluation.bins import BINS
from stream.evaluation.calibration import pooled
from stream.evaluation.quality import RANKINGS, RankingQuality
from stream.evaluation.windowed import WindowedMeasures

__all__ = ["LOSSES", "Windows"]

LOSSES = 3
"""Columns of a row of losses: the model's sum, the pairs, the running rate's sum."""

_BLOCKS = 20


class _Rows:
    """The last rows of an endless table, and the sum of all of them; those that end with 1 summed beside it."""

    def __init__(self, length: int, width: int, *, contested: bool) -> None:
        self.ring = np.zeros((length, width))
        self.seen = 0
        """Rows since the ring began."""
        self.number = 0
        """Rows ever."""
        self.total = np.zeros(width)
        self.contested = np.zeros(width if contested else 0)

    def extend(self, rows: NDArray[np.float64]) -> None:
        """Append (N, width) rows; the oldest leave the ring."""
        loops.append(rows, self.ring, self.seen, self.total, self.contested)
        self.seen += len(rows)
        self.number += len(rows)

    def held(self) -> NDArray[np.float64]:
        """Return the rows held, in the ring's order."""
        return self.ring[: self.seen]

    def state(self) -> dict[str, Any]:
        return {name: _copy(getattr(self, name)) for name in ("ring", "seen", "number", "total", "contested")}

    def restore(self, state: dict[str, Any], *, ring: bool) -> None:
        """Take over what `state` returned, with the ``ring`` or without."""
        self.number = int(state["number"])
        self.total, self.contested = (np.array(state[name], dtype=np.float64) for name in ("total", "contested"))
        if ring:
            self.ring, self.seen = np.array(state["ring"], dtype=np.float64), int(state["seen"])


class Windows:
    """Running sums over all events, and over the last ``events`` of them; rankings over as many labelled ones.

    AUC and calibration over the window move in steps of a twentieth: they cover between 95 % and 100 % of it.
    """

    def __init__(self, events: int, measures: int) -> None:
        """Begin a window of ``events``, with so many ``measures`` of each ranking."""
        self._rankings = _Rows(events, len(RANKINGS) * measures + 1, contested=True)
        self._losses = _Rows(events, LOSSES, contested=False)
        self._block_events = -(-events // _BLOCKS)
        self._blocks = np.zeros((events // self._block_events, 2 * BINS), dtype=np.int32)
        self._window = np.zeros(2 * BINS, dtype=np.int64)
        """The blocks' sum."""
        self._life = np.zeros(2 * BINS, dtype=np.int64)

    def extend(
        self,
        rankings: NDArray[np.float64],
        losses: NDArray[np.float64],
        pair_codes: NDArray[np.int64],
        offsets: NDArray[np.int64],
    ) -> None:
        """Append B events: (L, 3 M + 1) rankings of the labelled ones, (B, 3) losses, (P,) codes of the pairs.

        A ranking's last column says whether its event was contested (1) or not (0). ``offsets`` (B + 1,) are the
        events' bounds in the codes (see :func:`stream.evaluation.loops.totals`).
        """
        loops.pool(offsets, pair_codes, self._losses.seen, self._block_events, self._blocks, self._window, self._life)
        self._rankings.extend(rankings)
        self._losses.extend(losses)

    def window_histogram(self) -> NDArray[np.int64]:
        """Return the window's (2, BINS) histogram."""
        return self._window.reshape(2, BINS).copy()

    def life_histogram(self) -> NDArray[np.int64]:
        """Return the (2, BINS) histogram of all pairs."""
        return self._life.reshape(2, BINS).copy()

    def window(self) -> WindowedMeasures:
        """Return all measures over the window."""
        rankings, losses = self._rankings.held(), self._losses.held()
        contested = rankings[:, -1] @ rankings
        return _measures(
            len(losses), len(rankings), rankings.sum(axis=0), contested, losses.sum(axis=0), self.window_histogram()
        )

    def lifetime(self) -> WindowedMeasures:
        """Return all measures over the whole life."""
        rankings, losses = self._rankings, self._losses
        return _measures(
            losses.number, rankings.number, rankings.total, rankings.contested, losses.total, self.life_histogram()
        )

    def state(self) -> dict[str, Any]:
        """Return everything as arrays."""
        return {
            "rankings": self._rankings.state(),
            "losses": self._losses.state(),
            "blocks": self._blocks.copy(),
            "life": self._life.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` returned; where the window's length was another, it starts anew."""
        same = len(state["losses"]["ring"]) == len(self._losses.ring)
        self._rankings.restore(state["rankings"], ring=same)
        self._losses.restore(state["losses"], ring=same)
        self._life = np.array(state["life"], dtype=np.int64)
        if same:
            self._blocks = np.array(state["blocks"], dtype=np.int32)
            self._window = self._blocks.sum(axis=0, dtype=np.int64)

    def named_state(self) -> dict[str, object]:
        """Return the entries of the state digest."""
        parts = {"rankings": self._rankings.state(), "losses": self._losses.state()}
        named: dict[str, object] = {f"{of}/{name}": value for of, part in parts.items() for name, value in part.items()}
        return named | {"blocks": self._blocks, "life": self._life}


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _means(rankings: NDArray[np.float64], events: int) -> list[RankingQuality | None]:
    """Return the means of the model and of both baselines from the sums over so many events."""
    if not events:
        return [None] * len(RANKINGS)
    means = (rankings[:-1] / events).reshape(len(RANKINGS), -1)
    return [RankingQuality(*row) for row in means.tolist()]


def _measures(
    events: int,
    events_with_labels: int,
    rankings: NDArray[np.float64],
    contested: NDArray[np.float64],
    losses: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> WindowedMeasures:
    model, *baselines = _means(rankings, events_with_labels)
    contested_events = int(contested[-1])
    hard, *hard_baselines = _means(contested, contested_events)
    loss_sum, pairs, rate_sum = losses.tolist()
    of_pairs = pooled(counts)
    return WindowedMeasures(
        events=events,
        events_with_labels=events_with_labels,
        model=model,
        bce=loss_sum / pairs if pairs else None,
        micro_auc=of_pairs.micro_auc,
        expected_calibration_error=of_pairs.expected_calibration_error,
        baselines=dict(zip(RANKINGS[1:], baselines, strict=True)),
        running_rate_bce=rate_sum / pairs if pairs else None,
        contested_events=contested_events,
        contested=hard,
        contested_baselines=dict(zip(RANKINGS[1:], hard_baselines, strict=True)),
    )
