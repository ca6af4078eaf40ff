"""The directory of checkpoints: written under a temporary name, renamed once the log has committed, the last K kept."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stream.checkpoint.file import Buffer, checkpoint_name, number_in_name, pour
from stream.checkpoint.lock import DirectoryLock
from stream.disk.durable import sync_directory
from stream.errors import CheckpointError, Fenced

__all__ = ["CheckpointStore", "Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """A checkpoint that is durable under its temporary name, and counts for nothing yet."""

    path: Path
    number: int
    digest: str
    size_bytes: int


class CheckpointStore:
    """Checkpoints in one directory, which is made and locked on construction.

    Args:
        directory: where they lie; one learner's own.
        keep: how many complete ones stay, at least 1.

    Raises:
        AlreadyRunning: another process has the directory.
    """

    def __init__(self, directory: Path, keep: int = 3) -> None:
        self.directory = directory
        self._keep = keep
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = DirectoryLock(directory)
        except OSError as error:
            raise _unusable(directory, error) from error

    def numbers(self) -> list[int]:
        """Return the numbers of the complete checkpoints, whole or not, ascending."""
        names = (number_in_name(path.name) for path in self.directory.iterdir())
        return sorted(number for number in names if number is not None)

    def path(self, number: int) -> Path:
        """Return where the complete checkpoint `number` lies or would lie."""
        return self.directory / checkpoint_name(number)

    def temporaries(self) -> list[Path]:
        """Return the files that a writer left before it could rename them."""
        return sorted(self.directory.glob("checkpoint-*.tmp"))

    def require_in_place(self) -> None:
        """Raise `DirectoryLost` if the directory at this path is not the one that was locked any more."""
        self._lock.require_in_place()

    def require_room(self, size_bytes: int) -> None:
        """Raise `CheckpointError` if no file can be made here, or if so many bytes more have no room."""
        probe = self.directory / f"checkpoint-probe.{secrets.token_hex(8)}.tmp"
        try:
            probe.touch(exist_ok=False)
            probe.unlink()
            free_bytes = shutil.disk_usage(self.directory).free
        except OSError as error:
            raise _unusable(self.directory, error) from error
        if free_bytes < size_bytes:
            raise CheckpointError(
                f"{self.directory} has room for {free_bytes} bytes, and the last checkpoint has {size_bytes}: the next "
                "one could not be written. Make room, or give another directory"
            )

    def write(self, number: int, pieces: Iterable[Buffer]) -> Written:
        """Make a checkpoint durable under a temporary name; see `temporary` and `fill`."""
        return self.fill(self.temporary(number), number, pieces)

    def temporary(self, number: int) -> Path:
        """Return a temporary name for a checkpoint that no other process can have chosen; see `require_in_place`."""
        self.require_in_place()
        return self.directory / f"checkpoint-{number:012d}.{secrets.token_hex(8)}.tmp"

    def fill(self, path: Path, number: int, pieces: Iterable[Buffer]) -> Written:
        """Write the checkpoint, durably, to the file of a temporary name.

        Raises `CheckpointError` if the disk refuses; what was written is removed then.
        """
        try:
            with path.open("xb") as file:
                digest, size_bytes = pour(file, number, pieces)
            self.sync()
        except OSError as error:
            path.unlink(missing_ok=True)
            raise CheckpointError(
                f"checkpoint {number} cannot be written to {path}: {error}; make room, or give another directory"
            ) from error
        return Written(path, number, digest, size_bytes)

    def promote(self, written: Written) -> Path:
        """Give a committed checkpoint its name, durably.

        Raises `Fenced` if a successor has dealt with the file meanwhile, `DirectoryLost` if the directory is.
        """
        self.require_in_place()
        return self.rename(written.path, written.number)

    def rename(self, temporary: Path, number: int) -> Path:
        """Do what `promote` does with a file that an earlier process left."""
        path = self.path(number)
        try:
            temporary.rename(path)
        except FileNotFoundError:
            raise Fenced(f"{temporary} is gone: a newer learner took over this directory; this one leaves") from None
        except OSError as error:
            raise CheckpointError(f"{temporary} cannot be renamed: {error}; the next start does it") from error
        self.sync()
        return path

    def discard(self, path: Path) -> None:
        """Remove a temporary file."""
        path.unlink(missing_ok=True)

    def aside(self, path: Path) -> Path:
        """Return the name under which a damaged checkpoint is set aside."""
        return path.with_name(f"damaged-{path.name}")

    def set_aside(self, path: Path) -> Path:
        """Rename a damaged checkpoint, so that it is neither read nor pruned as one, and return its new name.

        As many stay as there are complete checkpoints at most, the newest.
        """
        aside = self.aside(path)
        try:
            path.rename(aside)
            for older in sorted(self.directory.glob("damaged-checkpoint-*.ckpt"))[: -self._keep]:
                older.unlink(missing_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"{path} is damaged and cannot be renamed: {error}; see the directory's rights"
            ) from error
        self.sync()
        return aside

    def prune(self) -> None:
        """Remove all complete checkpoints but the newest K."""
        for number in self.numbers()[: -self._keep]:
            self.path(number).unlink(missing_ok=True)

    def sync(self) -> None:
        """Make the directory's names durable."""
        sync_directory(self.directory)

    def close(self) -> None:
        """Give the lock back; a second call does nothing."""
        self._lock.close()


def _unusable(directory: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"the checkpoint directory {directory} cannot be used: {error}; see its path and rights")
