"""A topic that is deleted and made anew, while the learner is stopped or runs, is never read from its middle."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.checkpoint import newest
from stream.cli import main
from stream.log.connection import Connection
from stream.log.settings import TopicSettings
from stream.log.topics import create_topics, wanted_topics
from tests.end_to_end.learners import command, here, living, stored_offsets
from tests.end_to_end.logs import EmbeddedPlace, KafkaPlace
from tests.end_to_end.streams import Stream, write_stream

pytestmark = pytest.mark.timeout(180)

PARTITIONS = 2
Place = KafkaPlace | EmbeddedPlace


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Stream:
    return write_stream(tmp_path_factory.mktemp("stream"), 700)


class Remaking:
    """A place whose topics can be deleted and made again."""

    def __init__(self, place: Place, delete: Callable[[str], None], create: Callable[[], Place]) -> None:
        self.place = place
        self.delete = delete
        self._create = create

    def make_anew(self, topic: str) -> None:
        """Delete a topic and create it under its name, empty."""
        self.delete(topic)
        self.place = self._create()


@pytest.fixture(params=["kafka", "embedded"])
def remaking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remaking]:
    if request.param == "embedded":
        directory = tmp_path / "log"

        def remove(topic: str) -> None:
            shutil.rmtree(directory / topic)

        yield Remaking(EmbeddedPlace(directory, PARTITIONS), remove, lambda: EmbeddedPlace(directory, PARTITIONS))
        return
    kafka: Connection = request.getfixturevalue("kafka")
    topics: TopicSettings = request.getfixturevalue("fresh_topics")(PARTITIONS)
    names = {"interactions": topics.interactions, "feature-schema": topics.schema}

    def delete(topic: str) -> None:
        with kafka.administering() as admin:
            admin.delete_topics([names[topic]])

    def create() -> KafkaPlace:
        create_topics(kafka, wanted_topics(topics, PARTITIONS))
        return KafkaPlace(kafka, topics, PARTITIONS)

    yield Remaking(KafkaPlace(kafka, topics, PARTITIONS), delete, create)


def run_arguments(remaking: Remaking, tmp_path: Path, *settings: str, stop_at_end: bool | None = True) -> list[str]:
    directory = f"checkpoint.directory={tmp_path / 'checkpoints'}"
    return command("run", (*remaking.place.settings, directory, *settings), stop_at_end=stop_at_end)


def trained(directory: Path) -> Any:
    return newest(directory).tree()["learner"]["counts"]["events_trained"]


def first_life(remaking: Remaking, stream: Stream, tmp_path: Path) -> None:
    remaking.place.publish(stream.versions)
    remaking.place.send(stream.lines[:300])
    assert here(run_arguments(remaking, tmp_path), tmp_path / "first.json")["events_trained"] == 300


def test_the_interactions_made_anew_while_stopped(
    remaking: Remaking, stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first_life(remaking, stream, tmp_path)
    remaking.make_anew("interactions")
    remaking.place.send(stream.lines[200:])  # more than there was: the old offsets lie in its middle
    assert main([*run_arguments(remaking, tmp_path), "--set", "view.style=none"]) == 4
    said = capsys.readouterr().err
    assert "was made anew since this checkpoint" in said
    assert "checkpoint.lost_offsets set to earliest" in said
    earliest = run_arguments(remaking, tmp_path, "checkpoint.lost_offsets=earliest")
    assert here(earliest, tmp_path / "again.json")["events_trained"] == 300 + 500
    assert here(run_arguments(remaking, tmp_path), tmp_path / "after.json")["events_trained"] == 800, "once is enough"


def test_only_the_schema_topic_made_anew_while_stopped(
    remaking: Remaking, stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first_life(remaking, stream, tmp_path)
    remaking.make_anew("feature-schema")
    assert main([*run_arguments(remaking, tmp_path), "--set", "view.style=none"]) == 4
    said = capsys.readouterr().err
    assert "was made anew since this checkpoint" in said
    assert "publish there what it held" in said
    assert "Something else commits" not in said
    remaking.place.publish(stream.versions)
    remaking.place.send(stream.lines[300:])
    earliest = run_arguments(remaking, tmp_path, "checkpoint.lost_offsets=earliest")
    summary = here(earliest, tmp_path / "again.json")
    assert (summary["events_trained"], summary["schema_version"]) == (700, 5)
    assert summary["ids_digest"] == stream.ids_digest()


@pytest.mark.parametrize("topic", ["interactions", "feature-schema"])
@pytest.mark.parametrize("remaking", ["kafka"], indirect=True)
def test_a_topic_made_anew_while_the_learner_runs(
    remaking: Remaking, stream: Stream, tmp_path: Path, topic: str
) -> None:
    remaking.place.publish(stream.versions)
    remaking.place.send(stream.lines[:300])
    directory = tmp_path / "checkpoints"
    arguments = run_arguments(remaking, tmp_path, "checkpoint.every_events=50", stop_at_end=None)
    with living(arguments, tmp_path / "said.txt") as life:
        life.wait_for(lambda: sum(stored_offsets(directory).values()) >= 250, "its checkpoints")
        remaking.make_anew(topic)
        if topic == "interactions":
            remaking.place.send(stream.lines)
        else:
            remaking.place.publish(stream.versions)
            remaking.place.send(stream.lines[300:])
        assert life.wait() == 4, life.said
        assert re.search(r"was deleted (and made anew )?while this learner ran", life.said), life.said
    # Nothing that was read after the change is in a checkpoint, wherever in the new topic the old offsets lay.
    before = trained(directory)
    assert before <= (300 if topic == "interactions" else 700)
    summary = here(run_arguments(remaking, tmp_path, "checkpoint.lost_offsets=earliest"), tmp_path / "again.json")
    assert summary["events_trained"] == (before + 700 if topic == "interactions" else 700)


@pytest.mark.parametrize("remaking", ["kafka"], indirect=True)
def test_a_topic_deleted_for_good_while_the_learner_runs(remaking: Remaking, stream: Stream, tmp_path: Path) -> None:
    remaking.place.publish(stream.versions)
    remaking.place.send(stream.lines[:300])
    arguments = run_arguments(remaking, tmp_path, "checkpoint.every_events=50", stop_at_end=None)
    with living(arguments, tmp_path / "said.txt") as life:
        life.wait_for(lambda: sum(stored_offsets(tmp_path / "checkpoints").values()) >= 250, "its checkpoints")
        remaking.delete("interactions")
        assert life.wait(60) == 4, life.said
        assert "while this learner ran" in life.said
