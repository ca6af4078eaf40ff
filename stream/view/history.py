"""The course of a run: windowed loss and recall by events trained, schema versions, warm-ups; in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream.observe import Observer, Step
from stream.report import BatchReport, SchemaReport

__all__ = ["History", "Mark", "Point", "WarmupSpan"]


@dataclass(frozen=True, slots=True)
class Point:
    """Where the run stood after so many events; measures are those of the evaluation's window."""

    events: int
    """Events trained so far."""
    event_time_ms: int | None
    loss: float | None
    """Mean binary cross-entropy per pair in nats."""
    recall_at_5: float | None
    popularity: float | None
    """Recall at 5 of the baseline on the same events."""
    entity_attribute_counts: float | None
    """The same."""
    labels_live: int
    features_live: int
    running_rate_loss: float | None = None
    """The loss of who knows only how often pairs were taken so far, on the same pairs."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """By expert: what say it has in the published probability."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A schema version that took effect after so many events."""

    events: int
    version: int


@dataclass(frozen=True, slots=True)
class WarmupSpan:
    """A frozen warm-up: from how many events to how many, and why it ended (None while it runs)."""

    start_events: int
    end_events: int
    reason: str | None


class History(Observer):
    """Collects the course of a run.

    Args:
        every_events: the distance between two points.
        max_points: beyond so many points every second one is dropped and the distance doubled.
        max_marks: so many of the last schema versions, and of the last warm-ups, are kept.
    """

    def __init__(self, every_events: int = 50, max_points: int = 2000, max_marks: int = 1000) -> None:
        self.points: list[Point] = []
        self.marks: list[Mark] = []
        self.warmups: list[WarmupSpan] = []
        self.events = 0
        """Events trained so far, those before a restart included."""
        self._every_events = every_events
        self._max_points = max_points
        self._max_marks = max_marks
        self._warmup_start: int | None = None
        self._last: BatchReport | None = None

    def schema_changed(self, report: SchemaReport, seconds: float) -> None:
        """Mark a version that changed something."""
        if report.duplicate:
            return
        self.marks.append(Mark(self.events, report.version))
        del self.marks[: -self._max_marks]
        if report.warmup_started:
            self._warmup_start = self.events

    def trained(self, step: Step) -> None:
        """Take a point if one is due, and note the end of a warm-up."""
        report = step.report
        self._last = report
        before = report.events_trained_total - report.events
        self.events = report.events_trained_total
        if report.phase == "warm_up" and self._warmup_start is None:
            self._warmup_start = before  # restored inside a warm-up
        if report.warmup_ended is not None and self._warmup_start is not None:
            end = min(self._warmup_start + report.warmup_ended.events, self.events)
            self.warmups.append(WarmupSpan(self._warmup_start, end, report.warmup_ended.reason))
            del self.warmups[: -self._max_marks]
            self._warmup_start = None
        if not self.points or self.events - self.points[-1].events >= self._every_events:
            self._take(report)

    def stopped(self, summary: object) -> None:
        """Take the last point, however near the one before it."""
        if self._last is not None and (not self.points or self.points[-1].events < self.events):
            self._take(self._last)

    def spans(self) -> list[WarmupSpan]:
        """Return all warm-ups, the one that runs included."""
        running = [] if self._warmup_start is None else [WarmupSpan(self._warmup_start, self.events, None)]
        return [*self.warmups, *running]

    def _take(self, report: BatchReport) -> None:
        window = report.window
        popularity = window.baselines.get("popularity")
        counts = window.baselines.get("entity_attribute_counts")
        self.points.append(
            Point(
                report.events_trained_total,
                report.event_time_ms,
                window.bce,
                window.recall_at_5,
                popularity.recall_at_5 if popularity else None,
                counts.recall_at_5 if counts else None,
                report.labels_live,
                report.features_live,
                window.running_rate_bce,
                report.mixture.weights,
            )
        )
        if len(self.points) > self._max_points:
            del self.points[1::2]
            self._every_events *= 2
