"""A commit log in files: for the embedded log and for replays, with Kafka's guarantees on one machine."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream.disk.durable import sync_directory
from stream.errors import Fenced, LogError
from stream.log.embedded import decode_bytes, encode_bytes
from stream.log.letter import facts_of
from stream.log.protocol import Commit, DeadLetter

__all__ = ["FileCommitLog", "fields_of", "letter_in", "read_dead_letters"]


@dataclass(frozen=True, slots=True)
class _State:
    """What the commit file holds: who may commit, the newest commit, and how long the dead letters were at it."""

    epoch: int
    commit: Commit | None
    dead_letters_bytes: int


class FileCommitLog:
    """A `CommitLog` of two files: the newest commit, replaced atomically, and the dead letters, a JSON object a line.

    A dead letter counts once the commit file says that the file is that long. So a kill between the two leaves lines
    that the next `fence` cuts off. Fencing is a number in the commit file, raised by each `fence` under a lock.

    Args:
        commit_path: the commit file; one per learner's name.
        dead_letters_path: the dead letters; no other learner may write there.
        schema_topic: the topic whose dead letters are judged by the commit's `schema_offset`.
        topic_ids: id by name of the topics; dead letters of one that was made anew since stay.
    """

    def __init__(
        self,
        commit_path: Path,
        dead_letters_path: Path,
        schema_topic: str = "feature-schema",
        topic_ids: Mapping[str, str | None] | None = None,
    ) -> None:
        self._topic_ids = dict(topic_ids or {})
        self._commit_path = commit_path
        self._dead_letters_path = dead_letters_path
        self._schema_topic = schema_topic
        self._epoch: int | None = None

    def newest(self, wait: bool = False) -> Commit | None:
        """Return the newest commit; one is there as a whole or not at all, so there is nothing to wait for."""
        state = self._read()
        return None if state is None else state.commit

    def fence(self) -> Commit | None:
        """Take over, cut the dead letters back to the newest commit, and return it."""
        with self._locked():
            self._dead_letters_path.parent.mkdir(parents=True, exist_ok=True)
            # Before the first commit, what already lies in the file is not ours to cut.
            state = self._read() or _State(0, None, self._cut_back(None))
            self._epoch = state.epoch + 1
            self._cut_back(state.dead_letters_bytes)
            self._write(_State(self._epoch, state.commit, state.dead_letters_bytes))
        return state.commit

    def resumed(self, commit: Commit) -> None:
        """Drop the dead letters that come from offsets at or after this older checkpoint's: they will come again."""
        with self._locked():
            state = self._own_state()
            kept = bytearray()
            for line in self._dead_letters_path.read_bytes()[: state.dead_letters_bytes].splitlines(keepends=True):
                letter = letter_in(line)
                if letter is None or self._stays(commit, letter):
                    kept += line
            _replace(self._dead_letters_path, bytes(kept))
            self._write(_State(state.epoch, commit, len(kept)))

    def commit(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None:
        """Append the dead letters, then replace the commit file, which makes both count.

        Raises `Fenced`, or `LogError` if the disk refuses.
        """
        with self._locked():
            state = self._own_state()
            lines = b"".join(map(_line_of, dead_letters))
            length = self._cut_back(state.dead_letters_bytes)
            if lines:
                with self._dead_letters_path.open("ab") as file:
                    file.write(lines)
                    file.flush()
                    os.fsync(file.fileno())
            self._write(_State(state.epoch, commit, length + len(lines)))

    def close(self) -> None:
        """Do nothing: no file is held open between calls."""

    def _stays(self, commit: Commit, letter: DeadLetter) -> bool:
        if letter.topic_id != self._topic_ids.get(letter.topic):
            return True
        schema = letter.topic == self._schema_topic
        return letter.offset < (commit.schema_offset if schema else commit.offsets.get(letter.partition, 0))

    def _own_state(self) -> _State:
        state = self._read()
        if self._epoch is None or state is None:
            raise LogError(f"{self._commit_path}: fence() has to be called before anything is committed.")
        if state.epoch != self._epoch:
            raise Fenced(
                f"A newer learner of the same name took over {self._commit_path} (it is number {state.epoch}, this one "
                f"{self._epoch}). This one stops and leaves the checkpoints alone."
            )
        return state

    def _read(self) -> _State | None:
        try:
            text = self._commit_path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            held: dict[str, Any] = json.loads(text)
            commit = held["commit"] and Commit(
                held["commit"]["number"],
                held["commit"]["digest"],
                {int(partition): offset for partition, offset in held["commit"]["offsets"].items()},
                held["commit"]["schema_offset"],
            )
            return _State(held["epoch"], commit, held["dead_letters_bytes"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LogError(
                f"{self._commit_path} is not a commit file ({error}). Restore it, or remove it together with the "
                "checkpoints to start anew."
            ) from error

    def _write(self, state: _State) -> None:
        commit = state.commit and {
            "number": state.commit.number,
            "digest": state.commit.digest,
            "offsets": {str(partition): offset for partition, offset in sorted(state.commit.offsets.items())},
            "schema_offset": state.commit.schema_offset,
        }
        held = {"epoch": state.epoch, "commit": commit, "dead_letters_bytes": state.dead_letters_bytes}
        _replace(self._commit_path, json.dumps(held).encode())

    def _cut_back(self, length_bytes: int | None) -> int:
        """Cut the dead letters to `length_bytes` (None: keep them all) and return their length."""
        with self._dead_letters_path.open("ab") as file:
            present = file.tell()
            if length_bytes is not None and present > length_bytes:
                file.truncate(length_bytes)
                os.fsync(file.fileno())
                return length_bytes
            return present

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes out of both files for the block; a disk that refuses is a `LogError`."""
        try:
            self._commit_path.parent.mkdir(parents=True, exist_ok=True)
            with self._commit_path.with_suffix(".lock").open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise LogError(
                f"{self._commit_path} or {self._dead_letters_path} cannot be written: {error}. Make room, or see the "
                "paths and their rights. Whether the last commit counts is found at the next start."
            ) from error


def read_dead_letters(path: Path) -> list[DeadLetter]:
    """Return the dead letters that a file holds, in order; a line that is none is somebody else's and passed over."""
    return [letter for line in path.read_bytes().splitlines() if (letter := letter_in(line)) is not None]


def letter_in(line: bytes) -> DeadLetter | None:
    """Return the dead letter of a line, None if it holds none."""
    try:
        held: dict[str, Any] = json.loads(line)
        return DeadLetter(
            reason=str(held["reason"]),
            topic=str(held["topic"]),
            partition=int(held["partition"]),
            offset=int(held["offset"]),
            key=decode_bytes(held["key"]),
            value=decode_bytes(held["value"]),
            message=str(held["message"]),
            learner=str(held["learner"]),
            ts_ms=int(held["ts"]),
            resent=int(held["resent"]),
            topic_id=held.get("topic_id"),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def fields_of(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as the JSON object that a line holds (`stream schema-of dead-letter`)."""
    return {**facts_of(letter), "key": encode_bytes(letter.key), "value": encode_bytes(letter.value)}


def _line_of(letter: DeadLetter) -> bytes:
    return json.dumps(fields_of(letter), ensure_ascii=False).encode() + b"\n"


def _replace(path: Path, content: bytes) -> None:
    """Put `content` there so that a reader, or a machine that loses power, sees either the old bytes or these."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)  # what an earlier process left, or a link that leads to another file
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)
