"""All settings of the program in one place: the learner's, and those of the service and the edges around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stream.checkpoint.settings import CheckpointSettings
from stream.log.settings import KafkaSettings, LogSettings, TopicSettings
from stream.metrics.settings import MetricsSettings
from stream.publish.settings import PublishSettings
from stream.service.settings import DeadLetterSettings, HeldSettings
from stream.serving.settings import ServeSettings
from stream.settings.fields import section, setting
from stream.settings.learner import LearnerSettings
from stream.view.settings import ViewSettings

__all__ = ["Settings", "start_time_ms"]


@dataclass(frozen=True)
class Settings(LearnerSettings):
    """Every setting there is. It is a `LearnerSettings` itself, so a learner takes it as it is."""

    name: str = setting(
        "stream",
        "The learner's name: one learner of a name runs at a time, and its transactions and checkpoints bear it.",
    )
    start: str = setting(
        "earliest",
        "Where interactions are read from when there is no checkpoint: earliest, latest, or a time such as "
        "2026-01-31T06:00:00+00:00. The schema is always read from its beginning.",
    )
    batch_age_seconds: float = setting(
        0.1,
        "A batch that is not full is trained when its first event is this old; 0 waits for a full batch.",
        minimum=0,
    )
    idle_seconds: float = setting(
        5.0, "A partition that has stood at its end this long no longer holds back a schema version.", minimum=0
    )
    align: bool = setting(True, "Hold events so that a version takes effect at the same event time in all partitions.")
    version_wait_seconds: float = setting(
        30.0, "How long an event waits for the schema version that it names before it is a dead letter.", minimum=0
    )
    max_ahead_seconds: float = setting(
        3600.0,
        "An event whose `ts` is further ahead of its record's own timestamp is a dead letter (Kafka only).",
        minimum=0,
    )
    max_behind_seconds: float = setting(
        631_152_000.0,
        "An event whose `ts` is further behind its record's own timestamp is a dead letter (Kafka only); the default "
        "is 20 years. Raise it to send history that is older.",
        minimum=0,
    )
    version_max_ahead_seconds: float = setting(
        315_576_000.0,
        "A schema version whose `ts` is further ahead of its record's own timestamp is rejected (Kafka only); the "
        "default is ten years.",
        minimum=0,
    )

    kafka: KafkaSettings = section(KafkaSettings)
    topics: TopicSettings = section(TopicSettings)
    log: LogSettings = section(LogSettings)
    checkpoint: CheckpointSettings = section(CheckpointSettings)
    dead_letters: DeadLetterSettings = section(DeadLetterSettings)
    held: HeldSettings = section(HeldSettings)
    publish: PublishSettings = section(PublishSettings)
    metrics: MetricsSettings = section(MetricsSettings)
    view: ViewSettings = section(ViewSettings)
    serve: ServeSettings = section(ServeSettings)

    def check(self) -> None:
        """Refuse a name that no transactional id can bear, and a start that is no point in time."""
        super().check()
        if len(self.name) > 200:
            raise self.wrong("name", "is longer than 200 characters", "Take a shorter one.")
        if not self.name or not all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in self.name):
            raise self.wrong("name", "cannot be part of a transactional id", "Use letters, digits, '.', '_' and '-'.")
        if self.start not in ("earliest", "latest"):
            try:
                start_time_ms(self.start)
            except ValueError:
                raise self.wrong(
                    "start",
                    "is neither a word nor a time",
                    "Use earliest, latest, or a time with its zone, such as 2026-01-31T06:00:00+00:00.",
                ) from None


def start_time_ms(start: str) -> int:
    """Return the Unix milliseconds of a time in ISO 8601 with a zone; raises ValueError if it is none."""
    time = datetime.fromisoformat(start)
    if time.tzinfo is None:
        raise ValueError("a time without a zone means another moment on every machine")
    return round(time.timestamp() * 1000)
