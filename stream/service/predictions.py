"""The predictions file: a line for each trained event, in training order, none twice and none missing after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from stream.errors import ConfigurationError, LogError

__all__ = ["PredictionsFile", "Scored", "require_predictions"]


class Scored(Protocol):
    """What an event's score has to offer."""

    def to_json(self) -> str:
        """Return the event's line (contract, part 7), without the line's end."""
        ...


def require_predictions(path: Path, length_bytes: int) -> None:
    """Raise `ConfigurationError` if `PredictionsFile` would; a file that is there stays as it is."""
    os.close(_opened(path, length_bytes))


def _opened(path: Path, length_bytes: int) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigurationError(
            f"the predictions file {path} cannot be opened: {error}; see its path and rights"
        ) from error
    size = os.fstat(file).st_size
    if size < length_bytes:
        os.close(file)
        raise ConfigurationError(
            f"{path} has {size} bytes, the restored checkpoint has written {length_bytes}; "
            "give the file of the run that is resumed"
        )
    return file


class PredictionsFile:
    """JSON lines that grow with each checkpoint and are cut back to the length that the restored checkpoint names.

    Lines are kept in memory until `write`, so a learner that has lost its place to a successor writes nothing.

    Args:
        path: the file.
        length_bytes: its length in the restored checkpoint; 0 for a new run, which empties the file.

    Raises:
        ConfigurationError: the file cannot be opened, or lacks lines that the checkpoint says were written.
    """

    def __init__(self, path: Path, length_bytes: int = 0) -> None:
        self._file = _opened(path, length_bytes)
        self._path = path
        self._committed_bytes = self.length_bytes = length_bytes
        os.ftruncate(self._file, length_bytes)
        self._lines: list[bytes] = []
        self.waiting_bytes = 0
        """Bytes of the lines that wait for `write`."""

    def append(self, scores: Iterable[Scored]) -> None:
        """Add a batch's lines."""
        for score in scores:
            line = score.to_json().encode() + b"\n"
            self._lines.append(line)
            self.waiting_bytes += len(line)

    def write(self) -> None:
        """Write all lines; `length_bytes` is the file's length from then on. They are durable after `sync` only.

        Raises `LogError` if the disk refuses; a next start cuts the file back.
        """
        data = memoryview(b"".join(self._lines))
        with self._refusals():
            while data:
                written = os.pwrite(self._file, data, self.length_bytes)
                self.length_bytes += written
                data = data[written:]
        self._lines.clear()
        self.waiting_bytes = 0

    def sync(self) -> None:
        """Make what was written durable, while more is appended or not; raises `LogError`."""
        with self._refusals():
            os.fsync(self._file)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LogError(
                f"the predictions file {self._path} cannot be written: {error}; make room, or leave it out"
            ) from error

    def committed(self) -> None:
        """Note that a checkpoint with the present `length_bytes` counts."""
        self._committed_bytes = self.length_bytes

    def roll_back(self) -> None:
        """Cut off what was written for a checkpoint that does not count."""
        if self.length_bytes != self._committed_bytes:
            os.ftruncate(self._file, self._committed_bytes)
            self.length_bytes = self._committed_bytes

    def close(self) -> None:
        """Close the file; lines that were not written belong to no checkpoint and go. A second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
