"""One learner a directory, the last K checkpoints in it, and the right one found after any crash."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.checkpoint import (
    FORMAT_VERSION,
    CheckpointStore,
    Choice,
    DirectoryLock,
    Missing,
    choose,
    recover,
)
from stream.errors import (
    AlreadyRunning,
    CheckpointCorrupt,
    CheckpointError,
    CheckpointFormat,
    CheckpointMissing,
    DirectoryLost,
    Fenced,
)
from stream.log.protocol import Commit


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path, keep=3)
    yield opened
    opened.close()


def complete(store: CheckpointStore, number: int) -> Commit:
    written = store.write(number, [f"state {number}".encode()])
    store.promote(written)
    return Commit(number, written.digest, {}, 0)


def test_the_last_k_checkpoints_stay(store: CheckpointStore) -> None:
    for number in range(1, 6):
        complete(store, number)
        store.prune()
    assert store.numbers() == [3, 4, 5]


def test_two_writers_of_one_number_never_touch_each_other_s_file(store: CheckpointStore) -> None:
    assert store.write(1, [b"a"]).path != store.write(1, [b"b"]).path


def test_a_file_that_a_successor_has_dealt_with_is_not_renamed(store: CheckpointStore) -> None:
    written = store.write(1, [b"a"])
    store.discard(written.path)
    with pytest.raises(Fenced):
        store.promote(written)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="file/below"):
        CheckpointStore(tmp_path / "file" / "below")


def test_a_second_learner_is_refused_with_the_first_one_s_process_id(store: CheckpointStore) -> None:
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} "):
        CheckpointStore(store.directory)


def test_the_lock_of_a_killed_process_is_free_and_that_of_a_stopped_one_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from stream.checkpoint import DirectoryLock\n"
        "lock = DirectoryLock(pathlib.Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(AlreadyRunning, match=f"process {holder.pid} "):
            DirectoryLock(tmp_path)
        holder.kill()
        holder.wait()
    DirectoryLock(tmp_path).close()


def test_without_commit_or_checkpoint_a_start_is_from_nothing(store: CheckpointStore) -> None:
    store.write(1, [b"not committed"])
    assert recover(store, None) == Choice(None)
    assert store.temporaries() == []


def test_without_a_commit_the_newest_checkpoint_counts(store: CheckpointStore) -> None:
    complete(store, 1)
    complete(store, 2)
    found = recover(store, None).found
    assert found is not None
    assert found.payload == b"state 2"


def test_a_temporary_file_that_the_commit_names_is_renamed_and_others_go(store: CheckpointStore) -> None:
    complete(store, 1)
    committed = store.write(2, [b"committed"])
    store.write(2, [b"not committed"])
    found = recover(store, Commit(2, committed.digest, {}, 0)).found
    assert found is not None
    assert (found.payload, found.path) == (b"committed", store.path(2))
    assert store.numbers() == [1, 2]
    assert store.temporaries() == []


def test_a_temporary_file_that_the_commit_does_not_name_goes(store: CheckpointStore) -> None:
    commit = complete(store, 1)
    store.write(2, [b"not committed"])
    found = recover(store, commit).found
    assert found is not None
    assert found.number == 1
    assert store.temporaries() == []


@pytest.mark.parametrize(("policy", "expected"), [(Missing.NEWEST, 1), (Missing.SCRATCH, None)])
def test_another_machine_s_checkpoint_is_missing_unless_the_policy_says_else(
    store: CheckpointStore, policy: Missing, expected: int | None
) -> None:
    complete(store, 1)
    store.write(2, [b"not committed"])
    commit = Commit(7, "0" * 64, {}, 0)
    before = sorted(store.directory.iterdir())
    with pytest.raises(CheckpointMissing):
        recover(store, commit)
    assert sorted(store.directory.iterdir()) == before
    found = recover(store, commit, policy).found
    assert (None if found is None else found.number) == expected


def test_a_whole_file_of_the_same_number_but_another_learner_is_not_taken(store: CheckpointStore) -> None:
    complete(store, 2)
    with pytest.raises(CheckpointMissing):
        recover(store, Commit(2, "f" * 64, {}, 0))


def test_a_damaged_file_gives_way_to_an_older_whole_one_and_never_to_nothing(store: CheckpointStore) -> None:
    complete(store, 1)
    commit = complete(store, 2)
    store.path(2).write_bytes(b"STREAMCK, or what is left of it")
    found = recover(store, commit).found
    assert found is not None
    assert found.number == 1
    store.path(1).write_bytes(b"")
    with pytest.raises(CheckpointCorrupt):
        recover(store, commit)
    with pytest.raises(CheckpointCorrupt):
        recover(store, None)


def test_a_damaged_file_does_not_give_way_to_a_newer_one_that_the_log_does_not_name(store: CheckpointStore) -> None:
    complete(store, 1)
    commit = complete(store, 2)
    complete(store, 3)
    store.path(2).write_bytes(b"STREAMCK, or what is left of it")
    found = recover(store, commit).found
    assert found is not None
    assert found.number == 1


def test_damaged_checkpoints_are_said_aloud_and_set_aside_the_newest_of_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = CheckpointStore(tmp_path, keep=2)
    complete(store, 1)
    for number in (2, 3, 4):
        commit = complete(store, number)
    for number in (3, 4):
        store.path(number).write_bytes(b"STREAMCK, or what is left of it")
    before = sorted(tmp_path.iterdir())
    choose(store, commit)
    assert sorted(tmp_path.iterdir()) == before, "to look changes nothing"
    found = recover(store, commit)
    assert found.found is not None
    assert found.found.number == 2
    assert [path.name for path in found.damaged] == [f"damaged-checkpoint-{n:012d}.ckpt" for n in (4, 3)]
    assert all(path.read_bytes().startswith(b"STREAMCK, or") for path in found.damaged)
    assert [(record.levelname, "is damaged and was passed over" in record.message) for record in caplog.records] == [
        ("WARNING", True)
    ] * 2
    again = recover(store, commit)
    assert again.found is not None
    assert (again.found.number, again.damaged) == (2, ()), "a crash before the next commit changes nothing"
    for number in (5, 6):
        store.path(number).write_bytes(b"")
    recover(store, None)
    assert [path.name[-6:] for path in sorted(tmp_path.glob("damaged-*"))] == ["5.ckpt", "6.ckpt"], "no more than keep"


def test_a_checkpoint_of_another_format_refuses_the_start_and_hides_no_older_one(store: CheckpointStore) -> None:
    complete(store, 1)
    header = struct.pack(">8sIQQ", b"STREAMCK", FORMAT_VERSION + 1, 2, 5)
    store.path(2).write_bytes(header + hashlib.sha256(header + b"state").digest() + b"state")
    for commit in (None, Commit(2, hashlib.sha256(header + b"state").hexdigest(), {}, 0)):
        with pytest.raises(CheckpointFormat, match=f"format {FORMAT_VERSION + 1}, this program reads {FORMAT_VERSION}"):
            recover(store, commit)
    flipped = struct.pack(">8sIQQ", b"STREAMCK", FORMAT_VERSION + 2, 2, 5)
    store.path(2).write_bytes(flipped + hashlib.sha256(header + b"state").digest() + b"state")
    found = recover(store, None).found
    assert found is not None
    assert found.number == 1, "a flipped bit there is damage like any other"


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_a_lock_that_is_another_file_is_not_written_to(tmp_path: Path, kind: str) -> None:
    other = tmp_path / "precious"
    other.write_text("as it was", encoding="utf-8")
    directory = tmp_path / "checkpoints"
    directory.mkdir()
    (directory / "lock").symlink_to(other) if kind == "symbolic" else (directory / "lock").hardlink_to(other)
    with pytest.raises(CheckpointError, match="remove"):
        CheckpointStore(directory)
    assert other.read_text(encoding="utf-8") == "as it was"


def test_a_lock_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(CheckpointError, match="not a plain file"):
        CheckpointStore(tmp_path)


@pytest.mark.parametrize("what", ["directory", "lock", "replaced"])
def test_a_directory_that_was_deleted_is_written_to_no_more(tmp_path: Path, what: str) -> None:
    directory = tmp_path / "checkpoints"
    store = CheckpointStore(directory)
    written = store.write(1, [b"state"])
    second = None
    if what == "lock":
        (directory / "lock").unlink()
    else:
        shutil.rmtree(directory)
    if what == "replaced":
        second = CheckpointStore(directory)
    for attempt in (lambda: store.write(2, [b"state"]), lambda: store.promote(written), store.require_in_place):
        with pytest.raises(DirectoryLost, match="deleted or replaced"):
            attempt()
    assert not directory.exists() or sorted(path.name for path in directory.glob("checkpoint-*")) == (
        [written.path.name] if what == "lock" else []
    )
    if second is not None:
        second.require_in_place()


def test_a_directory_without_room_or_rights_is_found_out_before_anything_is_written(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.require_room(1)
    with pytest.raises(CheckpointError, match="has room for"):
        store.require_room(1 << 62)
    shutil.rmtree(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be used"):
        store.require_room(1)
