"""How often things happen in a service, and by which clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Clocks", "Pace"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things happen.

    Attributes:
        checkpoint_events: a checkpoint after so many trained events.
        checkpoint_seconds: a checkpoint after so long, where anything changed.
        letters: so many dead letters that wait bring the next checkpoint forward.
        letters_bytes: the same for their keys and values.
        predictions_bytes: the same for the lines of predictions.
        poll_seconds: the longest wait for records; a stop is noticed at least that often.
        step_events: the most items dealt with between two polls.
        stop_at_end: end when all partitions have stood at their end for the idle time, and train the partial batch
            then.
    """

    checkpoint_events: int = 5000
    checkpoint_seconds: float = 30.0
    letters: int = 1000
    letters_bytes: int = 16 << 20
    predictions_bytes: int = 16 << 20
    poll_seconds: float = 0.2
    step_events: int = 1000
    stop_at_end: bool = False


@dataclass(frozen=True, slots=True)
class Clocks:
    """The times that the service reads, so that a test may set them.

    Attributes:
        monotonic: seconds that only rise.
        cpu_seconds: processor time of this process.
        unix_seconds: wall-clock time; None if event time has nothing to do with it (files).
        sleep: waits so many seconds.
    """

    monotonic: Callable[[], float]
    cpu_seconds: Callable[[], float]
    unix_seconds: Callable[[], float] | None
    sleep: Callable[[float], None]
