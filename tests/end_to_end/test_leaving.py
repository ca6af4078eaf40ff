"""How a learner leaves: replaced by a successor, or asked to by SIGTERM; on a real Kafka."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.cli import main
from stream.errors import CheckpointMissing, Fenced
from stream.log.connection import Connection
from stream.log.settings import TopicSettings
from tests.end_to_end.learners import command, here, living, replay, stored_offsets
from tests.end_to_end.logs import KafkaPlace
from tests.end_to_end.streams import write_stream

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TRAINED = 187  # of 200 events: version 3 begins a batch at event 171, one of 16 follows, 13 more fill none


def listing(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in directory.iterdir()}


def test_a_stopped_learner_that_continues_after_its_successor_started_leaves_without_a_trace(
    tmp_path: Path, kafka: Connection, fresh_topics: Callable[[int], TopicSettings]
) -> None:
    stream = write_stream(tmp_path, 400)
    place = KafkaPlace(kafka, fresh_topics(1), 1)
    place.publish(stream.versions)
    place.send(stream.lines[:200])
    first, second = tmp_path / "first", tmp_path / "second"
    arguments = command("run", (*place.settings, f"checkpoint.directory={first}", "checkpoint.every_seconds=0.5"))
    with living(arguments, tmp_path / "first.txt") as life:
        life.wait_for(lambda: stored_offsets(first) == {0: TRAINED}, "the checkpoint of all full batches")
        life.process.send_signal(signal.SIGSTOP)
        shutil.copytree(first, second)
        place.send(stream.lines[200:])
        successor = command("run", (*place.settings, f"checkpoint.directory={second}"), stop_at_end=True)
        summary = here(successor, tmp_path / "second.json")
        assert (summary["events_trained"], summary["ids_digest"]) == (400, stream.ids_digest())
        before = listing(first)
        life.process.send_signal(signal.SIGCONT)
        assert life.wait() == Fenced.exit_code == 5, life.said
        assert listing(first) == before


def test_a_learner_started_with_the_wrong_directory_fails_and_the_healthy_one_goes_on(
    tmp_path: Path, kafka: Connection, fresh_topics: Callable[[int], TopicSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    stream = write_stream(tmp_path, 400)
    place = KafkaPlace(kafka, fresh_topics(1), 1)
    place.publish(stream.versions)
    place.send(stream.lines[:200])
    directory = tmp_path / "healthy"
    healthy = command("run", (*place.settings, f"checkpoint.directory={directory}", "checkpoint.every_seconds=0.5"))
    with living(healthy, tmp_path / "healthy.txt") as life:
        life.wait_for(lambda: stored_offsets(directory) == {0: TRAINED}, "the checkpoint of all full batches")
        wrong = command("run", (*place.settings, f"checkpoint.directory={tmp_path / 'empty'}"), stop_at_end=True)
        assert main(wrong) == CheckpointMissing.exit_code == 3
        assert "another machine or directory holds it" in capsys.readouterr().err
        place.send(stream.lines[200:])
        life.wait_for(lambda: stored_offsets(directory).get(0, 0) > 380, "a checkpoint after the other's start")
        life.process.terminate()
        assert life.wait() == 0, life.said


def test_sigterm_ends_in_time_with_a_checkpoint_and_leaves_a_half_filled_batch_unread(
    tmp_path: Path, kafka: Connection, fresh_topics: Callable[[int], TopicSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    stream = write_stream(tmp_path, 401)
    place = KafkaPlace(kafka, fresh_topics(1), 1)
    place.publish(stream.versions)
    place.send(stream.lines[:200])
    directory = tmp_path / "checkpoints"
    own = (*place.settings, f"checkpoint.directory={directory}", "checkpoint.every_seconds=0.5")
    with living(command("run", own), tmp_path / "first.txt") as life:
        life.wait_for(lambda: stored_offsets(directory) == {0: TRAINED}, "the checkpoint of all full batches")
        life.process.terminate()
        assert life.wait() == 0, life.said
    capsys.readouterr()
    assert main(["inspect", str(directory), "--json"]) == 0
    inside = json.loads(capsys.readouterr().out)
    assert inside["offsets"][place.topics.interactions] == {"0": TRAINED}
    assert inside["events_trained"] == TRAINED
    place.send(stream.lines[200:])
    summary = here(command("run", own, stop_at_end=True), tmp_path / "summary.json")
    assert summary["state_digest"] == replay(stream, tmp_path)["state_digest"]
