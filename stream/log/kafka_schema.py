"""Reading the schema topic from Kafka: whenever asked, all of it up to the end as it is at that moment."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from kafka import TopicPartition

from stream.errors import BrokerUnavailable, ConfigurationError, LogError
from stream.log.connection import Connection, kafka_errors
from stream.log.kafka_source import assigned_partitions, record_of, require_in_range
from stream.log.protocol import Record
from stream.log.topic_watch import TopicWatch

__all__ = ["KafkaSchemaSource"]

_POLL_MS = 500
_POLL_RECORDS = 5000


class KafkaSchemaSource:
    """A `SchemaSource` over a topic of Kafka, which has to have one partition; errors as `KafkaInteractionSource`."""

    def __init__(
        self,
        connection: Connection,
        topic: str,
        watch: TopicWatch | None = None,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.topic = topic
        self.topic_id = None if watch is None else watch.id_of(topic)
        self._reasons = contextlib.nullcontext if watch is None else watch.reasons
        self._where = f"Topic {topic} at {connection.where}"
        self._consumer = connection.consumer()
        self._request_ms = connection.request_ms
        self._monotonic_seconds = monotonic_seconds
        self._assigned = TopicPartition(topic, 0)
        self._held: list[Record] = []
        try:
            numbers = assigned_partitions(self._consumer, topic, self._where)
            if len(numbers) != 1:
                raise ConfigurationError(f"{self._where} has {len(numbers)} partitions; a schema topic needs one.")
            self.seek(self.beginning_offset())
        except (LogError, ConfigurationError):
            self._consumer.close()
            raise

    def seek(self, offset: int) -> None:
        """Make `offset` the next one; raises `OffsetOutOfRange` if it does not exist."""
        require_in_range(self.topic, {0: offset}, {0: self.beginning_offset()}, {0: self.end_offset()})
        self._held.clear()
        self._consumer.seek(self._assigned, offset)

    def digest_before(self, offset: int) -> None:
        """Say that records never change here: the topic's id is enough."""

    def read_to_end(self, timeout_seconds: float) -> list[Record]:
        """Return every record from the position up to the end that is asked for now; raises `LogError` past the bound.

        The end is compared with the consumer's position, which also moves over transaction markers and aborted records,
        if no record will ever come (KIP-98; quixio/quix-streams#1017 is what happens otherwise).
        """
        deadline = self._monotonic_seconds() + timeout_seconds
        end = self.end_offset()
        with self._reasons(), kafka_errors(self._where):
            while (position := self._consumer.position(self._assigned)) < end:
                left_ms = round((deadline - self._monotonic_seconds()) * 1000)
                if left_ms <= 0:
                    raise BrokerUnavailable(
                        f"{self._where} was read only up to offset {position} of {end} within {timeout_seconds:g} s."
                    )
                fetched = self._consumer.poll(timeout_ms=min(left_ms, _POLL_MS), max_records=_POLL_RECORDS)
                self._held += map(record_of, fetched.get(self._assigned, ()))
        records, self._held = self._held, []
        return records

    def position(self) -> int:
        """Return the next offset after what has been returned."""
        if self._held:
            return self._held[0].offset
        with kafka_errors(self._where):
            return int(self._consumer.position(self._assigned))

    def beginning_offset(self) -> int:
        """Return the first offset that still exists."""
        with kafka_errors(self._where):
            found = self._consumer.beginning_offsets([self._assigned], timeout_ms=self._request_ms)
        return int(found[self._assigned])

    def end_offset(self) -> int:
        """Return, asked now, the offset after the last committed record."""
        with kafka_errors(self._where):
            return int(self._consumer.end_offsets([self._assigned], timeout_ms=self._request_ms)[self._assigned])

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()
