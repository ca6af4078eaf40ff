"""How much time publishing may take from training: a share of the time that passes, by construction.

Time passes and earns a share of itself; what is published is paid for with what it cost. While there is a debt, nothing
is published: so the interval between two versions stretches as far as it has to, and over any stretch of time the cost
is at most the share of it, and one publication.
"""

from __future__ import annotations

__all__ = ["Budget"]


class Budget:
    """Time earned and not spent, in seconds.

    Args:
        share: what part of the time that passes may be spent.
        now: the time, on the caller's clock.
        most_seconds: no more is saved up than this.
    """

    def __init__(self, share: float, now: float, most_seconds: float = 1.0) -> None:
        self._share = share
        self._most_seconds = most_seconds
        self._at = now
        self.saved_seconds = 0.0

    def earn(self, now: float) -> None:
        """Let time pass up to `now`."""
        self.saved_seconds = min(self._most_seconds, self.saved_seconds + self._share * max(0.0, now - self._at))
        self._at = now

    def spend(self, seconds: float) -> None:
        """Pay for a publication."""
        self.saved_seconds -= seconds

    def affords(self, debt_seconds: float = 0.0) -> bool:
        """Whether something may be published; `debt_seconds`: even with so much owed, because it is urgent."""
        return self.saved_seconds >= -debt_seconds
