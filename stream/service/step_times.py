"""What the training steps cost, frozen and not: events, seconds and processor seconds by phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["StepTimes"]

_FROZEN, _UNFROZEN = "warm_up", "train"


class StepTimes:
    """Sums over the steps of the surviving model; a step predicts, scores and trains one batch.

    Args:
        restored: `state()` of the run that this one goes on from; empty for a new learner.
    """

    def __init__(self, restored: Mapping[str, Sequence[float]] | None = None) -> None:
        self._sums = {phase: list(sums) for phase, sums in (restored or {}).items()}

    def add(self, phase: str, events: int, seconds: float, cpu_seconds: float) -> None:
        """Count a step of so many events; its phase is that of its report."""
        sums = self._sums.setdefault(phase, [0, 0.0, 0.0])
        for index, value in enumerate((events, seconds, cpu_seconds)):
            sums[index] += value

    def state(self) -> dict[str, list[float]]:
        """Return the sums as a checkpoint keeps them: by phase, events, seconds, processor seconds."""
        return {phase: list(sums) for phase, sums in self._sums.items()}

    def summary(self) -> dict[str, Any]:
        """Return rate and processor seconds an event, frozen (inside warm-ups) and not; None if there was none.

        Steps without a live offer train nothing and are in neither.
        """
        found: dict[str, Any] = {}
        for name, phase in (("frozen", _FROZEN), ("unfrozen", _UNFROZEN)):
            events, seconds, cpu_seconds = self._sums.get(phase, (0, 0.0, 0.0))
            found[f"events_per_second_{name}"] = round(events / seconds, 1) if seconds > 0 else None
            found[f"cpu_seconds_per_event_{name}"] = round(cpu_seconds / events, 9) if events else None
        return found
