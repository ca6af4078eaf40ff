"""What the service tells whoever listens: metrics, live view, logs, plot. Nothing here does I/O or reads a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.report import BatchReport, ModelReport, SchemaReport

__all__ = ["CompositeObserver", "Observer"]


class Observer:
    """A listener that ignores everything; override what you want to hear.

    The service calls these on its own thread, in the order in which things happen, so a method must return quickly.
    All durations are seconds on the service's monotonic clock. An exception that leaves a method stops the service:
    an observer that talks to the outside catches its own.
    """

    def listening(self, url: str) -> None:
        """Metrics and health are served at ``url``, ``http://host:port``; called before ``started``."""

    def started(
        self, source: str, strategy: str, settings_masked: Mapping[str, Any], restored_checkpoint: int | None
    ) -> None:
        """The model is restored (``restored_checkpoint`` is its number) or new (None); polling begins next."""

    def restored(self, model: ModelReport) -> None:
        """How that model stands; called once, after ``started``."""

    def polled(self, seconds: float, records: int, lag: Mapping[int, int], at_monotonic_seconds: float) -> None:
        """One poll of the interactions completed.

        ``lag`` is, by partition, the records that are neither trained nor dead-lettered: those up to the read-committed
        end as far as it is known (it may be some polls old), and those fetched that wait, this poll's included.
        """

    def decoded(self, seconds: float, events: int) -> None:
        """``events`` records were parsed and validated, the invalid ones among them."""

    def encoded(self, seconds: float, events: int) -> None:
        """A batch of ``events`` became arrays."""

    def trained(
        self,
        report: BatchReport,
        seconds: float,
        event_to_trained_seconds: Sequence[float],
        cpu_seconds: float = 0.0,
    ) -> None:
        """A batch was predicted, scored and then trained, in so many seconds; ``cpu_seconds`` is the processor time.

        ``event_to_trained_seconds``: wall-clock time of training less each event's own ``ts``; empty for files, where
        event time has nothing to do with now.
        """

    def schema_changed(self, report: SchemaReport, seconds: float) -> None:
        """A schema version took effect (``report.duplicate``: it had before, and was ignored)."""

    def schema_rejected(self, version: int | None, reason: str) -> None:
        """A schema version was refused and dead-lettered; ``version`` is None where no number could be read."""

    def stands_by(self, what_is_missing: str, lost: bool) -> None:
        """No interaction is fetched, for schema version 1 is not there; called again where the sentence changes.

        ``lost``: later versions are there, so that it will not come by itself.
        """

    def dead_letter(self, reason: str) -> None:
        """An interaction was dead-lettered; it is published with the next checkpoint that covers its place."""

    def held(self, partition: int, events: int) -> None:
        """``events`` decoded records of the partition now wait; 0 ends a wait that was reported before."""

    def log_away(self, reason: str, seconds: float) -> None:
        """The log has not answered for so long; told at each question in vain, and ended by ``log_back``."""

    def log_back(self, seconds: float) -> None:
        """The log answers again, after so many seconds."""

    def checkpointed(self, number: int, seconds: float, size_bytes: int) -> None:
        """Checkpoint ``number`` is durable and committed."""

    def checkpoint_damaged(self, name: str) -> None:
        """A damaged checkpoint was passed over at the start, after ``restored``; it lies under this file name now."""

    def version_published(self, kind: str, version: int, schema_version: int, size_bytes: int, seconds: float) -> None:
        """A model version, full or delta, is served, so many seconds after its state was copied."""

    def version_refused(self, version: int, sentence: str) -> None:
        """The gate refused a full model version, and why."""

    def publishing(self, state: str, sentence: str) -> None:
        """Whether deltas go out changed: `on`, `stopped` (by a bound on the loss) or `held` (by an operator)."""

    def publishing_failed(self, sentence: str) -> None:
        """A model version could not be written; training goes on, and the next one is tried."""

    def publishing_cost(self, cpu_seconds: float) -> None:
        """Publishing took so much processor time, of this thread or of another one."""

    def stopped(self, summary: Mapping[str, Any]) -> None:
        """The service ended normally; ``summary`` is the contract's summary."""


class CompositeObserver(Observer):
    """Passes every call to each of its observers, in the order given."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def listening(self, url: str) -> None:
        for observer in self._observers:
            observer.listening(url)

    def started(
        self, source: str, strategy: str, settings_masked: Mapping[str, Any], restored_checkpoint: int | None
    ) -> None:
        for observer in self._observers:
            observer.started(source, strategy, settings_masked, restored_checkpoint)

    def restored(self, model: ModelReport) -> None:
        for observer in self._observers:
            observer.restored(model)

    def polled(self, seconds: float, records: int, lag: Mapping[int, int], at_monotonic_seconds: float) -> None:
        for observer in self._observers:
            observer.polled(seconds, records, lag, at_monotonic_seconds)

    def decoded(self, seconds: float, events: int) -> None:
        for observer in self._observers:
            observer.decoded(seconds, events)

    def encoded(self, seconds: float, events: int) -> None:
        for observer in self._observers:
            observer.encoded(seconds, events)

    def trained(
        self,
        report: BatchReport,
        seconds: float,
        event_to_trained_seconds: Sequence[float],
        cpu_seconds: float = 0.0,
    ) -> None:
        for observer in self._observers:
            observer.trained(report, seconds, event_to_trained_seconds, cpu_seconds)

    def schema_changed(self, report: SchemaReport, seconds: float) -> None:
        for observer in self._observers:
            observer.schema_changed(report, seconds)

    def schema_rejected(self, version: int | None, reason: str) -> None:
        for observer in self._observers:
            observer.schema_rejected(version, reason)

    def stands_by(self, what_is_missing: str, lost: bool) -> None:
        for observer in self._observers:
            observer.stands_by(what_is_missing, lost)

    def dead_letter(self, reason: str) -> None:
        for observer in self._observers:
            observer.dead_letter(reason)

    def held(self, partition: int, events: int) -> None:
        for observer in self._observers:
            observer.held(partition, events)

    def log_away(self, reason: str, seconds: float) -> None:
        for observer in self._observers:
            observer.log_away(reason, seconds)

    def log_back(self, seconds: float) -> None:
        for observer in self._observers:
            observer.log_back(seconds)

    def checkpointed(self, number: int, seconds: float, size_bytes: int) -> None:
        for observer in self._observers:
            observer.checkpointed(number, seconds, size_bytes)

    def checkpoint_damaged(self, name: str) -> None:
        for observer in self._observers:
            observer.checkpoint_damaged(name)

    def version_published(self, kind: str, version: int, schema_version: int, size_bytes: int, seconds: float) -> None:
        for observer in self._observers:
            observer.version_published(kind, version, schema_version, size_bytes, seconds)

    def version_refused(self, version: int, sentence: str) -> None:
        for observer in self._observers:
            observer.version_refused(version, sentence)

    def publishing(self, state: str, sentence: str) -> None:
        for observer in self._observers:
            observer.publishing(state, sentence)

    def publishing_failed(self, sentence: str) -> None:
        for observer in self._observers:
            observer.publishing_failed(sentence)

    def publishing_cost(self, cpu_seconds: float) -> None:
        for observer in self._observers:
            observer.publishing_cost(cpu_seconds)

    def stopped(self, summary: Mapping[str, Any]) -> None:
        for observer in self._observers:
            observer.stopped(summary)
