"""What the service tells whoever listens: metrics, live view, logs, plot. Nothing here does I/O or reads a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.report import BatchReport, ModelReport, SchemaReport

__all__ = ["CompositeObserver", "Observer", "Poll", "Start", "Step"]


@dataclass(frozen=True, slots=True)
class Start:
    """With what a service begins."""

    source: str
    strategy: str
    settings_masked: Mapping[str, Any] = field(default_factory=dict)
    restored_checkpoint: int | None = None
    """The number of the checkpoint that the model comes from; None for a new model."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll of the interactions."""

    seconds: float
    records: int
    lag: Mapping[int, int]
    """By partition, the records that are neither trained nor dead-lettered: those up to the read-committed end as far
    as it is known (it may be some polls old), and those fetched that wait, this poll's included."""
    at_monotonic_seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """A batch that was predicted, scored and then trained."""

    report: BatchReport
    seconds: float
    event_to_trained_seconds: Sequence[float] = ()
    """Wall-clock time of training less each event's own `ts`; empty for files."""
    cpu_seconds: float = 0.0
    """The processor time that it took."""


class Observer:
    """A listener that ignores everything; override what you want to hear.

    The service calls these on its own thread, in the order in which things happen, so a method must return quickly.
    All durations are seconds on the service's monotonic clock. An exception that leaves a method stops the service:
    an observer that talks to the outside catches its own.
    """

    def listening(self, url: str) -> None:
        """Metrics and health are served at `url`, `http://host:port`; called before `started`."""

    def started(self, start: Start) -> None:
        """The model is restored or new; polling begins next."""

    def restored(self, model: ModelReport) -> None:
        """How that model stands; called once, after `started`."""

    def polled(self, poll: Poll) -> None:
        """A poll completed."""

    def decoded(self, seconds: float, events: int) -> None:
        """`events` records were parsed and validated, the invalid ones among them."""

    def encoded(self, seconds: float, events: int) -> None:
        """A batch of `events` became arrays."""

    def trained(self, step: Step) -> None:
        """A batch was trained."""

    def schema_changed(self, report: SchemaReport, seconds: float) -> None:
        """A schema version took effect (`report.duplicate`: it had before, and was ignored)."""

    def schema_rejected(self, version: int | None, reason: str) -> None:
        """A schema version was refused and dead-lettered; `version` is None if no number could be read."""

    def stands_by(self, what_is_missing: str, lost: bool) -> None:
        """No interaction is fetched, because schema version 1 is not there; called again when the sentence changes.

        `lost`: later versions are there, so that it will not come by itself.
        """

    def dead_letter(self, reason: str) -> None:
        """An interaction was dead-lettered; it is published with the next checkpoint that covers its place."""

    def held(self, partition: int, events: int) -> None:
        """`events` decoded records of the partition now wait; 0 ends a wait that was reported before."""

    def log_away(self, reason: str, seconds: float) -> None:
        """The log has not answered for so long; told at each question in vain, and ended by `log_back`."""

    def log_back(self, seconds: float) -> None:
        """The log answers again, after so many seconds."""

    def checkpointed(self, number: int, seconds: float, size_bytes: int, stood_seconds: float = 0.0) -> None:
        """Checkpoint `number` is durable and committed, `seconds` after it was begun.

        `stood_seconds`: for how long training stood still for it.
        """

    def checkpoint_damaged(self, name: str) -> None:
        """A damaged checkpoint was passed over at the start, after `restored`; it lies under this file name now."""

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
        """The service ended normally; `summary` is the contract's summary."""


class CompositeObserver(Observer):
    """Passes every call to each of its observers, in the order given."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)


def _to_each(name: str) -> Callable[..., None]:
    def tell(self: CompositeObserver, *told: Any, **named: Any) -> None:
        for observer in self._observers:
            getattr(observer, name)(*told, **named)

    return tell


for _name in [name for name in vars(Observer) if not name.startswith("_")]:
    setattr(CompositeObserver, _name, _to_each(_name))
