"""Opening a user's stream to read a range of it, from files or a log: nothing is fenced or committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stream.log.protocol import InteractionSource, SchemaSource
from stream.service.files import InteractionsFile, SchemaFile
from stream.settings.root import Settings

__all__ = ["Opened", "opened_files", "opened_log"]


@dataclass(frozen=True, slots=True)
class Opened:
    """Where interactions and schema versions are read from; whoever opened these closes them."""

    source: InteractionSource
    schema_source: SchemaSource
    timestamped: bool = False
    """Whether the records' own timestamps say when they were sent (Kafka), so that event time is held against them."""


@contextmanager
def opened_files(interactions: Path, schema: Path) -> Iterator[Opened]:
    """Open two files while the block runs; raises ConfigurationError if one cannot be read."""
    with closing(InteractionsFile(interactions)) as source:
        yield Opened(source, SchemaFile(schema))


@contextmanager
def opened_log(settings: Settings) -> Iterator[Opened]:
    """Open the log of the settings while the block runs; a learner that reads it is not disturbed.

    Raises LogError or ConfigurationError if it is not there.
    """
    topics = settings.topics
    if settings.log.directory:
        from stream.log.embedded_source import EmbeddedInteractionSource, EmbeddedSchemaSource

        directory = Path(settings.log.directory)
        with (
            closing(EmbeddedInteractionSource(directory, topics.interactions)) as source,
            closing(EmbeddedSchemaSource(directory, topics.schema)) as schema,
        ):
            yield Opened(source, schema)
        return
    from stream.log.connection import Connection
    from stream.log.kafka_schema import KafkaSchemaSource
    from stream.log.kafka_source import KafkaInteractionSource

    connection = Connection(settings.kafka)
    with (
        closing(KafkaInteractionSource(connection, topics.interactions)) as source,
        closing(KafkaSchemaSource(connection, topics.schema)) as schema,
    ):
        yield Opened(source, schema, timestamped=True)
