"""Four partitions, one late or the schema late: each event is trained under the version that the file gives it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from stream.log.connection import Connection
from stream.log.settings import TopicSettings
from tests.end_to_end.learners import command, here, replay
from tests.end_to_end.logs import EmbeddedPlace, KafkaPlace, partition_of
from tests.end_to_end.streams import Stream, write_stream

pytestmark = pytest.mark.timeout(180)

EVENTS, PARTITIONS, LATE_PARTITION = 1000, 4, 2
LATE_SECONDS, IDLE_SECONDS = 2.0, 5.0

Place = EmbeddedPlace | KafkaPlace
Versions = dict[str, int]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Stream:
    return write_stream(tmp_path_factory.mktemp("stream"), EVENTS)


@pytest.fixture(scope="module")
def naming(tmp_path_factory: pytest.TempPathFactory) -> Stream:
    """The same stream; each event names its version."""
    return write_stream(tmp_path_factory.mktemp("naming"), EVENTS, schema_version=True)


@pytest.fixture(scope="module")
def from_file(stream: Stream, tmp_path_factory: pytest.TempPathFactory) -> Versions:
    directory = tmp_path_factory.mktemp("replay")
    replay(stream, directory)
    return versions_in(directory / "predictions.jsonl")


@pytest.fixture(scope="module")
def naming_from_file(naming: Stream, tmp_path_factory: pytest.TempPathFactory) -> Versions:
    directory = tmp_path_factory.mktemp("naming-replay")
    replay(naming, directory)
    return versions_in(directory / "predictions.jsonl")


@pytest.fixture(params=["embedded-log", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "embedded-log":
        return EmbeddedPlace(tmp_path / "log", PARTITIONS)
    kafka: Connection = request.getfixturevalue("kafka")
    fresh_topics: Callable[[int], TopicSettings] = request.getfixturevalue("fresh_topics")
    return KafkaPlace(kafka, fresh_topics(PARTITIONS), PARTITIONS)


def versions_in(predictions: Path) -> Versions:
    """Read (id, version) of every event; none may be there twice."""
    pairs = [(line["id"], line["schema_version"]) for line in map(orjson.loads, predictions.read_bytes().splitlines())]
    found = dict(pairs)
    assert len(found) == len(pairs) == EVENTS
    return found


def differing(one: Versions, other: Versions) -> int:
    return len(one.items() - other.items())


@contextmanager
def meanwhile(steps: Sequence[Callable[[], None]]) -> Iterator[None]:
    """Do the steps one after the other while the block runs, each after its delay."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for step in steps:
                time.sleep(LATE_SECONDS / len(steps))
                step()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not failed


def served(place: Place, directory: Path, *settings: str) -> Versions:
    arguments = command(
        "run",
        (
            *place.settings,
            f"checkpoint.directory={directory / 'checkpoints'}",
            f"idle_seconds={IDLE_SECONDS}",
            "version_wait_seconds=30",
            *settings,
        ),
        stop_at_end=True,
        predictions=directory / "predictions.jsonl",
    )
    here(arguments, directory / "summary.json")
    return versions_in(directory / "predictions.jsonl")


def with_a_late_partition(place: Place, stream: Stream, directory: Path, *settings: str) -> Versions:
    late = [line for line in stream.lines if partition_of(line, PARTITIONS) == LATE_PARTITION]
    assert len(late) > EVENTS // 20
    place.publish(stream.versions)
    place.send(line for line in stream.lines if partition_of(line, PARTITIONS) != LATE_PARTITION)
    with meanwhile([lambda: place.send(late)]):
        return served(place, directory, *settings)


def with_a_late_schema(place: Place, stream: Stream, directory: Path, *settings: str) -> Versions:
    place.publish(stream.versions[:1])
    place.send(stream.lines)
    with meanwhile([lambda version=version: place.publish([version]) for version in stream.versions[1:]]):  # type: ignore[misc]
        return served(place, directory, *settings)


def test_a_partition_that_is_late_by_less_than_the_idle_time_changes_nothing(
    tmp_path: Path, place: Place, stream: Stream, from_file: Versions
) -> None:
    assert differing(with_a_late_partition(place, stream, tmp_path), from_file) == 0


def test_a_schema_topic_that_is_seconds_late_changes_nothing_where_events_name_their_version(
    tmp_path: Path, place: Place, naming: Stream, naming_from_file: Versions
) -> None:
    assert differing(with_a_late_schema(place, naming, tmp_path), naming_from_file) == 0


def test_without_holding_the_same_comparisons_differ(
    tmp_path: Path, stream: Stream, naming: Stream, from_file: Versions, naming_from_file: Versions
) -> None:
    partition, schema = tmp_path / "partition", tmp_path / "schema"
    partition.mkdir()
    schema.mkdir()
    late_partition = with_a_late_partition(
        EmbeddedPlace(partition / "log", PARTITIONS), stream, partition, "align=false"
    )
    assert differing(late_partition, from_file) > 0
    late_schema = with_a_late_schema(EmbeddedPlace(schema / "log", PARTITIONS), naming, schema, "align=false")
    assert differing(late_schema, naming_from_file) > 0
