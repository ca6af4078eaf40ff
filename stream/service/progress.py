"""What the service carries from run to run beside offsets and model: its times, its origin, the last rejection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stream.service.interface import ServedLearner
from stream.service.step_times import StepTimes

__all__ = ["Origin", "Progress", "Rejection"]


class Rejection(NamedTuple):
    """A schema version that was refused."""

    version: int | None
    """None if no number could be read."""
    reason: str
    """The word for it, of those in `stream.records.reasons`."""
    message: str
    """The sentence."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where this learner's records come from, and how it was set up: said in the summary and in the checkpoint.

    Attributes:
        source: "apache-kafka 4.3.0", "embedded-log" or "files".
        topic: topic of the interactions, or the file's name.
        schema_topic: topic of the schema, or the file's name.
        strategy, seed, batch_size: of the settings.
        topic_id, schema_topic_id: which topics of these names, if the log tells them from those made anew.
        learner_settings: the learner's settings as plain values, from which a reader of the checkpoint rebuilds them.
    """

    source: str
    topic: str
    schema_topic: str
    strategy: str
    seed: int
    batch_size: int
    learner_settings: Mapping[str, Any] = field(default_factory=dict)
    topic_id: str | None = None
    schema_topic_id: str | None = None


class Progress:
    """Times summed over restarts, and whether the schema stands with a rejection.

    Args:
        origin: where the records come from.
        restored: `state()` of the run that this one goes on from; None for a new learner.
    """

    def __init__(self, origin: Origin, restored: Mapping[str, Any] | None = None) -> None:
        self._origin = origin
        self._seconds_before: float = 0.0 if restored is None else restored["seconds"]
        self._begun: float | None = None
        self.step_times = StepTimes(None if restored is None else restored["step_times"])
        rejection = None if restored is None else restored["rejection"]
        self.rejection = None if rejection is None else Rejection(*rejection)
        """The last rejected schema version, until a next one is applied."""

    def begun(self, now: float) -> None:
        """Note the first poll; later calls do nothing."""
        if self._begun is None:
            self._begun = now

    def seconds(self, now: float) -> float:
        """Return the seconds from first poll to now, earlier runs included up to their checkpoints."""
        return self._seconds_before + (0.0 if self._begun is None else now - self._begun)

    def state(self, now: float) -> dict[str, Any]:
        """Return what a checkpoint keeps of this."""
        return {
            "seconds": self.seconds(now),
            "step_times": self.step_times.state(),
            "rejection": None if self.rejection is None else list(self.rejection),
            "source": self._origin.source,
            "topic": self._origin.topic,
            "schema_topic": self._origin.schema_topic,
            "topic_id": self._origin.topic_id,
            "schema_topic_id": self._origin.schema_topic_id,
            "strategy": self._origin.strategy,
            "learner_settings": dict(self._origin.learner_settings),
        }

    def summary(self, learner: ServedLearner, now: float) -> dict[str, Any]:
        """Return the contract's summary: the learner's counts and measures, and what only the service knows."""
        counts = learner.summary()
        seconds = self.seconds(now)
        trained = counts["events_trained"]
        return {
            "source": self._origin.source,
            "strategy": self._origin.strategy,
            "seed": self._origin.seed,
            "batch_size": self._origin.batch_size,
            "events_read": trained + counts["events_dead_lettered"],
            **counts,
            "seconds": round(seconds, 3),
            "events_per_second": round(trained / seconds, 1) if seconds > 0 else None,
            **self.step_times.summary(),
            "schema_rejection": None if self.rejection is None else self.rejection._asdict(),
            "state_digest": learner.state_digest(),
        }
