"""The demo's producer: a process of its own that replays the files, each version before the events that need it.

``python -m stream.demo.producer INTERACTIONS SCHEMA KEY=VALUE...`` with the settings that say where the log is. It
stops by itself when its parent has gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import orjson

from stream.errors import LogError
from stream.settings.load import load
from stream.settings.root import Settings

__all__ = ["main", "producing", "replay_order"]

_STOP_SECONDS = 10.0
_LOOK_AT_PARENT_EVENTS = 1000


class _Sink(Protocol):
    def interaction(self, key: bytes, value: bytes) -> None: ...

    def version(self, value: bytes) -> None:
        """Publish it; on return it and all before it are in the log."""

    def close(self) -> None: ...


def replay_order(interactions: Path, schema: Path) -> Iterator[tuple[bool, bytes]]:
    """Yield (is it a version, line) of both files, which are sorted by time: versions first at equal times."""
    versions = [line for line in schema.read_bytes().splitlines() if line]
    due = [orjson.loads(line)["ts"] for line in versions]
    sent = 0
    with interactions.open("rb") as file:
        for line in file:
            time_ms = orjson.loads(line)["ts"]
            while sent < len(versions) and due[sent] <= time_ms:
                yield True, versions[sent]
                sent += 1
            yield False, line.rstrip(b"\n")


@contextmanager
def producing(interactions: Path, schema: Path, assignments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the producer process for the block; at its end the process, if it still runs, is stopped."""
    command = [sys.executable, "-m", __name__, str(interactions), str(schema), *assignments]
    # A session of its own: Ctrl-C is for the learner, which leaves in order; then this process is stopped by its id.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
        child.wait()


def main(arguments: Sequence[str]) -> int:
    """Replay the files into the log that the settings name; returns 0 once all of it is there."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    interactions, schema, *assignments = arguments
    settings = load(Settings, None, os.environ, assignments)
    parent = os.getppid()
    with contextlib.closing(_sink(settings)) as sink:
        for number, (is_version, line) in enumerate(replay_order(Path(interactions), Path(schema))):
            if is_version:
                sink.version(line)
            else:
                sink.interaction(orjson.loads(line)["key"].encode(), line)
            if number % _LOOK_AT_PARENT_EVENTS == 0 and os.getppid() != parent:
                raise LogError("Whoever started this producer has gone; it stops.")
    return 0


def _sink(settings: Settings) -> _Sink:
    return _EmbeddedSink(settings) if settings.log.directory else _KafkaSink(settings)


class _EmbeddedSink:
    def __init__(self, settings: Settings) -> None:
        from stream.log.embedded import EmbeddedTopic, EmbeddedWriter

        directory = Path(settings.log.directory)
        self._interactions = EmbeddedWriter(EmbeddedTopic(directory, settings.topics.interactions))
        self._versions = EmbeddedWriter(EmbeddedTopic(directory, settings.topics.schema))

    def interaction(self, key: bytes, value: bytes) -> None:
        self._interactions.send(key, value)

    def version(self, value: bytes) -> None:
        self._interactions.flush()
        self._versions.send(None, value)
        self._versions.flush()

    def close(self) -> None:
        self._interactions.flush()


class _KafkaSink:
    def __init__(self, settings: Settings) -> None:
        from stream.log.connection import Connection

        self._topics = settings.topics
        self._seconds = settings.kafka.request_seconds
        self._producer = Connection(settings.kafka).producer(linger_ms=20)
        self._failed: list[BaseException] = []

    def interaction(self, key: bytes, value: bytes) -> None:
        self._producer.send(self._topics.interactions, key=key, value=value).add_errback(self._failed.append)
        self._check()

    def version(self, value: bytes) -> None:
        self._flush()
        self._producer.send(self._topics.schema, value=value).get(self._seconds)

    def close(self) -> None:
        self._flush()
        self._producer.close()

    def _flush(self) -> None:
        self._producer.flush(self._seconds)
        self._check()

    def _check(self) -> None:
        if self._failed:
            raise LogError(f"A record did not reach Kafka: {self._failed[0]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
