"""A measured rate, with its spread over repeats; a ratio is that of two rates of one repeat."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Figure", "Spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some repeats, and the two ends."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return that of one value at least."""
        return cls(statistics.median(values), min(values), max(values))

    def text(self, form: str) -> str:
        """Return it as "median (lowest-highest)", each number in this format."""
        return f"{self.median:{form}} ({self.lowest:{form}}-{self.highest:{form}})"


@dataclass(frozen=True, slots=True)
class Figure:
    """One source's times, a repeat each.

    Attributes:
        seconds: of the wall clock if a log is read, else of the CPU: both sides of a ratio then count only their own.
        loss: nats a pair of the predictions from before each step, if these are made and compare.
    """

    workload: str
    source: str
    events: int
    seconds: tuple[float, ...]
    loss: float | None = None

    @property
    def events_per_second(self) -> Spread:
        """Return the rate over the repeats."""
        return Spread.of([self.events / seconds for seconds in self.seconds])

    def ratio_to(self, other: Figure) -> Spread:
        """Return this rate over the other's of the same repeat."""
        own = [self.events / seconds for seconds in self.seconds]
        theirs = [other.events / seconds for seconds in other.seconds]
        return Spread.of([mine / its for mine, its in zip(own, theirs, strict=True)])
