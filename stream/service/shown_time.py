"""How long something has held, as far as looks at it have shown: time in which nobody looked shows nothing.

A learner is stopped, is busy with a long step, or its client blocks: then the clock on the wall goes on, and the log
was not asked meanwhile. So of the time from the first look to the last one the longest gap between two looks is left
out. What is looked at regularly loses next to nothing by that, and no single stall, however long, passes for a wait.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ShownTime"]


@dataclass(slots=True)
class ShownTime:
    """Looks at one thing that holds: the first, the last, and the longest time between two.

    Attributes:
        first: moment of the first look, in monotonic seconds.
        last: moment of the last one.
        longest_gap_seconds: the longest time between two that followed each other.
    """

    first: float
    last: float
    longest_gap_seconds: float = 0.0

    @classmethod
    def since(cls, now: float) -> ShownTime:
        """Return what a first look at `now` shows: no time."""
        return cls(now, now)

    def look(self, now: float) -> float:
        """Note a look at `now`, at which it still held; return for how many seconds that is shown."""
        self.longest_gap_seconds = max(self.longest_gap_seconds, now - self.last)
        self.last = now
        return self.last - self.first - self.longest_gap_seconds
