"""The progress as sentences, one a line: for a terminal that cannot redraw, or for a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from stream.observe import Poll, Start
from stream.view.status import Status

__all__ = ["Lines", "progress_line"]


class Lines(Status):
    """Writes a line to `out` every `report_seconds`, and one at the start and at the end."""

    def __init__(self, out: TextIO, report_seconds: float = 10.0, expected_events: int | None = None) -> None:
        super().__init__(expected_events)
        self._out = out
        self._report_seconds = report_seconds
        self._reported_seconds: float | None = None
        self._away = False

    def listening(self, url: str) -> None:
        """Say where the metrics are."""
        super().listening(url)
        self._write(f"Metrics at {url}/metrics, health at {url}/healthz and {url}/readyz.")

    def started(self, start: Start) -> None:
        """Say what begins."""
        super().started(start)
        begun = "a new model" if start.restored_checkpoint is None else f"checkpoint {start.restored_checkpoint}"
        self._write(f"Learning from {start.source} with strategy {start.strategy}, from {begun}.")

    def polled(self, poll: Poll) -> None:
        """Write a line if one is due."""
        super().polled(poll)
        if self._reported_seconds is None:
            self._reported_seconds = poll.at_monotonic_seconds
        elif poll.at_monotonic_seconds - self._reported_seconds >= self._report_seconds:
            self._reported_seconds = poll.at_monotonic_seconds
            self._write(progress_line(self))

    def log_away(self, reason: str, seconds: float) -> None:
        """Say so, once."""
        if not self._away:
            self._away = True
            self._write(f"{reason} Waiting.")

    def log_back(self, seconds: float) -> None:
        """Say so."""
        self._away = False
        self._write(f"The log answers again, after {duration(seconds)}.")

    def stopped(self, summary: Mapping[str, Any]) -> None:
        """Write the last line."""
        self._write(progress_line(self))

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


def progress_line(status: Status) -> str:
    """Return where the run stands in one line; what is not known yet is left out."""
    report = status.report
    if report is None:
        return f"No event yet; schema version {status.schema_version}."
    parts = [_events(status)]
    if status.rate is not None:
        parts.append(f"{status.rate:,.0f} events/s")
    if status.seconds_left is not None:
        parts.append(f"{duration(status.seconds_left)} left")
    if status.lag is not None:
        parts.append(f"lag {status.lag:,}")
    window = report.window
    if window.bce is not None:
        entropy = window.normalised_entropy
        beside_rate = "" if entropy is None else f" ({entropy:.3f} of the running rate's)"
        parts.append(f"loss {window.bce:.4f}{beside_rate}")
    if window.recall_at_5 is not None:
        beside = [f"{name} {quality.recall_at_5:.3f}" for name, quality in window.baselines.items() if quality]
        parts.append(f"recall@5 {window.recall_at_5:.3f} ({', '.join(beside)})")
    parts.append(f"schema {report.schema_version}: {report.features_live} features, {report.labels_live} offers")
    parts.append(report.phase.replace("_", "-"))
    if status.dead_letters:
        parts.append(f"{status.dead_letters.total():,} dead letters")
    if status.rejection:
        parts.append(status.rejection)
    return "; ".join(parts)


def _events(status: Status) -> str:
    if status.done is None:
        return f"{status.events:,} events"
    return f"{status.events:,} of {status.expected_events:,} events ({status.done:.0%})"


def duration(seconds: float) -> str:
    """Return a time as "1 h 05 min", "2 min 05 s" or "17 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
