"""SIGKILL, SIGTERM and SIGSTOP of real processes on the embedded log."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stream.errors import AlreadyRunning, CheckpointMissing, Fenced
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.file_commit import read_dead_letters
from tests.service.counting_learner import event, version

ROOT = Path(__file__).parents[2]
INVALID = (3, 17, 18, 40)
EVENTS = 60


class Place:
    """An embedded log with sixty records, four of them invalid, a version every twenty, and learners on it."""

    def __init__(self, directory: Path, partitions: int = 1) -> None:
        self.directory = directory
        self.topic = EmbeddedTopic.create(directory / "log", "interactions", partitions)
        self.send(0, EVENTS)
        schema = EmbeddedWriter(EmbeddedTopic.create(directory / "log", "feature-schema"))
        for number in (1, 2, 3):
            schema.send(None, version(number, (number - 1) * 20))
        schema.flush()

    def send(self, first: int, last: int) -> None:
        writer = EmbeddedWriter(self.topic)
        for index in range(first, last):
            value = b"broken" if index in INVALID else event(f"e{index}", index)
            writer.send(None, value, partition=index % len(self.topic.partitions))
        writer.flush()

    def start(
        self,
        checkpoints: str = "checkpoints",
        crash_point: str | None = None,
        summary: str = "-",
        in_background: bool = True,
    ) -> Any:
        arguments = [
            *("batch_size=4", "batch_age_seconds=0", "idle_seconds=0.2", f"log.directory={self.directory / 'log'}"),
            *("checkpoint.every_events=8", "checkpoint.every_seconds=0.5"),
            f"checkpoint.directory={self.directory / checkpoints}",
            f"checkpoint.in_background={str(in_background).lower()}",
        ]
        crashing = [] if crash_point is None else ["tests.crashing", crash_point]
        return subprocess.Popen(
            [sys.executable, "-m", *crashing, "tests.service.counting_process", summary, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(
        self, crash_point: str | None = None, checkpoints: str = "checkpoints", in_background: bool = True
    ) -> tuple[int, str]:
        """Serve to the end, or to the crash point; return the exit code and what was said."""
        process = self.start(checkpoints, crash_point, str(self.directory / "summary.json"), in_background)
        said, _ = process.communicate(timeout=110)
        return process.returncode, said

    def outcome(self) -> dict[str, Any]:
        summary = json.loads((self.directory / "summary.json").read_text())
        letters = read_dead_letters(self.directory / "log" / "learners" / "stream" / "dead-letters.jsonl")
        kept = ("events_read", "events_trained", "events_dead_lettered", "ids_digest", "state_digest")
        origins = sorted((letter.partition, letter.offset, letter.value) for letter in letters)
        return {**{key: summary[key] for key in kept}, "letters": origins}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = Place(tmp_path_factory.mktemp("uninterrupted"))
    assert place.finish()[0] == 0
    found = place.outcome()
    assert (found["events_trained"], len(found["letters"])) == (EVENTS - len(INVALID), len(INVALID))
    return found


# Checkpoint 1 is written at the start, 2 covers eight events and record 3 (a dead letter), so offset 9.
@pytest.mark.parametrize(
    ("crash_point", "checkpoint", "offset"),
    [
        ("checkpoint_writing", None, 0),
        ("checkpoint_writing:3", 2, 9),
        ("checkpoint_written:3", 2, 9),
        ("committed_before_rename:2", 2, 9),
        ("after_rename:2", 2, 9),
        ("warm_up:2", 3, 17),
    ],
)
def test_a_kill_at_any_point_goes_on_from_the_official_checkpoint_and_ends_the_same(
    tmp_path: Path, uninterrupted: dict[str, Any], crash_point: str, checkpoint: int | None, offset: int
) -> None:
    place = Place(tmp_path)
    code, said = place.finish(crash_point, in_background=False)
    assert code == -signal.SIGKILL
    name = crash_point.partition(":")[0]
    assert re.search(rf"crash point {name}: process \d+ kills itself", said)
    code, said = place.finish()
    assert code == 0, said
    restored = "nothing" if checkpoint is None else f"checkpoint {checkpoint}"
    assert re.search(rf"process \d+ starts from {restored}: interactions offsets {{0: {offset}}}", said), said
    assert place.outcome() == uninterrupted
    assert not list((tmp_path / "checkpoints").glob("*.tmp"))


# Training goes on while a checkpoint is written, so at which offset the next one begins is a matter of speed.
@pytest.mark.parametrize(
    "crash_point",
    [
        *("checkpoint_writing:2", "trained_meanwhile", "trained_meanwhile:2", "checkpoint_written:2"),
        *("committed_before_rename:2", "after_rename:2", "warm_up:3"),
    ],
)
def test_a_kill_while_training_goes_on_beside_a_checkpoint_ends_the_same(
    tmp_path: Path, uninterrupted: dict[str, Any], crash_point: str
) -> None:
    place = Place(tmp_path)
    code, said = place.finish(crash_point)
    assert code == -signal.SIGKILL, said
    assert f"crash point {crash_point.partition(':')[0]}: process" in said
    code, said = place.finish()
    assert code == 0, said
    assert place.outcome() == uninterrupted
    assert not list((tmp_path / "checkpoints").glob("*.tmp"))


def test_many_kills_with_several_partitions_lose_nothing_and_repeat_nothing(
    tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    place = Place(tmp_path, partitions=4)
    kills = ("warm_up:2", "checkpoint_writing", "trained_meanwhile", "committed_before_rename", "after_rename")
    for crash_point in kills:
        assert place.finish(crash_point)[0] == -signal.SIGKILL
    assert place.finish()[0] == 0
    found = place.outcome()
    assert found["ids_digest"] == uninterrupted["ids_digest"]
    assert (found["events_read"], found["events_trained"]) == (EVENTS, EVENTS - len(INVALID))
    assert found["letters"] == sorted((index % 4, index // 4, b"broken") for index in INVALID)


def test_sigterm_ends_with_a_checkpoint_and_the_half_filled_batch_unread(
    tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    place = Place(tmp_path)
    with place.start() as process:
        _wait_for(lambda: len(list((tmp_path / "checkpoints").glob("*.ckpt"))) == 3)
        process.terminate()
        assert process.wait(timeout=60) == 0
    code, said = place.finish()
    assert code == 0
    trained = int(re.findall(r"interactions offsets {0: (\d+)}", said)[-1])
    assert trained <= EVENTS
    assert place.outcome() == uninterrupted


def test_a_learner_that_was_stopped_and_replaced_leaves_without_a_trace(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with place.start("first") as first:
        _wait_for(lambda: _committed(place) >= 3)
        _stop_outside_a_commit(place, first)
        second_on_the_same_directory = place.start("first")
        assert second_on_the_same_directory.wait(timeout=60) == AlreadyRunning.exit_code
        second_on_the_same_directory.stdout.close()
        assert place.finish(checkpoints="elsewhere")[0] == CheckpointMissing.exit_code
        shutil.copytree(tmp_path / "first", tmp_path / "second")
        place.send(EVENTS, EVENTS + 30)
        assert place.finish(checkpoints="second")[0] == 0
        before = _listing(tmp_path / "first")
        first.send_signal(signal.SIGCONT)
        assert first.wait(timeout=60) == Fenced.exit_code
        assert _listing(tmp_path / "first") == before
    assert place.outcome()["events_trained"] == EVENTS + 30 - len(INVALID)


def _stop_outside_a_commit(place: Place, process: subprocess.Popen[str]) -> None:
    """Stop a learner where it does not hold the embedded log's lock, for which its successor would wait."""
    with (place.directory / "log" / "learners" / "stream" / "commit.lock").open("a") as lock:
        for _ in range(200):
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.05)  # the signal is on its way
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                process.send_signal(signal.SIGCONT)
                time.sleep(0.01)
            else:
                return
    raise AssertionError("it always held the lock")


def _committed(place: Place) -> int:
    try:
        held = json.loads((place.directory / "log" / "learners" / "stream" / "commit.json").read_text())
    except FileNotFoundError:
        return 0
    return 0 if held["commit"] is None else held["commit"]["number"]


def _listing(directory: Path) -> dict[str, tuple[int, bytes]]:
    # A stop in mid-writing leaves a temporary file, which its writer removes when it finds itself replaced.
    kept = (path for path in directory.iterdir() if path.suffix != ".tmp")
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in kept}


def _wait_for(done: Any) -> None:
    deadline = time.monotonic() + 110
    while not done():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
