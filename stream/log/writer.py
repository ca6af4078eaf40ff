"""Writing records to a topic: one small protocol over Kafka's producer and the embedded log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from stream.errors import ConfigurationError
from stream.log.connection import Connection, kafka_errors
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.partitioner import partition_for
from stream.log.settings import KafkaSettings, LogSettings, TopicSettings
from stream.log.topics import largest_record_bytes

__all__ = ["KafkaWriter", "LogWriters", "RecordWriter", "writing"]


class RecordWriter(Protocol):
    """Appends records to one topic, in the order of the calls within each partition, each exactly once."""

    def send(self, key: bytes | None, value: bytes | None) -> None:
        """Add a record to its key's partition. What is waiting is bounded: now and then this waits for the log."""
        ...

    def flush(self) -> None:
        """Return once everything sent is in the log; raises `LogError` if some of it is not."""
        ...


class LogWriters(Protocol):
    """Where a producer writes: a writer for the interactions and one for the schema versions."""

    @property
    def interactions(self) -> RecordWriter:
        """The topic of the interactions."""
        ...

    @property
    def schema(self) -> RecordWriter:
        """The topic of the schema versions."""
        ...


class KafkaWriter:
    """A `RecordWriter` on Kafka: idempotent, record timestamps are the time of sending.

    Args:
        connection: the cluster.
        topic: the topic, which has to exist.
        producer: a producer of the connection; several writers may share one.
        waiting_records: after so many the writer waits until all are in the log, since kafka-python bounds nothing.
    """

    def __init__(self, connection: Connection, topic: str, producer: Any, waiting_records: int = 10_000) -> None:
        self._where = f"Topic {topic} at {connection.where}"
        self._topic = topic
        self._producer = producer
        self._seconds = max(connection.settings.request_seconds, connection.settings.commit_seconds)
        self._waiting_records = waiting_records
        self._waiting = 0
        self._failed: list[BaseException] = []
        self._partitions = connection.partition_count(topic)

    def send(self, key: bytes | None, value: bytes | None) -> None:
        """Add a record; raises `LogError` if an earlier one is known to have failed."""
        if key is None and value is None:
            key = b""  # kafka-python sends no record without both
        partition = partition_for(key, value, self._partitions)
        with kafka_errors(self._where):
            self._producer.send(self._topic, value, key, partition=partition).add_errback(self._failed.append)
            self._waiting += 1
        if self._waiting >= self._waiting_records:
            self.flush()
        self._raise_failure()

    def flush(self) -> None:
        """Return once everything sent is acknowledged by Kafka."""
        with kafka_errors(self._where):
            self._producer.flush(self._seconds)
        self._waiting = 0
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failed:
            with kafka_errors(self._where):
                raise self._failed[0]


def _record_bytes(connection: Connection, topics: Sequence[str]) -> list[int]:
    """Return how large a record of each topic may be; nothing if a producer's rights do not reach that far."""
    try:
        return list(largest_record_bytes(connection, topics).values())
    except ConfigurationError:
        return []


class _Pair:
    def __init__(self, interactions: RecordWriter, schema: RecordWriter) -> None:
        self.interactions = interactions
        self.schema = schema


@contextmanager
def writing(kafka: KafkaSettings, log: LogSettings, topics: TopicSettings) -> Iterator[LogWriters]:
    """Open writers for the log of the settings (the embedded one if `log.directory` is set) while the block runs.

    Everything is flushed at the end of a block that ends well.

    Raises:
        LogError: a topic does not exist, or the log cannot be written.
    """
    if log.directory:
        directory = Path(log.directory)
        pair = _Pair(
            EmbeddedWriter(EmbeddedTopic(directory, topics.interactions)),
            EmbeddedWriter(EmbeddedTopic(directory, topics.schema)),
        )
        yield pair
        pair.schema.flush()
        pair.interactions.flush()
        return

    connection = Connection(kafka)
    limits = _record_bytes(connection, (topics.interactions, topics.schema))
    largest = {"max_request_size": max(limits)} if limits else {}
    producer = connection.producer(None, min(limits, default=None), linger_ms=20, batch_size=256 << 10, **largest)
    try:
        pair = _Pair(
            KafkaWriter(connection, topics.interactions, producer), KafkaWriter(connection, topics.schema, producer)
        )
        yield pair
        pair.schema.flush()
        pair.interactions.flush()
    finally:
        producer.close(timeout=0)
