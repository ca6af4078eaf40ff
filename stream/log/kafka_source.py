"""Reading interactions from Kafka: partitions assigned by hand, committed records only, offsets that are ours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

from kafka import TopicPartition

from stream.errors import BrokerUnavailable, LogError, OffsetOutOfRange
from stream.log.connection import Connection, kafka_errors
from stream.log.protocol import Record
from stream.log.topic_watch import TopicWatch

__all__ = ["KafkaInteractionSource", "assigned_partitions", "every_record", "record_of", "require_in_range"]


_LOOK_MS = 500


class KafkaInteractionSource:
    """An `InteractionSource` over a topic of Kafka.

    Args:
        connection: the cluster.
        topic: the topic.
        watch: what looks whether the topic is still the same; one of its own by default.

    Raises (from construction on):
        BrokerUnavailable: no broker answered within the bound of the settings.
        LogError: the topic does not exist, or the log cannot be read.
        ConfigurationError: access was refused, or an option is wrong.
    """

    def __init__(self, connection: Connection, topic: str, watch: TopicWatch | None = None) -> None:
        self.topic = topic
        self.source_name = connection.source_name()
        self._where = f"Topic {topic} at {connection.where}"
        self._closing = ExitStack()
        if watch is None:
            watch = self._closing.enter_context(closing(TopicWatch(connection, (topic,))))
        self._watch = watch
        self.topic_id = watch.id_of(topic)
        self._consumer = connection.consumer()
        self._closing.callback(self._consumer.close)
        self._request_ms = connection.request_ms
        self._ends: dict[int, int] = {}
        self._resting: dict[int, int] = {}  # the next offsets of paused partitions
        try:
            numbers = assigned_partitions(self._consumer, topic, self._where)
        except LogError:
            self.close()
            raise
        self._assigned = {number: TopicPartition(topic, number) for number in numbers}

    def digest_before(self, offsets: Mapping[int, int]) -> None:
        """Say that records never change here: the topic's id is enough."""

    def partitions(self) -> list[int]:
        """Return all partition numbers, ascending, as they were at construction."""
        return list(self._assigned)

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Make these the next offsets; raises `OffsetOutOfRange`, before anything moved, if one does not exist."""
        require_in_range(self.topic, offsets, self.beginning_offsets(), self.end_offsets())
        for partition, offset in offsets.items():
            if partition in self._resting:
                self._resting[partition] = offset
            else:
                self._consumer.seek(self._assigned[partition], offset)

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return up to `max_records` records, waiting up to `timeout_seconds` for the first."""
        if len(self._resting) == len(self._assigned):
            time.sleep(timeout_seconds)
            return []
        with self._watch.reasons(), kafka_errors(self._where):
            fetched = self._consumer.poll(timeout_ms=round(timeout_seconds * 1000), max_records=max_records)
        return [record_of(record) for records in fetched.values() for record in records]

    def positions(self) -> dict[int, int]:
        """Return the next offset of each partition."""
        with self._watch.reasons(), kafka_errors(self._where):
            return {number: self._position(number) for number in self._assigned}

    def beginning_offsets(self) -> dict[int, int]:
        """Return the first offset that retention has left of each partition."""
        with kafka_errors(self._where):
            found = self._consumer.beginning_offsets(list(self._assigned.values()), timeout_ms=self._request_ms)
        return _by_number(found)

    def end_offsets(self) -> dict[int, int]:
        """Return, asked now, the offset after the last committed record of each partition.

        That is Kafka's last stable offset: an open transaction of a producer holds it back.
        """
        self._watch.check()
        with kafka_errors(self._where):
            found = self._consumer.end_offsets(list(self._assigned.values()), timeout_ms=self._request_ms)
        self._ends = _by_number(found)
        return dict(self._ends)

    def lag(self) -> dict[int, int]:
        """Return how far the end that `end_offsets` found last is ahead of each position.

        Fetches bring only the high watermark, which counts records of transactions that are open and may be aborted.
        """
        return {number: max(0, self._ends.get(number, 0) - (self._position(number) or 0)) for number in self._assigned}

    def offsets_for_time(self, timestamp_ms: int) -> dict[int, int]:
        """Return each partition's first offset with a record timestamp of `timestamp_ms` or later, else its end."""
        asked = dict.fromkeys(self._assigned.values(), timestamp_ms)
        with kafka_errors(self._where):
            found = self._consumer.offsets_for_times(asked, timeout_ms=self._request_ms)
        ends = self.end_offsets()
        at = {number: found.get(assigned) for number, assigned in self._assigned.items()}
        return {number: ends[number] if hit is None else min(hit.offset, ends[number]) for number, hit in at.items()}

    def pause(self, partitions: Sequence[int]) -> None:
        """Stop returning records of these partitions.

        They leave the assignment. kafka-python's own pause (3.0.12, after its #2981) can park fetched records of a
        partition that it then, resumed, neither returns nor fetches again, and the partition stands still for ever.
        """
        fresh = [partition for partition in partitions if partition not in self._resting]
        self._resting |= {partition: self._position(partition) for partition in fresh}
        self._reassign()

    def resume(self, partitions: Sequence[int]) -> None:
        """Undo `pause`."""
        resumed = {partition: self._resting.pop(partition) for partition in partitions if partition in self._resting}
        self._reassign()
        for partition, offset in resumed.items():
            self._consumer.seek(self._assigned[partition], offset)

    def _position(self, partition: int) -> int:
        if partition in self._resting:
            return self._resting[partition]
        position: int = self._consumer.position(self._assigned[partition])
        return position

    def _reassign(self) -> None:
        # Where all rest, the consumer is left as it is and not polled: an empty assignment is no assignment to it.
        if active := [assigned for number, assigned in self._assigned.items() if number not in self._resting]:
            self._consumer.assign(active)

    def close(self) -> None:
        """Close the connections."""
        self._closing.close()


def assigned_partitions(consumer: Any, topic: str, where: str) -> list[int]:
    """Assign all partitions of `topic` to `consumer` and return their numbers; raises `LogError` if there are none."""
    with kafka_errors(where):
        numbers = sorted(consumer.partitions_for_topic(topic))
        if not numbers:
            raise LogError(f"{where} does not exist. Create it with `stream topics --create`, or see the ACLs.")
        consumer.assign([TopicPartition(topic, number) for number in numbers])
    return numbers


def every_record(connection: Connection, topic: str) -> Iterator[Record]:
    """Yield what the topic holds now, committed records only, in offset order within each partition.

    Raises `LogError` if there is no such topic, or nothing of it comes for `request_seconds`.
    """
    where = f"Topic {topic} at {connection.where}"
    consumer = connection.consumer()
    waited_ms = 0
    try:
        assigned_partitions(consumer, topic, where)
        with kafka_errors(where):
            left = consumer.end_offsets(list(consumer.assignment()), timeout_ms=connection.request_ms)
            beginnings = consumer.beginning_offsets(list(left), timeout_ms=connection.request_ms)
            for assigned, beginning in beginnings.items():
                consumer.seek(assigned, beginning)
            while any(consumer.position(assigned) < end for assigned, end in left.items()):
                before = {assigned: consumer.position(assigned) for assigned in left}
                for records in consumer.poll(timeout_ms=_LOOK_MS).values():
                    yield from map(record_of, records)
                moved = any(consumer.position(assigned) > position for assigned, position in before.items())
                waited_ms = 0 if moved else waited_ms + _LOOK_MS
                if waited_ms > connection.request_ms:
                    raise BrokerUnavailable(f"{where} was not read to its end: nothing came within {waited_ms} ms.")
    finally:
        consumer.close()


def record_of(record: Any) -> Record:
    """Return kafka-python's ConsumerRecord as ours."""
    timestamp_ms = record.timestamp if record.timestamp >= 0 else None
    headers = tuple((name, value or b"") for name, value in record.headers)
    return Record(record.topic, record.partition, record.offset, record.key, record.value, timestamp_ms, headers)


def require_in_range(
    topic: str, offsets: Mapping[int, int], beginnings: Mapping[int, int], ends: Mapping[int, int]
) -> None:
    """Raise `OffsetOutOfRange` unless each of `offsets` lies between the beginning and the end of its partition."""
    lost = [
        f"partition {partition}: {offset} is not between {beginnings[partition]} and {ends[partition]}"
        for partition, offset in offsets.items()
        if not beginnings[partition] <= offset <= ends[partition]
    ]
    if lost:
        raise OffsetOutOfRange(
            f"Topic {topic} no longer has the offsets to go on from ({'; '.join(lost)}): retention deleted records "
            "that were not read, or the topic was made anew. Choose whether to go on from earliest or latest."
        )


def _by_number(found: Mapping[Any, int]) -> dict[int, int]:
    return {assigned.partition: offset for assigned, offset in sorted(found.items())}
