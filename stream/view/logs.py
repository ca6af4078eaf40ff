"""Structured logs: one JSON object a line, for a service whose standard error is collected."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from stream.observe import Poll, Start, Step
from stream.report import SchemaReport
from stream.view.status import Status, changes_in_short

__all__ = ["JsonFormatter", "LogObserver", "json_logs"]

_log = logging.getLogger("stream.view")


class JsonFormatter(logging.Formatter):
    """A record as a line of JSON: `time` (UTC), `level`, `logger`, `message`, then what it has as `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


@contextmanager
def json_logs(out: TextIO, level: int = logging.INFO) -> Iterator[None]:
    """Write everything that is logged to `out` as JSON, inside the block."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    # A Kafka client warns of each attempt at each broker, hundreds of lines for an outage, and knows no more than
    # what is said of it in a sentence here. Its own lines are for who looks for a fault.
    levels = {"stream": level, "kafka": level if level <= logging.DEBUG else logging.CRITICAL}
    before = {name: logging.getLogger(name).level for name in levels}
    root.addHandler(handler)
    for name, wanted in levels.items():
        logging.getLogger(name).setLevel(wanted)
    try:
        yield
    finally:
        for name, former in before.items():
            logging.getLogger(name).setLevel(former)
        root.removeHandler(handler)


class LogObserver(Status):
    """Logs what happens, and every `report_seconds` where the run stands."""

    def __init__(self, report_seconds: float = 10.0) -> None:
        super().__init__()
        self._report_seconds = report_seconds
        self._reported_seconds: float | None = None

    def listening(self, url: str) -> None:
        """Log where the metrics are: with port 0 nothing else says it."""
        super().listening(url)
        _info("metrics are served", url=url)

    def started(self, start: Start) -> None:
        """Log the start."""
        super().started(start)
        name = start.settings_masked.get("name")
        _info(
            "started",
            name=name,
            source=start.source,
            strategy=start.strategy,
            restored_checkpoint=start.restored_checkpoint,
        )

    def polled(self, poll: Poll) -> None:
        """Log the progress if that is due."""
        super().polled(poll)
        if self._reported_seconds is None:
            self._reported_seconds = poll.at_monotonic_seconds
        elif poll.at_monotonic_seconds - self._reported_seconds >= self._report_seconds:
            self._reported_seconds = poll.at_monotonic_seconds
            self._report()

    def trained(self, step: Step) -> None:
        """Log the end of a warm-up and drift."""
        super().trained(step)
        report = step.report
        if (ended := report.warmup_ended) is not None:
            _info("warm-up ended", schema_version=ended.version, events=ended.events, reason=ended.reason)
        if report.drift:
            _log.warning(
                "the loss drifts", extra={"fields": {"events_trained": self.events, "loss": report.window.bce}}
            )

    def schema_changed(self, report: SchemaReport, seconds: float) -> None:
        """Log the version."""
        super().schema_changed(report, seconds)
        text = "schema version ignored: it is in effect" if report.duplicate else "schema version in effect"
        _info(
            text,
            schema_version=report.version,
            changes=len(report.changes),
            what=None if report.duplicate else changes_in_short(report),
            events_trained=self.events,
            seconds=round(seconds, 4),
        )
        for remark in report.remarks:
            _log.warning(remark, extra={"fields": {"schema_version": report.version}})

    def dead_letter(self, reason: str) -> None:
        """Log the first of each reason; the others are counted in the progress."""
        super().dead_letter(reason)
        if self.dead_letters[reason] == 1:
            _log.warning("dead letter, the first of its reason", extra={"fields": {"reason": reason}})

    def checkpointed(self, number: int, seconds: float, size_bytes: int, stood_seconds: float = 0.0) -> None:
        """Log the checkpoint."""
        super().checkpointed(number, seconds, size_bytes, stood_seconds)
        times = {"seconds": round(seconds, 4), "stood_seconds": round(stood_seconds, 4)}
        _info("checkpoint", number=number, size_bytes=size_bytes, **times)

    def stopped(self, summary: Mapping[str, Any]) -> None:
        """Log the end, with the counts of the summary."""
        scalars = {name: value for name, value in summary.items() if not isinstance(value, Mapping)}
        _info("stopped", **scalars)

    def _report(self) -> None:
        report = self.report
        if report is None:
            _info("waiting", schema_version=self.schema_version, lag=self.lag)
            return
        window = report.window
        _info(
            "progress",
            events_trained=self.events,
            events_per_second=None if self.rate is None else round(self.rate, 1),
            lag=self.lag,
            loss=window.bce,
            normalised_entropy=window.normalised_entropy,
            recall_at_5=window.recall_at_5,
            **{f"{name}_recall_at_5": quality.recall_at_5 for name, quality in window.baselines.items() if quality},
            schema_version=report.schema_version,
            phase=report.phase,
            features=report.features_live,
            offers=report.labels_live,
            dead_letters=self.dead_letters.total(),
        )


def _info(message: str, **fields: object) -> None:
    _log.info(message, extra={"fields": fields})
