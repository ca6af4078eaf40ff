"""One learner per directory: a lock that the kernel gives back when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.errors import AlreadyRunning, CheckpointError, DirectoryLost

__all__ = ["DirectoryLock"]

_ATTEMPTS = 100


class DirectoryLock:
    """An exclusive lock on a directory, held from construction to `close` or the process's end.

    flock on a file inside it (flock(2)): no stale lock survives a SIGKILL, and a stopped process keeps it. The lock is
    on the file, not on its name: whoever deletes the file or its directory lets a second learner in, so the holder asks
    now and then (`require_in_place`).

    Raises:
        AlreadyRunning: another process holds it; the message names its process id.
        CheckpointError: `lock` is no plain file of its own, so that another file would be written to.
        OSError: it cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self._file = -1
        for _ in range(_ATTEMPTS):
            self._file = _opened(self._path)
            try:
                _require_own_file(self._path, self._file)
                self._take()
            except BaseException:
                self.close()
                raise
            if self._in_place():
                break
            self.close()  # deleted between opening and locking: what is there now is another file
        else:
            raise CheckpointError(f"{self._path} is deleted again and again; see who does that, and start anew")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def require_in_place(self) -> None:
        """Raise `DirectoryLost` if the locked file is no longer the one at its path: it holds nobody out then."""
        if not self._in_place():
            raise DirectoryLost(
                f"{self._path} is no longer the file that this learner locked: its checkpoint directory was deleted or "
                "replaced while it ran. Nothing more is written there. Restore the directory (from a backup, with "
                "checkpoint.missing = newest), and start again"
            )

    def _take(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            raise AlreadyRunning(
                f"process {holder} holds {self._path}: a learner runs on this directory already; "
                "stop it, or give this one another"
            ) from None

    def _in_place(self) -> bool:
        try:
            there = os.stat(self._path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return os.path.samestat(there, os.fstat(self._file))

    def close(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _opened(path: Path) -> int:
    """Open the lock's file, or make it, but nothing that it links to."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise CheckpointError(
            f"{path} is a symbolic link, and the process number is not written into the file that it leads to; "
            "remove the link"
        ) from None


def _require_own_file(path: Path, file: int) -> None:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise CheckpointError(f"{path} is not a plain file of its own (it has other names, or is a device); remove it")
