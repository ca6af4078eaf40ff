"""Committing to Kafka: dead letters and offsets in one transaction, and the newest learner of a name wins.

The transactional id is made of the learner's name. `init_transactions` under it raises the producer's epoch at Kafka's
transaction coordinator: a transaction that the predecessor left open is aborted, one that it was committing is
completed, and whatever it sends from then on is refused (KIP-98, KIP-360). The offsets go to a consumer group that
nobody ever joins; their metadata names the checkpoint, so that a start knows which file the commit belongs to.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.admin import ConfigResource
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError
from kafka.structs import OffsetAndMetadata

from stream.errors import BrokerUnavailable, Fenced, LogError, StreamError
from stream.log.connection import Connection, kafka_errors, translated
from stream.log.kafka_source import assigned_partitions
from stream.log.protocol import Commit, DeadLetter
from stream.log.settings import TopicSettings

__all__ = ["KafkaCommitLog", "group_of"]

_FENCING = (ProducerFencedError, InvalidProducerEpochError)
_ENVELOPE_BYTES = 1024
_PAUSE_SECONDS = 0.5


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

    def __init__(
        self,
        connection: Connection,
        name: str,
        topics: TopicSettings,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._group = group_of(name)
        self._topics = topics
        self._monotonic_seconds = monotonic_seconds
        self._where = f"The commit log of {self._group} at {connection.where}"
        self._producer: Any = None
        self._largest_bytes = 0
        self._published: set[tuple[str, int, int]] = set()

    def fence(self) -> Commit | None:
        """Take over, and return the newest commit; raises `BrokerUnavailable` or `LogError` where that fails."""
        self._largest_bytes = self._largest_dead_letter_bytes()
        self._producer = self._connection.producer(
            self._group,
            max_request_size=self._largest_bytes + _ENVELOPE_BYTES,
            max_block_ms=round(self._connection.settings.commit_seconds * 1000),
        )
        self._bounded(self._producer.init_transactions)
        return self._newest()

    def resumed(self, commit: Commit) -> None:
        """Look up which dead letters were published for offsets at or after this older checkpoint's.

        A deterministic replay meets them again; those that are there are then not published a second time.
        """
        self._published = {
            origin
            for origin in self._origins()
            if origin[2]
            >= (commit.schema_offset if origin[0] == self._topics.schema else commit.offsets.get(origin[1], 0))
        }

    def commit(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None:
        """Publish the dead letters and the offsets in one transaction.

        Raises:
            Fenced: a newer learner of this name has started.
            LogError: Kafka refused, or did not answer within `commit_seconds`.
        """
        if self._producer is None:
            raise LogError(f"{self._where}: fence() has to be called before anything is committed.")
        fresh = [letter for letter in dead_letters if _origin(letter) not in self._published]
        self._bounded(lambda: self._transact(commit, fresh))

    def close(self) -> None:
        """Close the producer; a transaction that is still open is aborted by the next `fence` or by its time-out."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError):  # all that was to be kept is in a committed transaction
                producer.close(timeout=1)

    def _transact(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None:
        """Run one transaction to its end. kafka-python retries what may pass; what it calls abortable starts anew."""
        deadline = self._monotonic_seconds() + self._connection.settings.commit_seconds
        while True:
            try:
                self._producer.begin_transaction()
                self._send(dead_letters)
                self._producer.send_offsets_to_transaction(self._offsets(commit), self._group)
                self._producer.commit_transaction()
            except KafkaError as error:
                self._abort(error)
                if self._monotonic_seconds() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def _abort(self, error: KafkaError) -> None:
        """Abort after `error`, or raise what says that nothing can be sent under this id any more."""
        if _fenced(error):
            raise error
        try:
            self._producer.abort_transaction()
        except KafkaError as fatal:
            raise (fatal if _fenced(fatal) else error) from None

    def _send(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Publish inside the open transaction, and be sure of it: not every failed send fails kafka-python's commit."""
        sent = [self._send_one(letter) for letter in dead_letters]
        if sent:
            self._producer.flush(timeout=self._connection.settings.commit_seconds)
        for future in sent:
            future.get(timeout=0)

    def _send_one(self, letter: DeadLetter) -> Any:
        headers = [
            ("reason", letter.reason.encode()),
            ("topic", letter.topic.encode()),
            ("partition", str(letter.partition).encode()),
            ("offset", str(letter.offset).encode()),
        ]
        key, value = letter.key, letter.value
        if len(key or b"") + len(value or b"") > self._largest_bytes:
            # Kafka would refuse it for ever. The original is where the headers say, for as long as that topic keeps it.
            headers.append(("omitted_bytes", str(len(key or b"") + len(value or b"")).encode()))
            key, value = None, b""
        elif key is None and value is None:
            key = b""  # kafka-python sends no record without both
            headers.append(("key", b"null"))
        return self._producer.send(self._topics.dead_letters, value=value, key=key, headers=headers)

    def _offsets(self, commit: Commit) -> dict[TopicPartition, OffsetAndMetadata]:
        metadata = json.dumps({"checkpoint": commit.number, "digest": commit.digest})
        offsets = {TopicPartition(self._topics.interactions, number): at for number, at in commit.offsets.items()}
        offsets[TopicPartition(self._topics.schema, 0)] = commit.schema_offset
        return {assigned: OffsetAndMetadata(offset, metadata, -1) for assigned, offset in offsets.items()}

    def _newest(self) -> Commit | None:
        held = self._committed()
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

    def _committed(self) -> dict[TopicPartition, Any]:
        """Return offset and metadata of every partition of the two topics that has any.

        A consumer is asked and not the admin client: it waits for a coordinator that is only just being elected, and
        for a transaction that is only just ending.
        """
        consumer = self._connection.consumer(self._group)
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
        """Return how large key and value may be together: what the topic takes, less the envelope."""
        topic = self._topics.dead_letters
        with self._connection.administering() as admin:
            asked = ConfigResource("TOPIC", topic, {"max.message.bytes": None})
            answer: Mapping[str, Any] = admin.describe_configs([asked], config_filter="all")
        return int(answer["topic"][topic]["max.message.bytes"]["value"]) - _ENVELOPE_BYTES

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

    def _bounded(self, call: Callable[[], None]) -> None:
        """Run `call` for at most `commit_seconds`: kafka-python itself waits for a lost coordinator for ever.

        A call that is given up stays behind in a daemon thread; the caller leaves the process, and a start settles it.
        """
        outcome: list[BaseException | None] = []

        def run() -> None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001  (it is raised again below, in the caller's thread)
                outcome.append(error)
            else:
                outcome.append(None)

        thread = threading.Thread(target=run, name="stream-commit", daemon=True)
        thread.start()
        thread.join(self._connection.settings.commit_seconds + 1)
        if not outcome:
            raise BrokerUnavailable(
                f"{self._where} was not reached within {self._connection.settings.commit_seconds:g} s. Whether the "
                "last commit counts is found at the next start."
            )
        error = outcome[0]
        if isinstance(error, KafkaError):
            raise self._translated(error) from error
        if error is not None:
            raise error

    def _translated(self, error: KafkaError) -> StreamError:
        if _fenced(error):
            return Fenced(
                f"A newer learner named {self._group.removeprefix('stream-')} took over at {self._connection.where}. "
                "This one stops and leaves the checkpoints alone."
            )
        return translated(error, self._where)


def _fenced(error: KafkaError) -> bool:
    """Say whether a newer producer has the id; kafka-python may hide that in the text of a plain KafkaError."""
    return isinstance(error, _FENCING) or any(kind.__name__ in str(error) for kind in _FENCING)


def _origin(letter: DeadLetter) -> tuple[str, int, int]:
    return letter.topic, letter.partition, letter.offset
