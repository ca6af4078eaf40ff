"""Committing to Kafka: dead letters and offsets in one transaction, and the newest learner of a name wins.

The transactional id is made of the learner's name, so a start fences the predecessor (`stream.log.transaction`). The
offsets go to a consumer group that nobody ever joins; their metadata names the checkpoint, so that a start knows which
file the commit belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.admin import ConfigResource
from kafka.structs import OffsetAndMetadata

from stream.errors import LogError
from stream.log.connection import Connection, kafka_errors
from stream.log.kafka_source import assigned_partitions
from stream.log.protocol import Commit, DeadLetter, Headers
from stream.log.settings import TopicSettings
from stream.log.transaction import Outgoing, TransactionalProducer

__all__ = ["KafkaCommitLog", "group_of"]

_ENVELOPE_BYTES = 1024


def group_of(name: str) -> str:
    """Return the consumer group, and transactional id, of the learner `name`."""
    return f"stream-{name}"


class KafkaCommitLog:
    """A `CommitLog` on Kafka.

    Args:
        connection: the cluster; `commit_seconds` of its settings bounds each transaction.
        name: the learner's name.
        topics: the topics whose offsets are committed, and that of the dead letters.
    """

    def __init__(self, connection: Connection, name: str, topics: TopicSettings) -> None:
        self._connection = connection
        self._group = group_of(name)
        self._topics = topics
        self._where = f"The commit log of {self._group} at {connection.where}"
        self._producer: TransactionalProducer | None = None
        self._largest_bytes = 0
        self._published: set[tuple[str, int, int]] = set()

    def newest(self, settled: bool = False) -> Commit | None:
        """Ask for the newest commit, which fences nobody; raises `BrokerUnavailable` or `LogError` where that fails."""
        return self._newest(settled)

    def fence(self) -> Commit | None:
        """Take over, and return the newest commit; raises `BrokerUnavailable` or `LogError` where that fails."""
        self._largest_bytes = self._largest_dead_letter_bytes()
        self._producer = TransactionalProducer(
            self._connection, self._group, self._where, self._largest_bytes + _ENVELOPE_BYTES
        )
        self._producer.start()
        return self._newest(settled=True)

    def resumed(self, commit: Commit) -> None:
        """Look up which dead letters were published for offsets at or after this older checkpoint's.

        A deterministic replay meets them again; those that are there are then not published a second time.
        """
        self._published = {origin for origin in self._origins() if origin[2] >= self._covered(commit, origin)}

    def commit(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None:
        """Publish the dead letters and the offsets in one transaction.

        Raises:
            Fenced: a newer learner of this name has started.
            LogError: Kafka refused, or did not answer within `commit_seconds`.
        """
        if self._producer is None:
            raise LogError(f"{self._where}: fence() has to be called before anything is committed.")
        fresh = [letter for letter in dead_letters if _origin(letter) not in self._published]
        self._producer.transact([self._outgoing(letter) for letter in fresh], self._group, self._offsets(commit))

    def close(self) -> None:
        """Close the producer; a transaction that is still open is aborted by the next `fence` or by its time-out."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()

    def _covered(self, commit: Commit, origin: tuple[str, int, int]) -> int:
        topic, partition, _ = origin
        return commit.schema_offset if topic == self._topics.schema else commit.offsets.get(partition, 0)

    def _outgoing(self, letter: DeadLetter) -> Outgoing:
        headers: Headers = (
            ("reason", letter.reason.encode()),
            ("topic", letter.topic.encode()),
            ("partition", str(letter.partition).encode()),
            ("offset", str(letter.offset).encode()),
        )
        size_bytes = len(letter.key or b"") + len(letter.value or b"")
        if size_bytes > self._largest_bytes:
            # Kafka would refuse it for ever. The original is where the headers say, for as long as that topic keeps it.
            headers = (*headers, ("omitted_bytes", str(size_bytes).encode()))
            return Outgoing(self._topics.dead_letters, None, b"", headers)
        return Outgoing(self._topics.dead_letters, letter.key, letter.value, headers)

    def _offsets(self, commit: Commit) -> dict[TopicPartition, OffsetAndMetadata]:
        metadata = json.dumps({"checkpoint": commit.number, "digest": commit.digest})
        offsets = {TopicPartition(self._topics.interactions, number): at for number, at in commit.offsets.items()}
        offsets[TopicPartition(self._topics.schema, 0)] = commit.schema_offset
        return {assigned: OffsetAndMetadata(offset, metadata, -1) for assigned, offset in offsets.items()}

    def _newest(self, settled: bool) -> Commit | None:
        held = self._committed(settled)
        if not held:
            return None
        named = {committed.metadata for committed in held.values()}
        try:
            (metadata,) = named
            checkpoint = json.loads(metadata)
            schema_offset = held.pop(TopicPartition(self._topics.schema, 0)).offset
            offsets = {assigned.partition: committed.offset for assigned, committed in held.items()}
            return Commit(checkpoint["checkpoint"], checkpoint["digest"], offsets, schema_offset)
        except (ValueError, KeyError, TypeError) as error:
            raise LogError(
                f"{self._where}: the offsets of this consumer group are not of one checkpoint ({sorted(named)}). "
                "Something else commits to the group; give the learner a name of its own."
            ) from error

    def _committed(self, settled: bool) -> dict[TopicPartition, Any]:
        """Return offset and metadata of every partition of the two topics that has any.

        A consumer is asked and not the admin client: it waits for a coordinator that is only just being elected, and,
        where `settled`, for a transaction that has not ended.
        """
        consumer = self._connection.consumer(self._group, committed_only=settled)
        try:
            found = {}
            with kafka_errors(self._where):
                for topic in (self._topics.interactions, self._topics.schema):
                    for number in sorted(consumer.partitions_for_topic(topic)):
                        assigned = TopicPartition(topic, number)
                        committed = consumer.committed(assigned, metadata=True, timeout_ms=self._connection.request_ms)
                        if committed is not None and committed.offset >= 0:
                            found[assigned] = committed
            return found
        finally:
            consumer.close()

    def _largest_dead_letter_bytes(self) -> int:
        """Return how large key and value may be together: what the topic takes, less the envelope.

        Raises `LogError` where there is no such topic, before a dead letter finds that out.
        """
        topic = self._topics.dead_letters
        with self._connection.administering() as admin:
            asked = ConfigResource("TOPIC", topic, {"max.message.bytes": None})
            answer: Mapping[str, Any] = admin.describe_configs([asked], config_filter="all")
        bound = answer.get("topic", {}).get(topic, {}).get("max.message.bytes")
        if bound is None:
            raise LogError(
                f"{self._where}: the topic {topic} of the dead letters does not exist, or its configuration may not be "
                "read. Create it with `stream topics --create`, or see the ACLs."
            )
        return int(bound["value"]) - _ENVELOPE_BYTES

    def _origins(self) -> Iterable[tuple[str, int, int]]:
        """Yield (topic, partition, offset) of every dead letter that is published and committed."""
        consumer = self._connection.consumer()
        try:
            assigned_partitions(consumer, self._topics.dead_letters, self._where)
            with kafka_errors(self._where):
                left = consumer.end_offsets(list(consumer.assignment()))
                for assigned, beginning in consumer.beginning_offsets(list(left)).items():
                    consumer.seek(assigned, beginning)
                while any(consumer.position(assigned) < end for assigned, end in left.items()):
                    for records in consumer.poll(timeout_ms=500).values():
                        for record in records:
                            headers = dict(record.headers)
                            yield headers["topic"].decode(), int(headers["partition"]), int(headers["offset"])
        finally:
            consumer.close()


def _origin(letter: DeadLetter) -> tuple[str, int, int]:
    return letter.topic, letter.partition, letter.offset
