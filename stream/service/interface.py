"""What the service asks of a learner; `stream.learner.Learner` is one, tests have a small one that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from stream.records.interaction import Interaction
from stream.schema import Schema, Version
from stream.state import Tree

if TYPE_CHECKING:
    from stream.report import BatchReport, ModelReport, SchemaReport

__all__ = ["Publishes", "ServedLearner"]


class ServedLearner(Protocol):
    """A model that predicts and trains batch by batch and follows schema versions. It knows neither logs nor time."""

    @property
    def schema(self) -> Schema:
        """The schema in force."""
        ...

    @property
    def event_time_ms(self) -> int | None:
        """The largest `ts` trained, Unix ms; None before the first event."""
        ...

    def encode(self, interactions: Sequence[Interaction]) -> Any:
        """Return the batch as arrays; changes nothing."""
        ...

    def learn(self, batch: Any) -> BatchReport:
        """Score the batch, then train on it. Raises `NonFinite`."""
        ...

    def apply(self, version: Version) -> SchemaReport:
        """Take a version into effect. Raises `SchemaRejected`, and then nothing has changed."""
        ...

    def report(self) -> ModelReport:
        """Return how the model stands."""
        ...

    def dead_letter(self, reason: str) -> None:
        """Count an interaction that was dead-lettered."""
        ...

    def state(self) -> Tree:
        """Return everything that a checkpoint has to hold."""
        ...

    def state_digest(self) -> str:
        """Return the digest over all named state."""
        ...

    def summary(self) -> dict[str, Any]:
        """Return the counts and measures of the contract's summary that belong to the model."""
        ...


class Publishes(Protocol):
    """What publishes model versions beside training; `stream.publish.publisher.Publisher` is one."""

    def take_over(self, confirm: Callable[[], None], *, anything: bool) -> None:
        """Take the directory over; `confirm` asks the log whether this is the newest of its name. Raises `Fenced`."""
        ...

    def keep(self, records: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        """Keep keys and values of events that were trained."""
        ...

    def trained(self, loss: float | None) -> None:
        """Events were trained; `loss` is the windowed loss since."""
        ...

    def schema_applied(self) -> None:
        """A schema version took effect."""
        ...

    def tend(self) -> None:
        """Publish what is due. Raises `Fenced`."""
        ...

    def finish(self) -> None:
        """Publish the state at the end."""
        ...
