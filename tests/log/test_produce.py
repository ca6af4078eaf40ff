"""Producing: the order of both files, versions acknowledged first, nothing dropped, and the rate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.admin import ConfigResource

from stream.errors import LogError
from stream.log.connection import Connection
from stream.log.embedded import EmbeddedTopic
from stream.log.embedded_source import EmbeddedInteractionSource
from stream.log.kafka_schema import KafkaSchemaSource
from stream.log.kafka_source import KafkaInteractionSource, every_record
from stream.log.produce import Entry, in_order, produce
from stream.log.settings import KafkaSettings, LogSettings, TopicSettings
from stream.log.writer import writing


def line(**value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def told(interactions: list[bytes], versions: list[bytes]) -> list[str]:
    """Return what is sent, in order: "v2" for a version, the id for an interaction, the bytes for anything else."""
    said = []
    for entry in in_order(interactions, versions):
        try:
            value = json.loads(entry.value)
            said.append(f"v{value['version']}" if entry.is_version else value["id"])
        except (ValueError, TypeError, KeyError):
            said.append(repr(entry.value))
    return said


def test_versions_go_first_at_equal_times_and_those_of_the_future_last() -> None:
    interactions = [line(id="a", ts=5), line(id="b", ts=10), line(id="c", ts=12)]
    versions = [line(version=1, ts=0), line(version=2, ts=10), line(version=3, ts=99)]
    assert told(interactions, versions) == ["v1", "a", "v2", "b", "c", "v3"]


def test_a_version_dated_before_the_one_before_it_waits_for_that_ones_time() -> None:
    versions = [line(version=1, ts=0), line(version=2, ts=10), line(version=3, ts=1)]
    assert told([line(id="a", ts=5), line(id="b", ts=10)], versions) == ["v1", "a", "v2", "v3", "b"]


def test_an_interaction_that_names_a_version_comes_after_it_and_all_before_it() -> None:
    versions = [line(version=1, ts=0), line(version=2, ts=10), line(version=3, ts=20)]
    assert told([line(id="a", ts=5, schema_version=2)], versions) == ["v1", "v2", "a", "v3"]


def test_lines_that_cannot_be_read_go_as_they_are_where_they_stand() -> None:
    interactions = [line(id="a", ts=5), b"\xff nonsense\n", b"[]\n", b"\n", line(id="b", ts="6"), line(id="c", ts=7)]
    versions = [line(version=1, ts=0), b"{\n", line(version=2, ts=7)]
    assert told(interactions, versions) == ["v1", "b'{'", "a", "b'\\xff nonsense'", "b'[]'", "b", "v2", "c"]


def test_the_key_is_that_of_the_value_and_absent_where_it_is_no_string() -> None:
    keys = [entry.key for entry in in_order([line(key="k", ts=1), line(key=7, ts=1), b"x"], [])]
    assert keys == [b"k", None, None]


@given(st.lists(st.integers(0, 30), max_size=12), st.lists(st.integers(0, 30), max_size=6))
def test_both_files_keep_their_order_and_no_interaction_precedes_a_version_it_needs(
    times: list[int], version_times: list[int]
) -> None:
    interactions = [line(id=f"e{number}", ts=ts) for number, ts in enumerate(times)]
    versions = [line(version=number, ts=ts) for number, ts in enumerate(version_times, 1)]
    sent = told(interactions, versions)
    assert [name for name in sent if name[0] == "e"] == [f"e{number}" for number in range(len(times))]
    assert [name for name in sent if name[0] == "v"] == [f"v{number}" for number in range(1, len(version_times) + 1)]
    for number, ts in enumerate(times):
        before = sent[: sent.index(f"e{number}")]
        due = [v for v in range(1, len(version_times) + 1) if max(version_times[:v]) <= ts]
        assert {f"v{v}" for v in due} <= set(before)


class ListWriter:
    """A writer that notes every call in one list shared with the other writer's."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self._name = name
        self._calls = calls

    def send(self, key: bytes | None, value: bytes | None) -> None:
        self._calls.append(f"{self._name} {(value or b'').decode()}")

    def flush(self) -> None:
        self._calls.append(f"{self._name} flushed")


class Writers:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.interactions = ListWriter("event", self.calls)
        self.schema = ListWriter("version", self.calls)


def test_a_version_is_acknowledged_before_the_interaction_after_it_is_sent() -> None:
    writers = Writers()
    produce([Entry(True, None, b"1"), Entry(False, None, b"a")], writers)
    assert writers.calls == ["version 1", "version flushed", "event a", "event flushed"]


def test_a_rate_is_kept_on_average_and_what_was_sent_is_visible_while_waiting() -> None:
    writers, now = Writers(), [0.0]

    def sleep(seconds: float) -> None:
        assert writers.calls[-1] == "event flushed"
        now[0] += seconds

    entries = [Entry(False, None, b"x")] * 500
    sent = produce(entries, writers, events_per_second=100, monotonic_seconds=lambda: now[0], sleep=sleep)
    assert sent == 500
    assert now[0] == pytest.approx(5.0)


def test_what_is_produced_to_the_embedded_log_is_there_keyed_as_on_kafka(
    tmp_path: Path, kafka: Connection, fresh_topics: Callable[..., TopicSettings]
) -> None:
    topics = fresh_topics(3)
    EmbeddedTopic.create(tmp_path, topics.interactions, 3)
    EmbeddedTopic.create(tmp_path, topics.schema)
    interactions = [line(id=str(number), key=f"h{number % 7}", ts=number) for number in range(200)] + [b"\xff\n"]
    versions = [line(version=1, ts=0), line(version=2, ts=100)]
    for log in (LogSettings(directory=str(tmp_path)), LogSettings()):
        with writing(kafka.settings, log, topics) as writers:
            assert produce(in_order(interactions, versions), writers) == 201

    embedded = EmbeddedInteractionSource(tmp_path, topics.interactions)
    real = KafkaInteractionSource(kafka, topics.interactions)
    found = []
    for source in (embedded, real):
        source.seek(source.beginning_offsets())
        records: dict[tuple[int, int], tuple[bytes | None, bytes | None]] = {}
        while source.positions() != source.end_offsets():
            for record in source.poll(1000, 1):
                records[record.partition, record.offset] = (record.key, record.value)
        found.append(records)
        source.close()
    assert found[0] == found[1]
    assert len(found[0]) == 201
    schema = KafkaSchemaSource(kafka, topics.schema)
    assert [record.value for record in schema.read_to_end(10)] == [version.strip() for version in versions]
    schema.close()


def test_a_record_that_kafka_refuses_is_an_error_and_not_lost_in_silence(
    kafka: Connection, fresh_topics: Callable[..., TopicSettings]
) -> None:
    topics = fresh_topics()
    settings = KafkaSettings(
        bootstrap_servers=kafka.settings.bootstrap_servers, options={"max_request_size": 3 << 20}
    )  # larger than the broker takes
    with (
        pytest.raises(LogError, match=f"Topic {topics.interactions}"),
        writing(settings, LogSettings(), topics) as writers,
    ):
        produce([Entry(False, b"k", b"x" * (2 << 20))], writers)


@pytest.mark.parametrize(("most_bytes", "size_bytes"), [(20_000, 15_000), (4 << 20, 3 << 20)])
def test_batches_and_records_are_cut_by_what_the_topic_takes(
    kafka: Connection, fresh_topics: Callable[[int], TopicSettings], most_bytes: int, size_bytes: int
) -> None:
    topics = fresh_topics(1)
    with kafka.administering() as admin:
        admin.alter_configs([ConfigResource("TOPIC", topics.interactions, {"max.message.bytes": str(most_bytes)})])
    sizes = [size_bytes, *[300] * 200, size_bytes]
    with writing(kafka.settings, LogSettings(), topics) as writers:
        for size in sizes:
            writers.interactions.send(b"k", b"x" * size)
    assert [len(record.value or b"") for record in every_record(kafka, topics.interactions)] == sizes
    with (
        pytest.raises(LogError, match=r"larger than the topic or the producer takes.*raise max.message.bytes"),
        writing(kafka.settings, LogSettings(), topics) as writers,
    ):
        writers.interactions.send(b"k", b"x" * (most_bytes + 1))
