"""Publishing schema versions: the next number, validated before it is sent, and races that nobody loses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stream.errors import ConfigurationError, SchemaRejected
from stream.log.connection import Connection
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.kafka_schema import KafkaSchemaSource
from stream.log.publish import next_version, publish_embedded, publish_kafka, read_embedded, read_kafka
from stream.log.schema_history import SchemaHistory
from stream.log.settings import TopicSettings
from stream.schema import Change, Kind, Op, Version, version_to_json

Make = Callable[[SchemaHistory], Version]
Publish = Callable[[Make], Version]
Read = Callable[[], SchemaHistory]


def add(name: str) -> Change:
    return Change(Op.ADD_FEATURE, name, kind=Kind.NUMERIC)


def making(name: str, ts: int | None = 5) -> Make:
    return lambda history: next_version(history, [add(name)], ts)


@pytest.fixture(params=["embedded", "kafka"])
def topic(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Publish, Read]:
    """Publish to, and read, a schema topic of either log."""
    if request.param == "embedded":
        EmbeddedTopic.create(tmp_path, "schema")
        return lambda make: publish_embedded(tmp_path, "schema", make), lambda: read_embedded(tmp_path, "schema")
    kafka: Connection = request.getfixturevalue("kafka")
    name: str = request.getfixturevalue("fresh_topics")().schema
    return lambda make: publish_kafka(kafka, name, make), lambda: read_kafka(kafka, name)


def test_versions_get_consecutive_numbers_and_can_take_the_last_ones_time(topic: tuple[Publish, Read]) -> None:
    publish, read = topic
    publish(making("a", ts=7))
    assert publish(making("b", ts=None)) == Version.of(2, 7, [add("b")])
    history = read()
    assert list(history.schema.features) == ["a", "b"]
    assert list(history.at(1).features) == ["a"]
    assert history.rejected == ()


def test_what_a_learner_would_reject_is_not_published(topic: tuple[Publish, Read]) -> None:
    publish, read = topic
    publish(making("a"))
    with pytest.raises(SchemaRejected, match="live already"):
        publish(making("a"))
    assert len(read().applied) == 1


def test_the_first_version_has_no_earlier_time_to_take(topic: tuple[Publish, Read]) -> None:
    publish, _ = topic
    with pytest.raises(ConfigurationError, match="--ts"):
        publish(making("a", ts=None))


def test_publishers_that_race_get_a_number_each_and_leave_nothing_that_is_rejected(topic: tuple[Publish, Read]) -> None:
    publish, read = topic
    published: list[Version] = []
    start = threading.Barrier(3)

    def race(name: str) -> None:
        start.wait()
        published.extend(publish(making(f"{name}{number}")) for number in range(2))

    racers = [threading.Thread(target=race, args=(name,)) for name in "abc"]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    history = read()
    assert sorted(version.version for version in published) == [1, 2, 3, 4, 5, 6]
    assert {applied.version for applied in history.applied} == set(published)
    assert history.rejected == ()


def test_somebody_who_ignores_the_protocol_and_comes_first_costs_a_number_and_no_version(
    kafka: Connection, fresh_topics: Callable[..., TopicSettings]
) -> None:
    name = fresh_topics().schema
    intruding = [True]

    def make(history: SchemaHistory) -> Version:
        version = next_version(history, [add("ours")], 5)
        if intruding.pop() if intruding else False:
            with closing(kafka.producer()) as producer:
                producer.send(name, version_to_json(Version.of(1, 5, [add("theirs")]))).get(20)
        return version

    assert publish_kafka(kafka, name, make).version == 2
    history = read_kafka(kafka, name)
    assert list(history.schema.features) == ["theirs", "ours"]
    assert len(history.rejected) == 1
    with closing(KafkaSchemaSource(kafka, name)) as source:
        assert len(source.read_to_end(10)) == 3


def test_a_history_skips_what_a_learner_rejects_and_says_why(tmp_path: Path) -> None:
    writer = EmbeddedWriter(EmbeddedTopic.create(tmp_path, "schema"))
    for value in (
        b"nonsense",
        version_to_json(Version.of(1, 5, [add("a")])),
        version_to_json(Version.of(1, 5, [add("a")])),  # again: a duplicate, which is ignored
        version_to_json(Version.of(3, 5, [add("c")])),
    ):
        writer.send(None, value)
    writer.flush()
    history = read_embedded(tmp_path, "schema")
    assert [applied.offset for applied in history.applied] == [1]
    assert [text.split(":")[0] for text in history.rejected] == ["offset 0", "offset 3"]
    with pytest.raises(ConfigurationError, match="no schema version 2; there are: 1 to 1"):
        history.at(2)
