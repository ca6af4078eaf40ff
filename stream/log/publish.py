"""Publishing a schema version under the next number, so that of two publishers neither spoils the other's.

On Kafka every publisher of a topic shares one transactional id. Who starts (`init_transactions`) aborts what another
has not committed yet and fences it; what was committed is then visible. So between reading the topic's end and
committing the next number no other publisher can commit, and the loser leaves no record behind that learners would
reject: it reads again and takes the number after. Somebody who writes to the topic without this protocol can still come
first; that is found by reading back, and tried again. The embedded log has a lock in place of all this.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from stream.errors import ConfigurationError, Fenced, LogError
from stream.log.connection import Connection
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.embedded_source import EmbeddedSchemaSource
from stream.log.kafka_schema import KafkaSchemaSource
from stream.log.schema_history import SchemaHistory
from stream.log.topics import largest_record_bytes
from stream.log.transaction import Outgoing, TransactionalProducer
from stream.schema import Change, Version, version_to_json
from stream.schema.version import MAX_AHEAD_MS

__all__ = ["next_version", "publish_embedded", "publish_kafka", "read_embedded", "read_kafka"]

Make = Callable[[SchemaHistory], Version]

_LARGEST_VERSION_BYTES = 1 << 20
_ATTEMPTS = 20
_LOOK_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.5


def next_version(
    history: SchemaHistory,
    changes: Sequence[Change],
    ts: int | None,
    author: str | None = None,
    comment: str | None = None,
) -> Version:
    """Return the version that follows, checked against the schema; `ts` None takes the last version's `ts`.

    Raises:
        SchemaRejected: a learner would reject it.
        ConfigurationError: there is no last version to take the `ts` of.
    """
    if ts is None:
        if not history.applied:
            raise ConfigurationError("No version is there yet whose ts could be taken; give one with --ts.")
        ts = history.applied[-1].version.ts
    version = Version.of(history.schema.version + 1, ts, changes, author, comment)
    history.schema.check(version)
    return version


def read_kafka(connection: Connection, topic: str, beyond: int = -1, max_ahead_ms: int = MAX_AHEAD_MS) -> SchemaHistory:
    """Return what is committed to the topic now, or once readers can see the record at offset `beyond`.

    `max_ahead_ms` is how far learners let a version's `ts` lie ahead of its record's timestamp.

    A commit that has returned is decided, but readers see it only when its marker is written, some milliseconds later.

    Raises:
        LogError: the topic is not there, or not readable so far within the settings' `request_seconds`.
    """
    deadline = time.monotonic() + connection.settings.request_seconds
    with closing(KafkaSchemaSource(connection, topic)) as source:
        while source.end_offset() <= beyond:
            if time.monotonic() > deadline:
                raise LogError(
                    f"Topic {topic} at {connection.where}: offset {beyond} is committed but does not appear."
                )
            time.sleep(_LOOK_SECONDS)
        return SchemaHistory.of(source.read_to_end(connection.settings.request_seconds), max_ahead_ms)


def read_embedded(directory: Path, topic: str) -> SchemaHistory:
    """Return what is in the topic of an embedded log now."""
    with closing(EmbeddedSchemaSource(directory, topic)) as source:
        return SchemaHistory.of(source.read_to_end(0))


def publish_kafka(connection: Connection, topic: str, make: Make, max_ahead_ms: int = MAX_AHEAD_MS) -> Version:
    """Publish what `make` says to the history as it is, and say it again if another publisher came first.

    On return every reader can see the version: interactions that need it may be produced.

    `make` returns the next version or raises why there can be none; it may be called several times.

    Raises:
        LogError: Kafka refused or did not answer, or others came first again and again.
    """
    where = f"The schema topic {topic} at {connection.where}"
    largest = largest_record_bytes(connection, (topic,)).get(topic, _LARGEST_VERSION_BYTES)
    for _ in range(_ATTEMPTS):
        producer = TransactionalProducer(connection, f"stream-schema-{topic}", where, largest)
        try:
            producer.start()
            version = make(read_kafka(connection, topic, max_ahead_ms=max_ahead_ms))
            (offset,) = producer.transact([Outgoing(topic, None, version_to_json(version))])
        except Fenced:
            time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))
            continue
        finally:
            producer.close()
        history = read_kafka(connection, topic, offset, max_ahead_ms)
        if history.holder_of(offset) is not None or version in (applied.version for applied in history.applied):
            return version
    raise LogError(f"{where}: {_ATTEMPTS} times somebody else came first. Nothing was published; try again later.")


def publish_embedded(directory: Path, topic: str, make: Make) -> Version:
    """Do what `publish_kafka` does, on an embedded log."""
    opened = EmbeddedTopic(directory, topic)
    writer = EmbeddedWriter(opened)
    with opened.locked():
        version = make(read_embedded(directory, topic))
        writer.send(None, version_to_json(version))
        writer.flush_locked()
    return version
