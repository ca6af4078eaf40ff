"""Where a run stands now: what the live view, the lines and the logs all show."""

from __future__ import annotations

from collections import Counter, deque

from stream.observe import Observer, Poll, Start, Step
from stream.report import BatchReport, ModelReport, SchemaReport

__all__ = ["Status"]

_RATE_SAMPLES = 10
_SERIES_SAMPLES = 240


class Status(Observer):
    """The newest report, the rate, the lag, and the last changes.

    Args:
        expected_events: how many events there will be, if that is known: then there is an end to estimate.
    """

    def __init__(self, expected_events: int | None = None) -> None:
        self.expected_events = expected_events
        self.source = self.strategy = ""
        self.restored_checkpoint: int | None = None
        self.report: BatchReport | None = None
        """The newest batch's; None before the first."""
        self.metrics_url: str | None = None
        self._events_restored = self.schema_version = 0
        self.lag: int | None = None
        """Records that are neither trained nor dead-lettered, over all partitions."""
        self.dead_letters: Counter[str] = Counter()
        self.rejection: str | None = None
        self.drifts = 0
        self.checkpoint: int | None = None
        self.changes: deque[tuple[int, str]] = deque(maxlen=8)
        """The last changes: after how many events, and what."""
        self.rates: deque[float] = deque(maxlen=_SERIES_SAMPLES)
        """Events trained per second, about once a second."""
        self.lags: deque[float] = deque(maxlen=_SERIES_SAMPLES)
        self.now_seconds = 0.0
        """The service's monotonic clock at the last poll."""
        self._samples: deque[tuple[float, int]] = deque(maxlen=_RATE_SAMPLES)

    @property
    def events(self) -> int:
        """Events trained so far, those before a restart included."""
        return self.report.events_trained_total if self.report else self._events_restored

    @property
    def rate(self) -> float | None:
        """Events trained per second over the last seconds; None before a second has passed."""
        if len(self._samples) < 2:
            return None
        (first_seconds, first), (last_seconds, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_seconds - first_seconds)

    @property
    def done(self) -> float | None:
        """The share of the expected events that has been trained or dead-lettered."""
        if not self.expected_events:
            return None
        return min((self.events + self.dead_letters.total()) / self.expected_events, 1.0)

    @property
    def seconds_left(self) -> float | None:
        """An estimate of the seconds until the last expected event is trained; None once it is."""
        if not self.expected_events or not self.rate:
            return None
        left = self.expected_events - self.events - self.dead_letters.total()
        return left / self.rate if left > 0 else None

    def listening(self, url: str) -> None:
        """Note where the metrics are."""
        self.metrics_url = url

    def started(self, start: Start) -> None:
        """Note source and strategy."""
        self.source, self.strategy, self.restored_checkpoint = start.source, start.strategy, start.restored_checkpoint

    def restored(self, model: ModelReport) -> None:
        """Note how far the model is."""
        self._events_restored, self.schema_version = model.events_trained_total, model.schema_version

    def polled(self, poll: Poll) -> None:
        """Note the lag, and once a second the rate."""
        self.now_seconds = poll.at_monotonic_seconds
        self.lag = sum(poll.lag.values())
        if self.report is None:
            return  # the rate is that of training, not of the wait for a first record
        if self._samples and poll.at_monotonic_seconds - self._samples[-1][0] < 1.0:
            return
        if self._samples:
            before_seconds, before = self._samples[-1]
            self.rates.append((self.events - before) / (poll.at_monotonic_seconds - before_seconds))
            self.lags.append(self.lag)
        self._samples.append((poll.at_monotonic_seconds, self.events))

    def trained(self, step: Step) -> None:
        """Note the report, and what it says of lag, warm-up and drift."""
        report = step.report
        self.report = report
        if self.lag is not None:
            self.lag = max(self.lag - report.events, 0)  # the last poll's, and there may be none after the last batch
        self.schema_version = report.schema_version
        if report.warmup_ended is not None:
            ended = report.warmup_ended
            self._changed(f"warm-up over after {ended.events:,} events: {ended.reason}")
        if report.drift:
            self.drifts += 1
            self._changed("the loss drifts")

    def schema_changed(self, report: SchemaReport, seconds: float) -> None:
        """Note the version."""
        if report.duplicate:
            return
        self.schema_version, self.rejection = report.version, None
        self._changed(f"version {report.version}: {changes_in_short(report)}")

    def schema_rejected(self, version: int | None, reason: str) -> None:
        """Note the rejection, which stands until a version takes effect."""
        self.rejection = f"version {'?' if version is None else version} rejected: {reason}"
        self._changed(self.rejection)

    def dead_letter(self, reason: str) -> None:
        """Count it."""
        self.dead_letters[reason] += 1

    def checkpointed(self, number: int, seconds: float, size_bytes: int, stood_seconds: float = 0.0) -> None:
        """Note its number."""
        self.checkpoint = number

    def _changed(self, text: str) -> None:
        self.changes.append((self.events, text))


def changes_in_short(report: SchemaReport) -> str:
    """Return what a version did in a few words: "+31 labels, -1 feature days_since_last; warm-up"."""
    names: dict[tuple[str, str], list[str]] = {}
    for change in report.changes:
        name = change.name if change.to is None else f"{change.name} -> {change.to}"
        names.setdefault((change.op.sign, change.op.what), []).append(name)
    groups = [
        f"{sign}{len(group)} {what}s" if len(group) > 1 else f"{sign} {what} {group[0]}"
        for (sign, what), group in names.items()
    ]
    text = ", ".join(groups) or "no changes"
    if report.warmup_started:
        return f"{text}; warm-up"
    return f"{text}; joins the warm-up" if report.warmup_joined else text
