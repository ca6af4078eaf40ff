"""Committing to Kafka: dead letters and offsets in one transaction, and the newest learner of a name wins.

The transactional id is made of the learner's name, so a start fences the predecessor (`stream.log.transaction`). The
offsets go to a consumer group that nobody ever joins; their metadata names the checkpoint, so that a start knows which
file the commit belongs to.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from stream.errors import BrokerUnavailable, LogError
from stream.log.connection import Connection, kafka_errors
from stream.log.kafka_source import every_record
from stream.log.letter import fitted, headers_of, letter_of
from stream.log.protocol import Commit, DeadLetter
from stream.log.settings import TopicSettings
from stream.log.topic_watch import TopicWatch
from stream.log.topics import HEADERS_BYTES, largest_record_bytes
from stream.log.transaction import Outgoing, TransactionalProducer

__all__ = ["KafkaCommitLog", "group_of"]

_log = logging.getLogger("stream.log")


def group_of(name: str) -> str:
    """Return the consumer group, and transactional id, of the learner `name`."""
    return f"stream-{name}"


class KafkaCommitLog:
    """A `CommitLog` on Kafka.

    Args:
        connection: the cluster; `commit_seconds` of its settings bounds each transaction.
        name: the learner's name.
        topics: the topics whose offsets are committed, and that of the dead letters.
        watch: what looks whether the topics are still the same; one of its own by default, opened by `fence`.
    """

    def __init__(
        self, connection: Connection, name: str, topics: TopicSettings, watch: TopicWatch | None = None
    ) -> None:
        self._connection = connection
        self._name = name
        self._group = group_of(name)
        self._topics = topics
        self._where = f"The commit log of {self._group} at {connection.where}"
        self._watch = watch
        self._closing = ExitStack()
        self._producer: TransactionalProducer | None = None
        self._largest_bytes = 0
        self._missed = False
        self._published: set[tuple[str, str | None, int, int]] = set()

    def newest(self, wait: bool = False) -> Commit | None:
        """Ask for the newest commit, which fences nobody; raises `BrokerUnavailable` or `LogError` if that fails."""
        return self._newest(wait)

    def fence(self) -> Commit | None:
        """Take over, and return the newest commit; raises `BrokerUnavailable` or `LogError` if that fails."""
        if self._watch is None:
            watched = TopicWatch(self._connection, (self._topics.interactions, self._topics.schema))
            self._watch = self._closing.enter_context(closing(watched))
        self._largest_bytes = self._largest_letter_bytes()
        self._producer = TransactionalProducer(self._connection, self._group, self._where, self._largest_bytes)
        self._closing.callback(self._producer.close)
        self._producer.start()
        return self._newest(wait=True)

    def resumed(self, commit: Commit) -> None:
        """Look up which dead letters this learner published for offsets at or after this older checkpoint's.

        A deterministic replay meets them again; those that are there are then not published a second time.
        """
        letters = (letter for letter in self._letters() if letter.learner == self._name)
        self._published = {letter.origin for letter in letters if letter.offset >= self._covered(commit, letter)}

    def commit(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None:
        """Publish the dead letters and the offsets in one transaction.

        Raises:
            Fenced: a newer learner of this name has started.
            TopicMadeAnew: the offsets are of a topic that was deleted.
            LogError: Kafka refused, or did not answer within `commit_seconds`; or there is no topic for dead letters.
        """
        if self._producer is None or self._watch is None:
            raise LogError(f"{self._where}: fence() has to be called before anything is committed.")
        self._watch.check()
        fresh = [letter for letter in dead_letters if letter.origin not in self._published]
        one_by_one = bool(fresh) and self._shrunk()
        if not fresh:
            self._miss_their_topic(self._watch)
        outgoing = [self._outgoing(letter) for letter in fresh]
        with self._watch.reasons():
            self._producer.transact(outgoing, self._group, self._offsets(commit), one_by_one)

    def close(self) -> None:
        """Close the producer; a transaction that is still open is aborted by the next `fence` or by its time-out."""
        self._producer = None
        self._closing.close()

    def _covered(self, commit: Commit, letter: DeadLetter) -> int:
        schema = letter.topic == self._topics.schema
        return commit.schema_offset if schema else commit.offsets.get(letter.partition, 0)

    def _outgoing(self, letter: DeadLetter) -> Outgoing:
        letter = fitted(letter, self._largest_bytes)
        return Outgoing(self._topics.dead_letters, letter.key, letter.value, headers_of(letter))

    def _offsets(self, commit: Commit) -> dict[TopicPartition, OffsetAndMetadata]:
        metadata = json.dumps({"checkpoint": commit.number, "digest": commit.digest})
        offsets = {TopicPartition(self._topics.interactions, number): at for number, at in commit.offsets.items()}
        offsets[TopicPartition(self._topics.schema, 0)] = commit.schema_offset
        return {assigned: OffsetAndMetadata(offset, metadata, -1) for assigned, offset in offsets.items()}

    def _newest(self, wait: bool) -> Commit | None:
        held = self._committed(wait)
        if not held:
            return None
        named = {committed.metadata for committed in held.values()}
        try:
            (metadata,) = named
            checkpoint = json.loads(metadata)
            # Kafka forgets the offsets of a deleted topic. A start compares ids with those of the checkpoint.
            schema = held.pop(TopicPartition(self._topics.schema, 0), None)
            schema_offset = 0 if schema is None else schema.offset
            offsets = {assigned.partition: committed.offset for assigned, committed in held.items()}
            return Commit(checkpoint["checkpoint"], checkpoint["digest"], offsets, schema_offset)
        except (ValueError, KeyError, TypeError) as error:
            raise LogError(
                f"{self._where}: the offsets of this consumer group are not of one checkpoint ({sorted(named)}). "
                "Something else commits to the group; give the learner a name of its own."
            ) from error

    def _committed(self, wait: bool) -> dict[TopicPartition, Any]:
        """Return offset and metadata of every partition of the two topics that has any.

        A consumer is asked and not the admin client: it waits for a coordinator that is only just being elected, and,
        if `wait`, for a transaction that has not ended.
        """
        consumer = self._connection.consumer(self._group, committed_only=wait)
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

    def _shrunk(self) -> bool:
        """Look at the limit again before letters are sent; say whether it is lower than at the start.

        The batches of the producer are cut by the limit of the start.
        """
        before = self._largest_bytes
        try:
            now = self._largest_letter_bytes()
        except BrokerUnavailable:
            return False  # the transaction itself waits for a cluster that is away
        self._largest_bytes = min(before, now)
        return now < before

    def _miss_their_topic(self, watch: TopicWatch) -> None:
        """Say, once, that there is no topic for dead letters any more, while there are none."""
        try:
            missing = not watch.exists(self._topics.dead_letters)
        except BrokerUnavailable:
            return
        if missing and not self._missed:
            _log.error("%s", self._no_topic())
        self._missed = missing

    def _largest_letter_bytes(self) -> int:
        """Return how large a record of the dead letters may be: what their topic takes, or this producer sends.

        Raises `LogError` if there is no such topic, before a dead letter finds that out.
        """
        topics = (self._topics.dead_letters, self._topics.interactions)
        limits = largest_record_bytes(self._connection, topics)
        taken, may_come = (limits.get(topic) for topic in topics)
        if taken is None:
            raise LogError(self._no_topic())
        sent = self._connection.largest_request_bytes
        largest = taken if sent is None else min(taken, sent)
        if largest < HEADERS_BYTES:
            raise LogError(
                f"{self._where}: dead letters may be of {largest} bytes at most (max.message.bytes of {topics[0]}, or "
                f"max_request_size of kafka.options), too little even for their headers. Raise it to {HEADERS_BYTES} "
                "or more."
            )
        if not self._largest_bytes and may_come is not None and largest < may_come + HEADERS_BYTES:
            _log.warning(
                "dead letters may be of %d bytes (max.message.bytes of %s%s), interactions of %d: of larger ones only "
                "their size and SHA-256 become a dead letter. Raise it to %d.",
                largest,
                topics[0],
                "" if sent is None else ", or max_request_size of kafka.options",
                may_come,
                may_come + HEADERS_BYTES,
            )
        return largest

    def _no_topic(self) -> str:
        return (
            f"{self._where}: the topic {self._topics.dead_letters} of the dead letters does not exist, or its "
            "configuration may not be read. Create it with `stream topics --create`, or see the ACLs."
        )

    def _letters(self) -> Iterator[DeadLetter]:
        """Yield every dead letter that is published and committed; records of others in their topic are passed over."""
        for record in every_record(self._connection, self._topics.dead_letters):
            if (letter := letter_of(record)) is not None:
                yield letter
