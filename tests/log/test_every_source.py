"""Every source keeps to what `stream.testing.check_source` asks; and the check sees the faults that it is there for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from stream.log.connection import Connection
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.embedded_source import EmbeddedInteractionSource
from stream.log.kafka_source import KafkaInteractionSource
from stream.log.protocol import InteractionSource, Record
from stream.log.settings import TopicSettings
from stream.service.files import InteractionsFile
from stream.testing import MemoryLog, MemorySource, check_source

Values = Mapping[int, Sequence[bytes]]


def _in_memory(values: Values, kind: type[MemorySource] = MemorySource) -> MemorySource:
    log = MemoryLog(len(values))
    for partition, some in values.items():
        for value in some:
            log.send(value, partition)
    return kind(log)


def test_the_log_in_memory() -> None:
    check_source(_in_memory)


def test_the_embedded_log(tmp_path: Path) -> None:
    def make(values: Values) -> InteractionSource:
        topic = EmbeddedTopic.create(tmp_path, "interactions", len(values))
        writer = EmbeddedWriter(topic, clock_seconds=itertools.count(1).__next__)
        for partition, some in values.items():
            for value in some:
                writer.send(None, value, partition=partition)
        writer.flush()
        return EmbeddedInteractionSource(tmp_path, "interactions")

    check_source(make, partitions=3)


def test_a_file(tmp_path: Path) -> None:
    def make(values: Values) -> InteractionSource:
        path = tmp_path / "interactions.jsonl"
        path.write_bytes(b"\n".join(values[0]))
        return InteractionsFile(path)

    check_source(make, partitions=1)


def test_kafka(kafka: Connection, fresh_topics: Callable[[int], TopicSettings]) -> None:
    topic = fresh_topics(2).interactions

    def make(values: Values) -> InteractionSource:
        producer: Any = kafka.producer(None)
        for partition, some in values.items():
            for value in some:
                producer.send(topic, value, partition=partition)
        producer.flush()
        producer.close(timeout=5)
        return KafkaInteractionSource(kafka, topic)

    check_source(make)


class _LosesOne(MemorySource):
    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        return [
            record
            for record in super().poll(max_records, timeout_seconds)
            if (record.partition, record.offset) != (1, 2)
        ]


class _TakesAnyPlace(MemorySource):
    def seek(self, offsets: Mapping[int, int]) -> None:
        self._next.update(offsets)


class _DoesNotPause(MemorySource):
    def pause(self, partitions: Sequence[int]) -> None:
        pass


class _ForgetsWhatItHeld(MemorySource):
    def resume(self, partitions: Sequence[int]) -> None:
        super().resume(partitions)
        self._next.update(dict.fromkeys(partitions, 1))


class _NeverThere(MemorySource):
    def end_offsets(self) -> dict[int, int]:
        return {partition: end + 1 for partition, end in super().end_offsets().items()}


@pytest.mark.parametrize(
    ("faulty", "what"),
    [
        (_LosesOne, "partition 1: other values"),
        (_TakesAnyPlace, "refused with OffsetOutOfRange"),
        (_DoesNotPause, "after 200 polls|paused partition gives no record"),
        (_ForgetsWhatItHeld, "after resume all of a paused partition comes"),
        (_NeverThere, "after 200 polls"),
    ],
)
def test_a_fault_is_seen(faulty: type[MemorySource], what: str) -> None:
    with pytest.raises(AssertionError, match=what):
        check_source(lambda values: _in_memory(values, faulty))
