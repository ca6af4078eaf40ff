"""Reading from a real Kafka: committed records only, positions that pass transaction markers, offsets that are lost."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import ConfigResource

from stream.errors import ConfigurationError, LogError, OffsetOutOfRange
from stream.log.connection import Connection
from stream.log.kafka_schema import KafkaSchemaSource
from stream.log.kafka_source import KafkaInteractionSource
from stream.log.protocol import InteractionSource, Record, SchemaSource
from stream.log.settings import KafkaSettings, TopicSettings
from stream.log.topics import create_topics, describe_topics, wanted_topics
from tests.log.kafka_waiting import await_markers

pytestmark = pytest.mark.timeout(60)
FreshTopics = Callable[..., TopicSettings]


@contextlib.contextmanager
def producing(kafka: Connection, transactional_id: str | None = None) -> Iterator[Any]:
    producer = kafka.producer(transactional_id)
    try:
        if transactional_id:
            producer.init_transactions()
        yield producer
    finally:
        producer.close(timeout=5)


def transact(kafka: Connection, producer: Any, topic: str, values: list[bytes], commit: bool = True) -> None:
    """Run a transaction on partition 0 and wait until its marker is there."""
    producer.begin_transaction()
    for value in values:
        producer.send(topic, value, partition=0)
    producer.flush()
    if commit:
        producer.commit_transaction()
    else:
        producer.abort_transaction()
    await_markers(kafka, topic)


def read_to_end(source: InteractionSource) -> list[Record]:
    """Read until every position has reached the end that was asked for first, as the service does."""
    records: list[Record] = []
    ends, deadline = source.end_offsets(), time.monotonic() + 100
    while source.positions() != ends and time.monotonic() < deadline:
        records += source.poll(100, 0.2)
    assert source.positions() == ends
    return records


@pytest.fixture
def interactions(kafka: Connection, fresh_topics: FreshTopics) -> Iterator[tuple[str, InteractionSource]]:
    """A topic of two partitions and a source at its beginning."""
    topic = fresh_topics(2).interactions
    source = KafkaInteractionSource(kafka, topic)
    source.seek({0: 0, 1: 0})
    yield topic, source
    source.close()


def test_a_record_arrives_as_it_was_sent_and_the_source_names_the_release(
    kafka: Connection, interactions: tuple[str, InteractionSource]
) -> None:
    topic, source = interactions
    with producing(kafka) as producer:
        producer.send(topic, b"\xff", b"k", [("h", b"\x00")], 1, 1_700_000_000_123)
        producer.send(topic, None, b"k", partition=1, timestamp_ms=1_700_000_000_124)
    assert read_to_end(source) == [
        Record(topic, 1, 0, b"k", b"\xff", 1_700_000_000_123, (("h", b"\x00"),)),
        Record(topic, 1, 1, b"k", None, 1_700_000_000_124),
    ]
    assert source.source_name == "apache-kafka 4.3.0"
    assert source.lag() == {0: 0, 1: 0}


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_what_other_producers_compressed_is_read(
    kafka: Connection, interactions: tuple[str, InteractionSource], codec: str
) -> None:
    topic, source = interactions
    compressing = Connection(replace(kafka.settings, options={"compression_type": codec}))
    with producing(compressing) as producer:
        producer.send(topic, b"x" * 5000, partition=0)
    assert [record.value for record in read_to_end(source)] == [b"x" * 5000]


def test_checksums_are_computed_in_c() -> None:
    """In Python they cost ten times what all the rest of reading costs, and kafka-python falls back without a word."""
    from kafka.record import util

    assert util.crc32c_c is not None


def test_lag_counts_no_record_of_a_transaction_that_is_open(
    kafka: Connection, interactions: tuple[str, InteractionSource]
) -> None:
    topic, source = interactions
    producer = kafka.producer(f"open-{topic}")
    producer.init_transactions()
    with producing(kafka) as plain:
        plain.send(topic, b"before", partition=0)
    producer.begin_transaction()
    for _ in range(540):
        producer.send(topic, b"in the transaction", partition=0)
    producer.flush(30)
    with producing(kafka) as plain:
        plain.send(topic, b"behind it", partition=0)
    assert [record.value for record in read_to_end(source)] == [b"before"]
    source.poll(10, 0.2)  # its answer brings the high watermark, which is beyond all of them
    source.end_offsets()
    assert source.lag() == {0: 0, 1: 0}
    producer.commit_transaction()
    producer.close()
    await_markers(kafka, topic)
    source.end_offsets()
    assert source.lag()[0] == 540 + 2, "with the marker, which takes an offset"
    assert len(read_to_end(source)) == 541
    assert source.lag()[0] == 0


def test_aborted_records_are_never_read_and_positions_pass_the_markers_at_the_end(
    kafka: Connection, interactions: tuple[str, InteractionSource]
) -> None:
    topic, source = interactions
    with producing(kafka, f"{topic}-writer") as producer:
        transact(kafka, producer, topic, [b"a", b"b"])
        transact(kafka, producer, topic, [b"lost"], commit=False)
        transact(kafka, producer, topic, [b"c"])
    records = read_to_end(source)
    assert [(record.offset, record.value) for record in records] == [(0, b"a"), (1, b"b"), (5, b"c")]
    assert source.positions() == {0: 7, 1: 0}  # the commit marker took offset 6


def test_an_open_transaction_holds_back_the_end_and_what_follows_it(
    kafka: Connection, interactions: tuple[str, InteractionSource]
) -> None:
    topic, source = interactions
    with producing(kafka, f"{topic}-writer") as open_one, producing(kafka) as other:
        open_one.begin_transaction()
        open_one.send(topic, b"first", partition=0).get(20)
        other.send(topic, b"second", partition=0).get(20)
        assert source.end_offsets() == {0: 0, 1: 0}
        assert source.poll(10, 0.3) == []
        open_one.commit_transaction()
        await_markers(kafka, topic)
        assert [record.value for record in read_to_end(source)] == [b"first", b"second"]


def test_polling_stops_at_max_records_and_goes_on_from_the_position(
    kafka: Connection, interactions: tuple[str, InteractionSource]
) -> None:
    topic, source = interactions
    with producing(kafka) as producer:
        for number in range(10):
            producer.send(topic, b"%d" % number, partition=0)
    first = source.poll(4, 10)
    assert len(first) == 4
    assert source.positions()[0] == 4
    assert [record.offset for record in first + read_to_end(source)] == list(range(10))
    source.seek({0: 7})
    assert [record.offset for record in read_to_end(source)] == [7, 8, 9]


def test_a_paused_partition_gives_nothing_and_loses_nothing(
    kafka: Connection, interactions: tuple[str, InteractionSource]
) -> None:
    topic, source = interactions
    with producing(kafka) as producer:
        for number in range(20):
            producer.send(topic, b"%d" % number, partition=number % 2)
    first = source.poll(3, 10)  # leaves fetched records of a partition behind
    paused = first[0].partition
    source.pause([paused])
    others = [record for _ in range(4) for record in source.poll(100, 0.2)]
    assert {record.partition for record in others} <= {1 - paused}
    source.resume([paused])
    rest = read_to_end(source)
    assert sorted(int(record.value or b"") for record in first + others + rest) == list(range(20))


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_pauses_resumes_and_polls_gives_each_record_once_in_order(
    kafka: Connection, interactions: tuple[str, InteractionSource], seed: int
) -> None:
    topic, source = interactions
    chance = random.Random(seed)
    paused: set[int] = set()
    records: list[Record] = []
    with producing(kafka) as producer:
        for number in range(300):
            producer.send(topic, b"%d" % number, partition=number % 2)
            match chance.randrange(6):
                case 0:
                    paused |= (some := set(chance.sample([0, 1], chance.randint(1, 2))))
                    source.pause(sorted(some))
                case 1 | 2:
                    paused -= (some := set(chance.sample([0, 1], chance.randint(1, 2))))
                    source.resume(sorted(some))
                case 3:
                    polled = source.poll(chance.randint(1, 9), 0.01)
                    assert not {record.partition for record in polled} & paused
                    records += polled
    source.resume([0, 1])
    records += read_to_end(source)
    for partition in (0, 1):
        assert [record.offset for record in records if record.partition == partition] == list(range(150))


def test_offsets_that_retention_deleted_are_an_error_at_the_seek_and_while_reading(
    kafka: Connection, interactions: tuple[str, InteractionSource]
) -> None:
    topic, source = interactions
    with producing(kafka) as producer:
        for number in range(10):
            producer.send(topic, b"%d" % number, partition=0)
    with kafka.administering() as admin:
        admin.delete_records({TopicPartition(topic, 0): 6})
    assert source.beginning_offsets() == {0: 6, 1: 0}
    with pytest.raises(OffsetOutOfRange, match="retention has deleted"):
        source.poll(100, 10)
    for lost in (5, 11):
        with pytest.raises(OffsetOutOfRange, match=f"partition 0: {lost} is not between 6 and 10"):
            source.seek({0: lost, 1: 0})
    source.seek({0: 6})
    assert [record.offset for record in read_to_end(source)] == [6, 7, 8, 9]


def test_a_time_gives_the_first_offset_at_or_after_it_or_the_end(
    kafka: Connection, interactions: tuple[str, InteractionSource]
) -> None:
    topic, source = interactions
    with producing(kafka) as producer:
        for timestamp_ms in (1000, 2000, 3000):
            producer.send(topic, b"x", partition=0, timestamp_ms=timestamp_ms)
    assert source.offsets_for_time(1500) == {0: 1, 1: 0}
    assert source.offsets_for_time(3001) == {0: 3, 1: 0}


def test_new_partitions_are_not_passed_over_in_silence(
    kafka: Connection, interactions: tuple[str, InteractionSource]
) -> None:
    topic, source = interactions
    with kafka.administering() as admin:
        admin.create_partitions({topic: 3})
    source._consumer._cluster.request_update().add_both(lambda *_: None)  # type: ignore[attr-defined]

    def ask_until_the_metadata_are_new() -> None:
        for _ in range(100):
            source.end_offsets()
            time.sleep(0.1)

    with pytest.raises(LogError, match="grown from 2 to 3"):
        ask_until_the_metadata_are_new()


def test_a_topic_that_does_not_exist_is_an_error_and_is_not_created(kafka: Connection) -> None:
    with pytest.raises(LogError, match="stream topics"):
        KafkaInteractionSource(kafka, "nobody-made-this")
    with kafka.administering() as admin:
        assert "nobody-made-this" not in admin.list_topics()


def test_the_schema_is_read_to_the_end_that_was_asked_for_in_the_call(
    kafka: Connection, fresh_topics: FreshTopics
) -> None:
    topic = fresh_topics().schema
    source: SchemaSource = KafkaSchemaSource(kafka, topic)
    assert source.read_to_end(10) == []
    with producing(kafka, f"{topic}-writer") as producer:
        transact(kafka, producer, topic, [b"1", b"2"])
        assert [record.value for record in source.read_to_end(10)] == [b"1", b"2"]
        assert source.position() == 3
        transact(kafka, producer, topic, [b"lost"], commit=False)
        assert source.read_to_end(10) == []
        assert source.position() == source.end_offset() == 5
        transact(kafka, producer, topic, [b"3"])
        assert [record.value for record in source.read_to_end(10)] == [b"3"]
    source.seek(1)
    assert [record.value for record in source.read_to_end(10)] == [b"2", b"3"]
    with pytest.raises(OffsetOutOfRange):
        source.seek(8)
    source.close()


def test_what_was_read_before_a_time_out_is_the_start_of_the_next_answer(
    kafka: Connection, fresh_topics: FreshTopics
) -> None:
    topic = fresh_topics().schema
    with producing(kafka) as producer:
        for number in range(5):
            producer.send(topic, b"%d" % number)
    source = KafkaSchemaSource(kafka, topic)
    with pytest.raises(LogError, match="read only up to offset 0 of 5"):
        source.read_to_end(0)
    assert [record.offset for record in source.read_to_end(10)] == [0, 1, 2, 3, 4]
    source.close()


def test_a_schema_topic_of_two_partitions_is_refused(kafka: Connection, fresh_topics: FreshTopics) -> None:
    with pytest.raises(ConfigurationError, match="has 2 partitions"):
        KafkaSchemaSource(kafka, fresh_topics(2).interactions)


def test_topics_are_created_once_and_their_faults_are_named(kafka: Connection, fresh_topics: FreshTopics) -> None:
    names = fresh_topics(3)
    wanted = wanted_topics(names, 3)
    assert create_topics(kafka, wanted) == []
    states = describe_topics(kafka, wanted)
    assert [(state.partitions, state.faults) for state in states] == [(3, []), (1, []), (1, [])]
    with kafka.administering() as admin:
        admin.alter_configs([ConfigResource("TOPIC", names.interactions, {"max.message.bytes": str(8 << 20)})])
    *_, letters = describe_topics(kafka, wanted)
    assert letters.faults == [
        (
            f"max.message.bytes is 4194304, and a record of {names.interactions} may have 8388608: "
            "it should be at least 8392704"
        )
    ]
    swapped = TopicSettings(names.schema, names.interactions, "never-made")
    interactions, schema, dead_letters = describe_topics(kafka, wanted_topics(swapped, 3))
    assert interactions.faults == []
    assert schema.faults == [
        "it has 3 partitions and needs exactly one",
        "retention.ms is 604800000 and has to be -1",
    ]
    assert dead_letters.faults == ["it does not exist"]


def test_options_that_no_client_knows_that_are_ours_or_that_would_mean_plain_text_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="sasl_mecanism"):
        Connection(KafkaSettings(options={"sasl_mecanism": "PLAIN"}))
    with pytest.raises(ConfigurationError, match="isolation_level"):
        KafkaSettings(options={"isolation_level": "read_uncommitted"})
    with pytest.raises(ConfigurationError, match="SASL_TLS"):
        KafkaSettings(options={"security_protocol": "SASL_TLS"})
