"""The directory of model versions, as the learner that owns it writes it.

Whoever owns a learner's name (`stream.log.protocol.CommitLog.fence`) takes the directory over: under the directory's
lock it has the log confirm that it is still the newest of its name, and then raises the epoch in the pointer. So the
epochs here rise in the order of the takeovers in the log, and who was replaced there cannot take over here. Every move
of the pointer asks under the same lock whether the epoch is still the own one; if not, it is `Fenced`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream.errors import Fenced, PublishError
from stream.publish.files import number_of
from stream.publish.pointer import NAME, Link, Pointer, read_pointer
from stream.publish.retention import Retention, prune
from stream.publish.snapshot import Array
from stream.publish.writing import TEMPORARY, replace_file, write_version

__all__ = ["VersionStore", "locked", "move"]

_log = logging.getLogger("stream.publish")

_LOCK_SECONDS = 30.0
EARLIER_DELTAS = 60
"""So many deltas before the full version stay, for readers that lag behind."""


class VersionStore:
    """Model versions in one directory.

    Args:
        directory: where they lie; made if it is not there.
        learner: the learner's name.
        retention: how many versions stay.
        unix_seconds: wall-clock time.

    Every method raises `PublishError` if the disk refuses.
    """

    def __init__(
        self,
        directory: Path,
        learner: str,
        retention: Retention,
        unix_seconds: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self._learner = learner
        self._retention = retention
        self._unix_seconds = unix_seconds
        self._own: tuple[str, int] | None = None
        self._given = 0

    @property
    def owned(self) -> bool:
        """Whether `take_over` has succeeded."""
        return self._own is not None

    def take_over(self, confirm: Callable[[], None]) -> Pointer:
        """Make this process the only one that can move the pointer, and return the pointer.

        `confirm` asks the log whether this process is still the newest of its name; it raises `Fenced` if not. Raises
        PublishError if the directory is another learner's.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self.directory, error) from error
        with locked(self.directory):
            confirm()
            pointer = read_pointer(self.directory) or Pointer(secrets.token_hex(8), self._learner)
            if pointer.learner != self._learner:
                raise PublishError(
                    f"{self.directory} holds the versions of the learner {pointer.learner!r}, and this one is "
                    f"{self._learner!r}; give each learner a publish.directory of its own"
                )
            for path in self.directory.glob(f"*{TEMPORARY}"):
                path.unlink(missing_ok=True)
            numbers = (number_of(path.name) or 0 for path in self.directory.iterdir())
            self._given = max(pointer.newest, *numbers, 0)
            pointer = pointer.moved(epoch=pointer.epoch + 1, newest=self._given)
            self._write(pointer)
            self._own = pointer.store, pointer.epoch
            return pointer

    def next_version(self) -> int:
        """Return a number that no version here ever had."""
        self._given += 1
        return self._given

    def write(self, kind: str, members: Mapping[str, Any], arrays: Mapping[str, Array]) -> Link:
        """Write the files of a version, which nothing points to yet."""
        members = {"learner": self._learner, "made_ms": self.now_ms(), **members}
        return write_version(self.directory, kind, members, arrays)

    def move(self, change: Callable[[Pointer], Pointer | None]) -> Pointer:
        """Replace the pointer by what `change` makes of it, or leave it if that is None; return what stands now.

        Raises `Fenced` if another process has taken the directory over.
        """
        with locked(self.directory):
            pointer = read_pointer(self.directory)
            if pointer is None or (pointer.store, pointer.epoch) != self._own:
                found = "gone" if pointer is None else f"of the series {pointer.store} and the epoch {pointer.epoch}"
                raise Fenced(
                    f"{self.directory / NAME} is {found}, and this process took over {self._own}: a newer learner of "
                    "the same name publishes there, or the directory was made anew. This one stops"
                )
            changed = change(pointer)
            if changed is None:
                return pointer
            changed = changed.moved(newest=max(self._given, pointer.newest), published_ms=self.now_ms())
            self._write(changed)
            return changed

    def prune(self, below: int) -> None:
        """Remove versions with numbers under `below` that are beyond the retention's bounds; a failure is only said."""
        try:
            with locked(self.directory):
                pointer = read_pointer(self.directory)
                if pointer is not None and (pointer.store, pointer.epoch) == self._own:
                    prune(self.directory, pointer, self._retention, below)
        except (PublishError, OSError) as error:
            _log.warning("old model versions cannot be removed from %s: %s", self.directory, error)

    def now_ms(self) -> int:
        """Return wall-clock time, Unix ms."""
        return round(self._unix_seconds() * 1000)

    def _write(self, pointer: Pointer) -> None:
        move(self.directory, pointer)


def move(directory: Path, pointer: Pointer) -> None:
    """Replace the pointer's file; the caller has the lock."""
    try:
        replace_file(directory / NAME, pointer.encode())
    except OSError as error:
        raise _unusable(directory, error) from error


@contextmanager
def locked(directory: Path, most_seconds: float = _LOCK_SECONDS) -> Iterator[None]:
    """Keep every other process from moving the pointer for the block; the kernel gives the lock back if one dies.

    Raises PublishError if another has it for longer than `most_seconds`.
    """
    path = directory / "lock"
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise _unusable(directory, error) from error
    try:
        deadline = time.monotonic() + most_seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise PublishError(
                        f"another process has had {path} for {most_seconds:g} s; see whether one is stopped there"
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(file)


def _unusable(directory: Path, error: OSError) -> PublishError:
    return PublishError(
        f"the directory of model versions {directory} cannot be used: {error.strerror or error}; make room, see its "
        "path and rights, or name another publish.directory"
    )
