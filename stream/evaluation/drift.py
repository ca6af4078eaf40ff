"""Drift of the loss: ADWIN over the mean loss of each event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from stream.evaluation.adwin import Adwin
from stream.evaluation.settings import DriftSettings

__all__ = ["LossDrift"]


class LossDrift:
    """Tell when the mean of a stream of losses has moved, up or down; after a detection the window starts anew."""

    def __init__(self, settings: DriftSettings) -> None:
        self._settings = settings
        self._adwin = self._fresh()
        self.detections = 0
        """Drifts detected so far."""

    def update(self, losses: Iterable[float]) -> bool:
        """Take in the mean losses of some events in training order; return whether one of them revealed a drift."""
        before = self.detections
        for loss in losses:
            if self._adwin.update(loss):
                self.detections += 1
                self._adwin = self._fresh()
        return self.detections > before

    def state(self) -> dict[str, Any]:
        """Return the window and the count."""
        return {"detections": self.detections, **self._adwin.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`, bit for bit, by the thresholds of the settings in force."""
        self.detections = int(state["detections"])
        self._adwin = self._fresh()
        self._adwin.restore(state)

    def named_state(self) -> Iterator[tuple[str, object]]:
        """Yield the entries of the state digest."""
        for name, value in self.state().items():
            yield f"drift/{name}", value.tolist() if isinstance(value, np.ndarray) else value

    def _fresh(self) -> Adwin:
        settings = self._settings
        return Adwin(settings.delta, settings.check_every_events, settings.grace_events)
