"""Drift of the loss: river's ADWIN over the mean loss of each event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from stream.evaluation.settings import DriftSettings

if TYPE_CHECKING:
    from river.drift import ADWIN

__all__ = ["LossDrift"]


class LossDrift:
    """Tell when the mean of a stream of losses has moved, up or down.

    ADWIN keeps a window over which the mean can be taken as constant, in memory logarithmic in its length, and drops
    the older part where two parts of it differ (Bifet and Gavaldà, "Learning from Time-Changing Data with Adaptive
    Windowing", SDM 2007). After a detection it starts anew, as river's does.
    """

    def __init__(self, settings: DriftSettings) -> None:
        self._settings = settings
        self._adwin = self._fresh()
        self.detections = 0
        """Drifts detected so far."""

    def update(self, losses: Iterable[float]) -> bool:
        """Take in the mean losses of some events in training order; return whether one of them revealed a drift."""
        before = self.detections
        for loss in losses:
            self._adwin.update(loss)  # type: ignore[no-untyped-call]
            if self._adwin.drift_detected:
                self.detections += 1
                # river would reset itself at the next update; done now, the window is all the state there is.
                self._adwin = self._fresh()
        return self.detections > before

    def state(self) -> dict[str, Any]:
        """Return the detector exactly: river's own serialised window (plain numbers, no pickle) and the count."""
        return {
            "detections": self.detections,
            "river": version("river"),
            "window": np.frombuffer(self._adwin._helper.__getstate__(), dtype=np.uint8).copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state`, bit for bit.

        The window's form is river's own: one that another version of river wrote is left behind, and the window starts
        anew. Thresholds are those of the settings in force when the window was begun.
        """
        self.detections = int(state["detections"])
        self._adwin = self._fresh()
        if state["river"] == version("river"):
            self._adwin._helper.__setstate__(np.asarray(state["window"], dtype=np.uint8).tobytes())

    def named_state(self) -> Iterator[tuple[str, object]]:
        """Yield the entries of the state digest."""
        yield "drift/detections", self.detections
        yield "drift/window", bytes(self._adwin._helper.__getstate__())

    def _fresh(self) -> ADWIN:
        from river.drift import ADWIN  # takes seconds, which a command that trains nothing does not have to spend

        return ADWIN(  # type: ignore[no-untyped-call]
            delta=self._settings.delta,
            clock=self._settings.check_every_events,
            grace_period=self._settings.grace_events,
        )
