"""A checkpoint holds one moment, however far training has gone on when it becomes official."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.checkpoint import read_at
from stream.errors import CheckpointError, Fenced, LogError, NonFinite
from stream.log.protocol import Commit, DeadLetter
from stream.observe import Observer
from stream.service.checkpointing import Checkpointer, Made
from stream.testing import MemoryLog
from tests.service.counting_learner import event, version
from tests.service.serving import Run

BACKGROUND = ("checkpoint.in_background=true", "checkpoint.every_events=8")


def filled(events: int = 60, invalid: Sequence[int] = ()) -> MemoryLog:
    log = MemoryLog()
    for number in range(1, events // 10 + 2):
        log.publish(version(number, (number - 1) * 10))
    for index in range(events):
        log.send(b"broken" if index in invalid else event(f"e{index}", index))
    return log


def outcome(summary: dict[str, Any], log: MemoryLog) -> dict[str, Any]:
    kept = ("events_read", "events_trained", "events_dead_lettered", "ids_digest", "state_digest")
    return {**{key: summary[key] for key in kept}, "letters": [letter.offset for letter in log.dead_letters]}


class Held:
    """Holds each commit back until so many more batches were trained, or the service waits for it."""

    def __init__(self, run: Run, batches: int) -> None:
        self._run = run
        self._batches = batches
        self._changed = threading.Condition()
        self._count = 0
        self._waited_for = 0
        self.trained_between: list[int] = []
        self._commit, self._learn = run.commit_log.commit, run.learner.learn
        self._join, self._begin, self._began = Checkpointer.collect, Checkpointer.begin, 0
        checkpointer = run.service.saving._checkpointer
        run.commit_log.commit = self.commit  # type: ignore[method-assign]
        run.learner.learn = self.learn  # type: ignore[method-assign]
        checkpointer.collect = self.collect  # type: ignore[method-assign]
        checkpointer.begin = self.begin  # type: ignore[assignment, method-assign]

    def collect(self, *, wait: bool = False) -> Made | None:
        checkpointer = self._run.service.saving._checkpointer
        if not wait:
            return self._join(checkpointer)
        with self._changed:
            self._waited_for += 1
            self._changed.notify_all()
        try:
            return self._join(checkpointer, wait=True)
        finally:
            with self._changed:
                self._waited_for -= 1

    def begin(self, *arguments: Any) -> None:
        self._began = self._count
        self._begin(self._run.service.saving._checkpointer, *arguments)

    def learn(self, batch: Any) -> Any:
        report = self._learn(batch)
        with self._changed:
            self._count += 1
            self._changed.notify_all()
        return report

    def commit(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None:
        with self._changed:
            enough = self._began + self._batches
            done = self._changed.wait_for(lambda: self._waited_for or self._count >= enough, 60.0)
            assert done, "nobody waits, and nothing is trained"
            self.trained_between.append(self._count - self._began)
        self._commit(commit, dead_letters)


def test_offsets_letters_and_state_are_of_one_moment_though_training_went_on(tmp_path: Path) -> None:
    invalid = (3, 9, 10, 11, 20, 33, 34, 59)
    log = filled(invalid=invalid)
    run = Run(log, tmp_path, *BACKGROUND, "checkpoint.keep=99")
    held = Held(run, 3)
    summary = run.run()
    assert max(held.trained_between) >= 3, "nothing was trained between a snapshot and its commit"
    for commit in log.commits:
        tree = read_at(tmp_path / f"checkpoint-{commit.number:012d}.ckpt").tree()
        assert tree["service"]["offsets"] == {"0": commit.offsets[0]}
        assert tree["service"]["schema_offset"] == commit.schema_offset
        before = [index for index in range(commit.offsets[0]) if index not in invalid]
        assert tree["learner"]["events"] == len(before), "the state is of the offsets' moment"
    whole = filled(invalid=invalid)
    assert outcome(summary, log) == outcome(Run(whole, None).run(), whole)


def test_a_letter_is_published_with_the_checkpoint_that_covers_it_and_by_no_other(tmp_path: Path) -> None:
    log = filled(invalid=(3, 9, 10, 11, 20, 33, 34, 59))
    run = Run(log, tmp_path, *BACKGROUND)
    published: list[tuple[int, list[int]]] = []
    commit = run.commit_log.commit

    def seen(what: Commit, letters: Sequence[DeadLetter]) -> None:
        published.append((what.offsets[0], [letter.offset for letter in letters]))
        commit(what, letters)

    run.commit_log.commit = seen  # type: ignore[assignment, method-assign]
    Held(run, 2)
    run.run()
    start = 0
    for end, offsets in published:
        assert offsets == [offset for offset in (3, 9, 10, 11, 20, 33, 34, 59) if start <= offset < end]
        start = end
    assert start == 60


def test_what_is_settled_while_a_checkpoint_is_in_flight_is_in_the_next_though_nothing_is_trained(
    tmp_path: Path,
) -> None:
    log = filled(10, invalid=(8, 9))
    run = Run(log, tmp_path, *BACKGROUND)
    Held(run, 1000)
    run.run()
    assert [commit.offsets[0] for commit in log.commits] == [0, 8, 10]
    assert [letter.offset for letter in log.dead_letters] == [8, 9]


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_ends_of_the_process_at_any_step_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    invalid = tuple(data.draw(st.sets(st.integers(0, 59), max_size=8)))
    whole = filled(invalid=invalid)
    expected = outcome(Run(whole, None).run(), whole)
    log = filled(invalid=invalid)
    directory: Path = tmp_path_factory.mktemp("checkpoints")
    arguments = (*BACKGROUND[:1], f"checkpoint.every_events={data.draw(st.integers(1, 20))}")
    predictions = directory / "predictions.jsonl"
    for _ in range(data.draw(st.integers(1, 3))):
        run = Run(log, directory, *arguments, predictions=predictions)
        Held(run, data.draw(st.integers(0, 4)))
        where = data.draw(st.sampled_from(["fill", "commit", "promote", "learn"]))
        _die_at(run, where, data.draw(st.integers(0, 5)))
        try:
            run.run()
        except (Dead, CheckpointError):
            run.die()
    run = Run(log, directory, *arguments, predictions=predictions)
    assert outcome(run.run(), log) == expected
    lines = [json.loads(line)["id"] for line in predictions.read_bytes().splitlines()]
    assert lines == [f"e{index}" for index in range(60) if index not in invalid]
    assert not list(directory.glob("*.tmp"))


class Dead(Exception):
    """In place of SIGKILL."""


def _die_at(run: Run, where: str, after: int) -> None:
    """Let the given visit of a place be the process's end; in a child, the child's."""
    assert run.store is not None
    target: Any = {"fill": run.store, "commit": run.commit_log, "promote": run.store, "learn": run.learner}[where]
    original = getattr(target, where)
    visits = [0]

    def dying(*arguments: Any) -> Any:
        if where == "fill":
            if arguments[1] > after:
                os.kill(os.getpid(), signal.SIGKILL)
        else:
            visits[0] += 1
            if visits[0] > after:
                raise Dead
        return original(*arguments)

    setattr(target, where, dying)


def test_a_writer_that_is_killed_ends_the_service_and_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    log = filled()
    run = Run(log, tmp_path, *BACKGROUND)
    _die_at(run, "fill", 2)
    with pytest.raises(CheckpointError, match=r"killed by signal 9.*checkpoint\.in_background"):
        run.run()
    assert log.commits[-1].number == 2
    left = sorted(path.name for path in tmp_path.glob("checkpoint-*"))
    assert left == [f"checkpoint-{number:012d}.ckpt" for number in (1, 2)]
    assert Run(log, tmp_path).run()["events_trained"] == 60


@pytest.mark.parametrize(
    ("error", "says"), [(NonFinite("a weight"), "a weight"), (OSError(28, "No space left on device"), "No space left")]
)
def test_what_the_writer_finds_ends_the_service_as_if_it_had_been_found_here(
    tmp_path: Path, error: Exception, says: str
) -> None:
    log = filled()
    run = Run(log, tmp_path, *BACKGROUND)
    state = run.learner.state

    def broken() -> dict[str, Any]:
        if run.learner.events >= 8:
            raise error
        return state()

    run.learner.state = broken  # type: ignore[method-assign]
    with pytest.raises(NonFinite if isinstance(error, NonFinite) else CheckpointError, match=says):
        run.run()
    assert log.commits[-1].number == 1
    assert not list(tmp_path.glob("*.tmp"))


def test_a_fencing_found_in_the_background_leaves_the_directory_as_it_was(tmp_path: Path) -> None:
    log = filled()
    predictions = tmp_path / "predictions.jsonl"
    run = Run(log, tmp_path / "checkpoints", *BACKGROUND, predictions=predictions)
    run.service.saving.for_sure(lambda: False)
    before = {path: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}
    log.epoch += 1
    with pytest.raises(Fenced):
        run.run()
    assert {path: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()} == before
    assert predictions.read_bytes() == b""


def test_a_checkpoint_on_its_way_is_finished_when_something_else_ends_the_service(tmp_path: Path) -> None:
    log = filled()
    run = Run(log, tmp_path, *BACKGROUND)
    Held(run, 1000)

    class Watching(Observer):
        def trained(self, *arguments: Any) -> None:
            if run.learner.events >= 12:
                raise LogError("the log is gone")

    run.service._observer = Watching()
    with pytest.raises(LogError, match="the log is gone"):
        run.run()
    assert log.commits[-1].offsets == {0: 8}
    assert Run(log, tmp_path).run()["events_trained"] == 60


def test_where_there_can_be_no_child_a_checkpoint_is_written_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    log = filled()
    assert Run(log, tmp_path, *BACKGROUND).run()["events_trained"] == 60
    assert log.commits[-1].offsets == {0: 60}


def test_many_letters_wait_for_no_later_checkpoint_than_the_next(tmp_path: Path) -> None:
    """A log of nothing but invalid records would fill the memory while a commit takes its time."""
    log = filled(400, invalid=range(1, 400))
    limits = ("dead_letters.buffer_events=20", "dead_letters.burst_events=1000", "dead_letters.burst_window_events=1")
    run = Run(log, tmp_path, *BACKGROUND, *limits, "batch_size=1")
    Held(run, 1000)
    most = 0
    settle = run.service._ledger.settle

    def watched(item: Any) -> None:
        nonlocal most
        settle(item)
        most = max(most, run.service._ledger.unpublished[0])

    run.service._ledger.settle = watched  # type: ignore[method-assign]
    run.run()
    assert [letter.offset for letter in log.dead_letters] == list(range(1, 400))
    assert most <= 1000 + 20  # a step's worth beyond the bound


def test_at_most_one_is_in_flight() -> None:
    checkpointer = Checkpointer(None, _Silent(), None, 0, in_background=True)
    ledger = Run(filled(), None).service._ledger
    checkpointer.begin(list, ledger, None)
    with pytest.raises(AssertionError):
        checkpointer.begin(list, ledger, None)
    made = checkpointer.collect(wait=True)
    assert made is not None
    assert (made.number, checkpointer.in_flight) == (1, False)


class _Silent:
    def newest(self, settled: bool = False) -> None: ...

    def fence(self) -> None: ...

    def resumed(self, commit: Commit) -> None: ...

    def commit(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None: ...

    def close(self) -> None: ...


def test_the_state_is_turned_into_bytes_by_another_process(tmp_path: Path) -> None:
    run = Run(filled(20), tmp_path, *BACKGROUND)
    state = run.learner.state

    def noting() -> dict[str, Any]:
        descriptors = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        files = [os.readlink(path) for path in descriptors if path.is_symlink()]
        return {**state(), "by": os.getpid(), "files": files}

    run.learner.state = noting  # type: ignore[method-assign]
    run.run()
    written = read_at(tmp_path).tree()["learner"]
    assert written["by"] != os.getpid()
    assert str(tmp_path / "lock") not in written["files"], "it would outlive its parent's lock"
