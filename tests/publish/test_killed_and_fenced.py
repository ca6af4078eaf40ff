"""A publisher in a process of its own: killed at each step, stopped and replaced, and on a disk that is full."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from stream.errors import Fenced
from stream.publish.follow import Follower, follow
from stream.publish.pointer import read_pointer
from stream.publish.snapshot import Snapshot
from tests.publish.made_models import assert_equal
from tests.publish.publishing import Publishing
from tests.publish.publishing_process import trained

pytestmark = pytest.mark.slow  # each starts a process or two
POINTS = [
    *("version_writing:1", "version_writing:9", "version_arrays_written:2", "version_arrays_written:9"),
    *("version_written:1", "version_written:9", "pointer_moved:1", "pointer_moved:2", "pointer_moved:9"),
]


def command(place: Path, steps: int, point: str | None = None, **given: Any) -> list[str]:
    assignments = [f"{key}={json.dumps(value)}" for key, value in given.items()]
    crashing = [] if point is None else ["tests.crashing", point]
    process = [sys.executable, "-m", *crashing, "tests.publish.publishing_process"]
    return [*process, str(place / "versions"), str(place / "commit.json"), str(steps), *assignments]


def ran(place: Path, steps: int, point: str | None = None, **given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(place, steps, point, **given), capture_output=True, text=True, timeout=60, check=False
    )


def assert_of_one_moment(snapshot: Snapshot | None) -> None:
    """The state is, in every part, what the model was after the steps that it says it was trained on."""
    assert snapshot is not None
    assert_equal(snapshot, trained(snapshot.events_trained // 3).frozen())


@pytest.mark.parametrize("point", POINTS)
def test_after_a_kill_the_last_good_version_is_there_and_the_next_start_goes_on(tmp_path: Path, point: str) -> None:
    killed = ran(tmp_path, 0, point)
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    said = [json.loads(line) for line in killed.stdout.splitlines()]
    follower = Follower(tmp_path / "versions")
    follower.poll()
    assert follower.trouble is None
    assert follower.version >= max((one["version"] for one in said if "version" in one), default=0)
    if follower.version:
        assert_of_one_moment(follower.snapshot)
    model = trained(5)  # as a checkpoint of before would have it
    again = Publishing(tmp_path / "versions", model)
    again.pass_seconds(1)
    ((kind, version),) = again.heard.published
    assert kind == "full"
    assert version > follower.version
    assert not list((tmp_path / "versions").glob("*.tmp"))
    for _ in range(3):
        again.train()
        again.pass_seconds(1)
    follower.poll()
    assert follower.trouble is None
    assert_equal(follower.snapshot, model.frozen())


@pytest.fixture
def stopped() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_one_that_was_stopped_and_replaced_moves_nothing_when_it_wakes(
    tmp_path: Path, stopped: list[subprocess.Popen[str]]
) -> None:
    old = subprocess.Popen(command(tmp_path, 0), stdout=subprocess.PIPE, text=True)
    stopped.append(old)
    assert old.stdout is not None
    for _ in range(5):
        old.stdout.readline()
    directory = tmp_path / "versions"
    while True:  # not while it has the lock: that would hold the next one up, as it should
        old.send_signal(signal.SIGSTOP)
        lock = os.open(directory / "lock", os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            old.send_signal(signal.SIGCONT)
            time.sleep(0.01)
        finally:
            os.close(lock)
    new = ran(tmp_path, 40, begin=3)
    assert new.returncode == 0, new.stdout + new.stderr
    before = (directory / "current.json").read_bytes()
    old.send_signal(signal.SIGCONT)
    rest, _ = old.communicate(timeout=30)
    assert old.returncode == Fenced.exit_code, rest
    assert "a newer learner of the same name" in rest
    assert (directory / "current.json").read_bytes() == before
    assert_equal(follow(directory).snapshot, trained(43).frozen())


def test_one_that_the_log_fenced_before_it_took_over_does_not_take_over(
    tmp_path: Path, stopped: list[subprocess.Popen[str]]
) -> None:
    old = subprocess.Popen(command(tmp_path, 0, pause_before_takeover=True), stdout=subprocess.PIPE, text=True)
    stopped.append(old)
    assert old.stdout is not None
    old.stdout.readline()
    new = ran(tmp_path, 20)
    assert new.returncode == 0, new.stdout + new.stderr
    before = (tmp_path / "versions" / "current.json").read_bytes()
    old.send_signal(signal.SIGCONT)
    rest, _ = old.communicate(timeout=30)
    assert old.returncode == Fenced.exit_code, rest
    assert (tmp_path / "versions" / "current.json").read_bytes() == before


def test_a_reader_beside_a_publisher_that_is_killed_again_and_again_sees_only_whole_states(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "versions")
    begin, seen = 0, 0
    for kill in range(2):
        process = subprocess.Popen(command(tmp_path, 0, begin=begin, full_seconds=0.05), stdout=subprocess.PIPE)
        deadline, until = time.monotonic() + 30, seen + 15
        while seen < until and time.monotonic() < deadline:
            taken = follower.poll()
            if taken is not None:
                assert_of_one_moment(taken.snapshot)
                seen += 1
        process.kill()
        process.communicate()
        assert seen >= until, (kill, follower.trouble)
        assert follower.snapshot is not None
        begin = follower.snapshot.events_trained // 3 // 2  # a checkpoint of before
    follower.poll()
    assert follower.trouble is None


def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a directory on a file system of its own of half a megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    done = None
    if mount is not None:
        done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=False)
    if done is None or done.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    yield from full_disk(tmp_path)


@pytest.mark.mount
def test_on_a_full_disk_the_last_good_version_stays_and_publishing_goes_on_once_there_is_room(
    small_disk: Path, stopped: list[subprocess.Popen[str]]
) -> None:
    directory = small_disk / "versions"
    publisher = subprocess.Popen(
        command(small_disk, 0, full_seconds=1000.0), stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    stopped.append(publisher)
    assert publisher.stdout is not None
    publisher.stdout.readline()
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 1024)
    while "failed" not in (line := publisher.stdout.readline()):
        assert line
    assert "make room" in line
    follower = follow(directory)
    assert follower.trouble is None
    assert_of_one_moment(follower.snapshot)
    assert not list(directory.glob("*.tmp"))
    filler.unlink()
    version = follower.version
    assert json.loads(publisher.stdout.readline())["version"] > version
    follower.poll()
    assert_of_one_moment(follower.snapshot)
    assert follower.version > version


def test_a_file_that_may_not_grow_leaves_the_pointer_as_it_was(tmp_path: Path) -> None:
    """A bound on the size of files is a full disk too, and needs no file system of its own."""
    done = ran(tmp_path, 10)
    assert done.returncode == 0
    good = read_pointer(tmp_path / "versions")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, hard))
    try:
        bounded = ran(tmp_path, 20, begin=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "failed" in bounded.stdout
    pointer = read_pointer(tmp_path / "versions")
    assert good is not None
    assert pointer is not None
    assert pointer.version == good.version
    assert_equal(follow(tmp_path / "versions").snapshot, trained(10).frozen())
