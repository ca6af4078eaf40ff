r"""The embedded log: Kafka's partitions and offsets in plain files, if there is no Kafka.

`DIRECTORY/TOPIC/partition-N.jsonl` holds a record a line, and a record's offset is the number of its line, from 0::

    {"timestamp_ms": 1483273827000, "key": "h906", "value": "{\"id\": ...}", "headers": [["trace", "7"]]}

Key, value and header values are bytes: a string if those are UTF-8, else `{"base64": "..."}`; null for none. A
record exists once its line feed is in the file: a line that a killed writer left unfinished is invisible to readers,
and the next writer removes it. Any number of processes may read while others append; a lock on the topic orders the
writers. `DIRECTORY/TOPIC/id` tells a topic from one that is made anew under its name.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from stream.errors import ConfigurationError, LogError, OffsetOutOfRange, TopicMadeAnew
from stream.log.partitioner import partition_for
from stream.log.protocol import Headers, Record

__all__ = [
    "EmbeddedTopic",
    "EmbeddedWriter",
    "PartitionReader",
    "append_durably",
    "decode_bytes",
    "encode_bytes",
    "encode_line",
]

_ID_FILE = "id"
_BLOCK_BYTES = 1 << 20
_SCAN_RECORDS = 1000
_PARTITION_FILE = re.compile(r"partition-(\d+)\.jsonl")


class EmbeddedTopic:
    """A topic's files. Opening one that was never created raises `LogError`."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._directory = directory / name
        found = (_PARTITION_FILE.fullmatch(path.name) for path in self._directory.glob("partition-*.jsonl"))
        self.partitions = sorted(int(match[1]) for match in found if match)
        if not self.partitions or self.partitions != list(range(len(self.partitions))):
            raise LogError(f"{self._directory} holds no topic. Create it with `stream topics --create`.")
        self.id = self._read_id()

    @classmethod
    def create(cls, directory: Path, name: str, partitions: int = 1) -> EmbeddedTopic:
        """Make the topic if it is not yet there, with empty partitions, and open it.

        Raises:
            ConfigurationError: it is there with another number of partitions, by which keys were distributed.
            LogError: the directory cannot be written.
        """
        place = directory / name
        with _file_errors(place):
            place.mkdir(parents=True, exist_ok=True)
        with _locked(place):
            present = len(list(place.glob("partition-*.jsonl")))
            if present not in (0, partitions):
                raise ConfigurationError(
                    f"{place} has {present} partitions, not {partitions}; keys would change theirs. Take another topic."
                )
            for partition in range(partitions):
                (place / f"partition-{partition}.jsonl").touch()
            if not present:
                (place / _ID_FILE).write_text(f"{uuid.uuid4()}\n", encoding="ascii")
        return cls(directory, name)

    def path(self, partition: int) -> Path:
        """Return the file of `partition`."""
        return self._directory / f"partition-{partition}.jsonl"

    def check(self) -> None:
        """Return only if this is still the topic that was opened.

        Raises:
            TopicMadeAnew: it was removed and made anew.
            LogError: it is gone.
        """
        if not self.path(0).exists():
            raise LogError(
                f"The topic {self._directory} was removed while this learner ran; what it learned up to its last "
                "checkpoint is kept. Restore it, or create it with `stream topics --create`: for a topic made anew "
                "checkpoint.lost_offsets says where the next start goes on."
            )
        now = self._read_id()
        if self.id is not None and now != self.id:
            raise TopicMadeAnew(
                f"The topic {self._directory} was removed and made anew while this learner ran (its id was {self.id} "
                f"and is {now}); what it learned up to its last checkpoint is kept. Where the next start goes on says "
                "checkpoint.lost_offsets."
            )

    def _read_id(self) -> str | None:
        try:
            return (self._directory / _ID_FILE).read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise LogError(f"{self._directory / _ID_FILE} cannot be read: {error}.") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer of this topic, in any process, out of the block."""
        with _locked(self._directory):
            yield

    def append(self, partition: int, lines: bytes) -> None:
        """Append finished lines durably; the caller holds `locked`. An unfinished last line is removed first.

        Raises `LogError` if the disk refuses; a line that it took in part is no record.
        """
        with self.path(partition).open("r+b") as file:
            end = _end_of_last_line(file.fileno())
            file.truncate(end)
            file.seek(end)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())


class EmbeddedWriter:
    """Appends records to a topic, gathered in memory until `flush` (or `flush_records` of them) makes them visible.

    Records go to the partition of their key as Kafka would choose it, in order. Timestamps are the moment of `send`.
    """

    def __init__(
        self, topic: EmbeddedTopic, flush_records: int = 1000, clock_seconds: Callable[[], float] = time.time
    ) -> None:
        self._topic = topic
        self._flush_records = flush_records
        self._clock_seconds = clock_seconds
        self._lines: dict[int, list[bytes]] = {}
        self._waiting = 0

    def send(self, key: bytes | None, value: bytes | None, headers: Headers = (), partition: int | None = None) -> None:
        """Add a record; it is in the log from the next flush on."""
        if partition is None:
            partition = partition_for(key, value, len(self._topic.partitions))
        line = encode_line(key, value, round(self._clock_seconds() * 1000), headers)
        self._lines.setdefault(partition, []).append(line)
        self._waiting += 1
        if self._waiting >= self._flush_records:
            self.flush()

    def flush(self) -> None:
        """Make everything sent so far durable and visible."""
        if self._waiting:
            with self._topic.locked():
                self.flush_locked()

    def flush_locked(self) -> None:
        """Do what `flush` does for a caller that holds the topic's lock."""
        for partition, lines in self._lines.items():
            self._topic.append(partition, b"".join(lines))
        self._lines.clear()
        self._waiting = 0


class PartitionReader:
    """Reads one partition's file by offset, and never anything but finished lines."""

    def __init__(self, topic: EmbeddedTopic, partition: int) -> None:
        self._topic = topic.name
        self._partition = partition
        self._path = topic.path(partition)
        try:
            self._file = os.open(self._path, os.O_RDONLY)
        except OSError as error:
            raise LogError(f"{self._path} cannot be read: {error.strerror}.") from error
        self._counted = (0, 0)  # (bytes, lines) up to which lines have been counted
        self._start = 0  # where the next record's line begins
        self._ahead: deque[bytes] = deque()  # finished lines from there on
        self.offset = 0

    def end(self) -> int:
        """Return the offset after the last finished line; raises `OffsetOutOfRange` if lines were cut off."""
        start, lines = self._counted
        if os.fstat(self._file).st_size < start:
            raise OffsetOutOfRange(
                f"{self._path} was cut to less than the {lines} records that it held. Restore it, or start again: "
                "checkpoint.lost_offsets says what to do about records that are not there any more."
            )
        for block in self._blocks(start):
            newest = block.rfind(b"\n") + 1
            lines += block.count(b"\n")
            if newest:
                self._counted = (start + newest, lines)
            start += len(block)
        return self._counted[1]

    def seek(self, offset: int) -> None:
        """Make `offset`, which must not lie beyond the end, the next one."""
        start, lines = (self._start, self.offset) if offset >= self.offset else (0, 0)
        for block in self._blocks(start):
            here = block.count(b"\n")
            if lines + here >= offset:
                position = -1
                for _ in range(offset - lines):
                    position = block.index(b"\n", position + 1)
                start += position + 1
                break
            start, lines = start + len(block), lines + here
        self._start, self.offset = start, offset
        self._ahead.clear()

    def read(self, max_records: int) -> list[Record]:
        """Return up to `max_records` records from the next offset on and move past them."""
        records: list[Record] = []
        while len(records) < max_records and (self._ahead or self._look_ahead()):
            line = self._ahead.popleft()
            records.append(self._record(line, self.offset))
            self._start += len(line) + 1
            self.offset += 1
        return records

    def first_at(self, timestamp_ms: int) -> int:
        """Return the first offset with a timestamp of `timestamp_ms` or later, else the end; the position stays."""
        here = self.offset
        self.seek(0)
        try:
            while records := self.read(_SCAN_RECORDS):
                for record in records:
                    if record.timestamp_ms is not None and record.timestamp_ms >= timestamp_ms:
                        return record.offset
            return self.offset
        finally:
            self.seek(here)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _look_ahead(self) -> bool:
        rest = b""
        for block in self._blocks(self._start):
            *lines, rest = (rest + block).split(b"\n")
            if lines:
                self._ahead.extend(lines)
                return True
        return False

    def _blocks(self, start: int) -> Iterator[bytes]:
        while block := os.pread(self._file, _BLOCK_BYTES, start):
            yield block
            start += len(block)

    def _record(self, line: bytes, offset: int) -> Record:
        try:
            entry: dict[str, Any] = orjson.loads(line)
            headers = tuple((name, decode_bytes(value) or b"") for name, value in entry.get("headers", ()))
            key, value = decode_bytes(entry["key"]), decode_bytes(entry["value"])
            return Record(self._topic, self._partition, offset, key, value, entry["timestamp_ms"], headers)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LogError(f"{self._path}, line {offset + 1}, is not a record of the embedded log: {error}.") from error


def encode_line(key: bytes | None, value: bytes | None, timestamp_ms: int | None, headers: Headers = ()) -> bytes:
    """Return the line, with its line feed, that holds this record."""
    entry: dict[str, Any] = {"timestamp_ms": timestamp_ms, "key": encode_bytes(key), "value": encode_bytes(value)}
    if headers:
        entry["headers"] = [[name, encode_bytes(content)] for name, content in headers]
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def encode_bytes(content: bytes | None) -> str | dict[str, str] | None:
    """Return any bytes as a JSON value: as they read, if they are UTF-8, so that people can read them too."""
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def decode_bytes(content: str | dict[str, str] | None) -> bytes | None:
    """Return the bytes that `encode_bytes` turned into this; a ValueError, KeyError or TypeError says it did not."""
    if content is None or isinstance(content, str):
        return content if content is None else content.encode()
    return base64.b64decode(content["base64"], validate=True)


def append_durably(path: Path, lines: bytes) -> None:
    """Append finished lines to a file that only its caller writes; raises `LogError` if the disk refuses."""
    with _file_errors(path), path.open("ab") as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def _end_of_last_line(file: int) -> int:
    """Return the number of bytes up to and including the last line feed."""
    end = os.fstat(file).st_size
    while end:
        start = max(0, end - _BLOCK_BYTES)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with _file_errors(directory), (directory / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _file_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LogError(f"{directory} cannot be written: {error}. Make room, or see the path and its rights.") from error
