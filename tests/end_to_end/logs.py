"""The two logs of these tests behind one small interface: a real Kafka, and the embedded log."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kafka import TopicPartition

from stream.log.connection import Connection
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.settings import TopicSettings
from tests.end_to_end.streams import Line


def partition_of(line: Line, partitions: int) -> int:
    """Where these tests put a line: by its key."""
    return zlib.crc32(line.key) % partitions


class KafkaPlace:
    """Fresh topics on a real Kafka, and a learner's name that nobody else has."""

    def __init__(self, connection: Connection, topics: TopicSettings, partitions: int) -> None:
        self._connection = connection
        self._partitions = partitions
        self.topics = topics

    @property
    def settings(self) -> tuple[str, ...]:
        """What tells a learner of it."""
        return (
            f"kafka.bootstrap_servers={self._connection.where}",
            f"topics.interactions={self.topics.interactions}",
            f"topics.schema={self.topics.schema}",
            f"topics.dead_letters={self.topics.dead_letters}",
            f"name={self.topics.interactions}",
        )

    def publish(self, versions: Iterable[bytes]) -> None:
        """Append versions; they are there on return."""
        self._send((self.topics.schema, 0, None, version) for version in versions)

    def send(self, lines: Iterable[Line]) -> None:
        """Append interactions, each to the partition of its key, in this order; they are there on return."""
        self._send(
            (self.topics.interactions, partition_of(line, self._partitions), line.key, line.value) for line in lines
        )

    def dead_letters(self) -> list[Any]:
        """The committed records of the dead-letter topic."""
        consumer = self._connection.consumer()
        try:
            only = TopicPartition(self.topics.dead_letters, 0)
            consumer.assign([only])
            consumer.seek(only, 0)
            end = consumer.end_offsets([only])[only]
            records: list[Any] = []
            while consumer.position(only) < end:
                records += consumer.poll(timeout_ms=500).get(only, [])
            return records
        finally:
            consumer.close()

    def _send(self, records: Iterable[tuple[str, int, bytes | None, bytes]]) -> None:
        producer = self._connection.producer(linger_ms=5)
        try:
            sent = [
                producer.send(topic, key=key, value=value, partition=partition)
                for topic, partition, key, value in records
            ]
            producer.flush(100)
            for future in sent:
                future.get(100)
        finally:
            producer.close()


class EmbeddedPlace:
    """An embedded log of its own."""

    def __init__(self, directory: Path, partitions: int) -> None:
        self._directory = directory
        self._partitions = partitions
        self._interactions = EmbeddedTopic.create(directory, "interactions", partitions)
        self._schema = EmbeddedTopic.create(directory, "feature-schema")

    @property
    def settings(self) -> tuple[str, ...]:
        """What tells a learner of it."""
        return (f"log.directory={self._directory}",)

    def publish(self, versions: Iterable[bytes]) -> None:
        """Append versions; they are there on return."""
        writer = EmbeddedWriter(self._schema)
        for version in versions:
            writer.send(None, version)
        writer.flush()

    def send(self, lines: Iterable[Line]) -> None:
        """Append interactions, each to the partition of its key, in this order; they are there on return."""
        writer = EmbeddedWriter(self._interactions)
        for line in lines:
            writer.send(line.key, line.value, partition=partition_of(line, self._partitions))
        writer.flush()
