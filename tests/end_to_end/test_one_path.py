"""Files, the embedded log and a real Kafka are one path: from each, killed or not, the same model comes out."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stream.log.connection import Connection
from stream.log.settings import TopicSettings
from tests.end_to_end.learners import command, here, living, replay
from tests.end_to_end.logs import EmbeddedPlace, KafkaPlace
from tests.end_to_end.streams import Stream, write_stream

pytestmark = pytest.mark.timeout(180)

EVENTS, INVALID = 900, 9
ONLY_HERE = {"source", "seconds", "events_per_second"} | {
    f"{what}_{which}" for what in ("events_per_second", "cpu_seconds_per_event") for which in ("frozen", "unfrozen")
}


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Stream:
    return write_stream(tmp_path_factory.mktemp("stream"), EVENTS, invalid=INVALID)


@pytest.fixture(scope="module")
def replayed(stream: Stream, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], bytes]:
    """Summary and predictions of one pass over the files, which was never killed."""
    directory = tmp_path_factory.mktemp("replayed")
    summary = replay(stream, directory)
    assert summary["source"] == "files"
    assert summary["events_trained"] == stream.trained == EVENTS + 1
    assert summary["events_dead_lettered"] == INVALID
    assert summary["ids_digest"] == stream.ids_digest()
    assert (summary["schema_version"], summary["warmups"] > 1) == (5, True)
    assert summary["model"]["recall_at_5"] > 0
    return same_everywhere(summary), (directory / "predictions.jsonl").read_bytes()


def same_everywhere(summary: dict[str, Any]) -> dict[str, Any]:
    assert len(summary["state_digest"]) == 32
    return {name: value for name, value in summary.items() if name not in ONLY_HERE}


def test_replay_that_is_killed_and_resumed_ends_like_one_that_was_not(
    tmp_path: Path, stream: Stream, replayed: tuple[dict[str, Any], bytes]
) -> None:
    arguments = command(
        "replay",
        (),
        interactions=stream.interactions,
        schema=stream.schema,
        checkpoint=tmp_path / "checkpoints",
        predictions=tmp_path / "predictions.jsonl",
    )
    kill(arguments, tmp_path, "checkpoint_written:4")
    summary = here(arguments, tmp_path / "summary.json")
    assert (same_everywhere(summary), (tmp_path / "predictions.jsonl").read_bytes()) == replayed


@pytest.mark.parametrize("crash_point", [None, "committed_before_rename:4"], ids=["undisturbed", "killed"])
def test_the_embedded_log_ends_like_replay(
    tmp_path: Path, stream: Stream, replayed: tuple[dict[str, Any], bytes], crash_point: str | None
) -> None:
    place = EmbeddedPlace(tmp_path / "log", 1)
    compare(place, stream, tmp_path, crash_point, replayed)


@pytest.mark.parametrize("crash_point", [None, "warm_up:7"], ids=["undisturbed", "killed"])
def test_kafka_ends_like_replay(
    tmp_path: Path,
    kafka: Connection,
    fresh_topics: Callable[[int], TopicSettings],
    stream: Stream,
    replayed: tuple[dict[str, Any], bytes],
    crash_point: str | None,
) -> None:
    place = KafkaPlace(kafka, fresh_topics(1), 1)
    compare(place, stream, tmp_path, crash_point, replayed)


def compare(
    place: EmbeddedPlace | KafkaPlace,
    stream: Stream,
    directory: Path,
    crash_point: str | None,
    replayed: tuple[dict[str, Any], bytes],
) -> None:
    place.publish(stream.versions)
    place.send(stream.lines)
    arguments = command(
        "run",
        (*place.settings, f"checkpoint.directory={directory / 'checkpoints'}"),
        stop_at_end=True,
        predictions=directory / "predictions.jsonl",
    )
    if crash_point is not None:
        kill(arguments, directory, crash_point)
    summary = here(arguments, directory / "summary.json")
    assert summary["source"] == ("apache-kafka 4.3.0" if isinstance(place, KafkaPlace) else "embedded-log")
    assert (same_everywhere(summary), (directory / "predictions.jsonl").read_bytes()) == replayed


def kill(arguments: list[str], directory: Path, crash_point: str) -> None:
    """Let a process of its own run until it kills itself somewhere in the middle."""
    with living(arguments, directory / "log.txt", crash_point) as life:
        assert life.wait() == -signal.SIGKILL, life.said
        assert f"process {life.pid} kills itself" in life.said
