"""Sending interactions again on Kafka: the records and the marks that say so in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stream.errors import LogError
from stream.log.connection import Connection
from stream.log.letter import size_bytes
from stream.log.letter_box import MARK_HEADER, mark_of
from stream.log.protocol import DeadLetter
from stream.log.resent import resent_header, target_partition
from stream.log.topic_watch import TopicWatch
from stream.log.topics import largest_record_bytes
from stream.log.transaction import Outgoing, TransactionalProducer

if TYPE_CHECKING:
    from stream.settings.root import Settings

__all__ = ["KafkaPost"]


class KafkaPost:
    """A `stream.log.resend.Post` on Kafka.

    All that send letters of one topic again share one transactional id, so that of two the later one goes on and the
    earlier one ends with `Fenced`: no record is sent twice.

    Raises `LogError` if a topic does not exist.
    """

    def __init__(self, settings: Settings) -> None:
        self._connection = Connection(settings.kafka)
        self._interactions, self._letters = settings.topics.interactions, settings.topics.dead_letters
        watch = TopicWatch(self._connection, (self._interactions, self._letters))
        self._topic_id = watch.id_of(self._interactions)
        self._partitions = watch.partitions(self._interactions)
        watch.close()
        if not self._partitions:
            raise LogError(
                f"Topic {self._interactions} at {self._connection.where} may not be looked at. See the ACLs: Write."
            )
        limits = largest_record_bytes(self._connection, (self._interactions, self._letters))
        own = self._connection.largest_request_bytes
        bounds = [*limits.values(), *([] if own is None else [own])]
        if len(limits) < 2:
            raise LogError(
                f"Kafka at {self._connection.where}: the configuration of {self._interactions} or {self._letters} may "
                "not be read. See the ACLs: DescribeConfigs of both topics."
            )
        self._record_bytes = min(limits[self._interactions], bounds[-1])
        self._batch_bytes = min(bounds)
        self._producer: TransactionalProducer | None = None

    def takes(self, letter: DeadLetter) -> bool:
        """Say whether the topic of the interactions takes the record with its new header."""
        return size_bytes(DeadLetter("", "", 0, 0, letter.key, letter.value)) <= self._record_bytes

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Append records and marks, all or nothing."""
        if self._producer is None:
            name = f"stream-resend-{self._letters}"
            where = f"Sending dead letters of {self._letters} again to {self._interactions} at {self._connection.where}"
            largest = max(self._record_bytes, self._batch_bytes)
            self._producer = TransactionalProducer(self._connection, name, where, largest, self._batch_bytes)
            self._producer.start()
        records = [
            Outgoing(
                self._interactions,
                letter.key,
                letter.value,
                (resent_header(letter),),
                target_partition(letter, self._partitions, self._topic_id),
            )
            for letter in letters
        ]
        marks = [Outgoing(self._letters, b"", None, ((MARK_HEADER, mark_of(letter)),)) for letter in letters]
        self._producer.transact([*records, *marks])

    def close(self) -> None:
        """Close the connections."""
        if self._producer is not None:
            self._producer.close()
