"""Files in place of a log: interactions as one partition in order of event time, schema versions in line order.

The interactions file is not held in memory: one pass makes an index of 16 bytes a line (event time and place), sorted
by event time, then by line; records are read through it. So a file need not be sorted, and an offset is a rank in that
order. A file that grows by later events keeps its ranks. One that grows by earlier ones, or is another, does not: a
checkpoint keeps a digest of the lines that it has dealt with, in order, and a start compares.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from stream.errors import ConfigurationError, InvalidInteraction, OffsetOutOfRange
from stream.log.line_file import LOOKED_AT_BYTES, MARK, beginning_of_lines
from stream.log.protocol import Record
from stream.records.interaction import decode_interaction

__all__ = ["InteractionsFile", "SchemaFile"]

_PARTITION = 0


class InteractionsFile:
    """A file of interactions, one a line, behind the protocol of a log (`stream.log.protocol.InteractionSource`).

    A line that is no interaction has no event time; it stands behind the line before it.

    Raises:
        ConfigurationError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._data = _mapped(path)
        self._topic = path.name
        self._digest = _LinesDigest()
        self._starts = _sorted_starts(self._data)
        self._position: int | None = None

    @property
    def source_name(self) -> str:
        """Say that these are files."""
        return "files"

    @property
    def topic(self) -> str:
        """Return the file's name."""
        return self._topic

    @property
    def topic_id(self) -> None:
        """Say that files have no ids."""

    def digest_before(self, offsets: Mapping[int, int]) -> str:
        """Return the digest of the lines before that rank, in order."""
        end = offsets[_PARTITION]
        return self._digest.up_to(end, self._line) if end <= len(self) else ""

    def __len__(self) -> int:
        return len(self._starts)

    def partitions(self) -> list[int]:
        """Return the one partition."""
        return [_PARTITION]

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Make the line of that rank the next one."""
        offset = offsets[_PARTITION]
        if not 0 <= offset <= len(self):
            raise OffsetOutOfRange(
                f"{self._topic} has {len(self)} lines, but the checkpoint goes on at {offset}; "
                "give the file that it was made from"
            )
        self._position = offset

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return the next lines; never waits, because nothing comes later."""
        first = self._at()
        self._position = min(first + max_records, len(self))
        return [
            Record(self._topic, _PARTITION, rank, None, self._line(rank), None) for rank in range(first, self._position)
        ]

    def positions(self) -> dict[int, int]:
        """Return the rank of the next line."""
        return {_PARTITION: self._at()}

    def beginning_offsets(self) -> dict[int, int]:
        """Return rank 0."""
        return {_PARTITION: 0}

    def end_offsets(self) -> dict[int, int]:
        """Return the number of lines."""
        return {_PARTITION: len(self)}

    def lag(self) -> dict[int, int]:
        """Return the number of lines left."""
        return {_PARTITION: len(self) - self._at()}

    def offsets_for_time(self, timestamp_ms: int) -> dict[int, int]:
        """Refuse: lines have no time of their own."""
        raise ConfigurationError("a file's lines have no time of arrival; start a replay at earliest")

    def pause(self, partitions: Sequence[int]) -> None:
        """Do nothing: a file waits by itself, and of one partition nothing is held."""

    def resume(self, partitions: Sequence[int]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Release the file."""
        if isinstance(self._data, mmap.mmap):
            self._data.close()

    def _at(self) -> int:
        if self._position is None:
            raise RuntimeError("seek before anything else: there is no default position")
        return self._position

    def _line(self, rank: int) -> bytes:
        start = int(self._starts[rank])
        return _line_at(self._data, start)


class SchemaFile:
    """A file of schema versions, one a line, behind the protocol of a schema topic (`SchemaSource`).

    Raises `ConfigurationError` if the file cannot be read, or holds no line: nothing could be learned without one.
    """

    def __init__(self, path: Path) -> None:
        data = _mapped(path)
        self._topic = path.name
        self._lines = [_line_at(data, start) for start in _line_starts(data)]
        if isinstance(data, mmap.mmap):
            data.close()
        if not self._lines:
            raise ConfigurationError(
                f"the file {path} holds no schema version; without version 1 no feature and no label is known. Begin "
                'with {"version": 1, "ts": 0, "changes": [...]}'
            )
        self._position = 0

    @property
    def topic(self) -> str:
        """Return the file's name."""
        return self._topic

    @property
    def topic_id(self) -> None:
        """Say that files have no ids."""

    def seek(self, offset: int) -> None:
        """Make this line (from 0) the next one."""
        if not 0 <= offset <= len(self._lines):
            raise OffsetOutOfRange(
                f"{self._topic} has {len(self._lines)} lines, but the checkpoint goes on at {offset}; "
                "give the file that it was made from"
            )
        self._position = offset

    def digest_before(self, offset: int) -> str:
        """Return the digest of the lines before that one."""
        return _LinesDigest().up_to(offset, self._lines.__getitem__) if offset <= len(self._lines) else ""

    def read_to_end(self, timeout_seconds: float) -> list[Record]:
        """Return all lines from the position on."""
        first, self._position = self._position, len(self._lines)
        return [
            Record(self._topic, _PARTITION, line, None, self._lines[line], None)
            for line in range(first, self._position)
        ]

    def position(self) -> int:
        """Return the next line."""
        return self._position

    def beginning_offset(self) -> int:
        """Return line 0."""
        return 0

    def end_offset(self) -> int:
        """Return the number of lines."""
        return len(self._lines)

    def close(self) -> None:
        """Do nothing; nothing is open."""


class _LinesDigest:
    """XXH3-128 of the first lines, whose number grows as a rule: then only what came since is read."""

    def __init__(self) -> None:
        self._lines = 0
        self._hash = xxhash.xxh3_128()

    def up_to(self, lines: int, line: Callable[[int], bytes]) -> str:
        """Return the digest of so many lines as 32 hex digits."""
        if lines < self._lines:
            self._lines, self._hash = 0, xxhash.xxh3_128()
        for number in range(self._lines, lines):
            self._hash.update(line(number))
            self._hash.update(b"\n")
        self._lines = lines
        return self._hash.hexdigest()


def _mapped(path: Path) -> mmap.mmap | bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return b""  # an empty file cannot be mapped
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the file {path} cannot be read: {error}; see its path and rights") from error
    beginning_of_lines(data[:LOOKED_AT_BYTES], path)
    return data


def _line_starts(data: mmap.mmap | bytes) -> Iterator[int]:
    """Yield where each line begins that is not empty."""
    start, size = len(MARK) if data[: len(MARK)] == MARK else 0, len(data)
    while start < size:
        if _line_at(data, start):
            yield start
        end = data.find(b"\n", start)
        start = size if end < 0 else end + 1


def _line_at(data: mmap.mmap | bytes, start: int) -> bytes:
    end = data.find(b"\n", start)
    return data[start : len(data) if end < 0 else end].rstrip(b"\r")


def _sorted_starts(data: mmap.mmap | bytes) -> npt.NDArray[np.int64]:
    """Return where the lines begin, by event time, then by line; shape (lines,)."""
    times, starts = array("q"), array("q")
    last = -(1 << 63)
    for start in _line_starts(data):
        with contextlib.suppress(InvalidInteraction):
            last = decode_interaction(_line_at(data, start)).ts
        times.append(last)
        starts.append(start)
    order = np.argsort(np.frombuffer(times, dtype=np.int64), kind="stable")
    return np.frombuffer(starts, dtype=np.int64)[order]
