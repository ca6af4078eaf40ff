"""Where the demo's records lie: a real Apache Kafka if one can be had, else the embedded log; with fresh topics."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stream.errors import BrokerUnavailable

__all__ = ["BROKERS", "Place", "open_place"]

BROKERS = ("auto", "kafka", "embedded")
PARTITIONS = 4


@dataclass(frozen=True)
class Place:
    """A log with the demo's topics, empty.

    Attributes:
        name: what it is, for people.
        assignments: the settings, as `--set` takes them, by which learner and producer find it.
    """

    name: str
    assignments: tuple[str, ...]


@contextmanager
def open_place(
    broker: str, bootstrap_servers: str | None, directory: Path, say: Callable[[str], None]
) -> Iterator[Place]:
    """Open a log with fresh topics for the block; a broker that was started for it ends with the block.

    Args:
        broker: one of `BROKERS`; "auto" takes the embedded log, and says why, if no Kafka can be had.
        bootstrap_servers: a Kafka that runs already (HOST:PORT), instead of one of our own; None for none.
        directory: where the embedded log goes; what an earlier demo left there is removed.
        say: told, in sentences, what takes its time.

    Raises:
        BrokerUnavailable: there is no Kafka, and "auto" was not asked for or a certain one was.
    """
    if broker == "embedded":
        yield _embedded(directory)
        return
    if bootstrap_servers is not None:
        yield _kafka(bootstrap_servers, f"the Kafka at {bootstrap_servers}")
        return
    from stream.broker import LocalBroker

    told = False

    def downloading(done: int, total: int) -> None:
        nonlocal told
        if not told:
            say(f"Fetching Apache Kafka, {total} files, into the user's cache; this happens once.")
            told = True

    say("Starting Apache Kafka.")
    local = LocalBroker(progress=downloading)
    try:
        local.start()
    except BrokerUnavailable as error:
        if broker == "kafka":
            raise
        say(f"No Apache Kafka can be had here, so the embedded log stands in for it: {error}")
        yield _embedded(directory)
        return
    try:
        yield _kafka(local.bootstrap_servers, f"Apache Kafka {local.version} at {local.bootstrap_servers}")
    finally:
        local.stop()


def _embedded(directory: Path) -> Place:
    from stream.log.embedded import EmbeddedTopic
    from stream.log.settings import TopicSettings

    shutil.rmtree(directory, ignore_errors=True)
    topics = TopicSettings()
    EmbeddedTopic.create(directory, topics.interactions, PARTITIONS)
    EmbeddedTopic.create(directory, topics.schema)
    return Place(f"the embedded log in {directory}", (f"log.directory={directory}",))


def _kafka(bootstrap_servers: str, name: str) -> Place:
    """Make topics that no earlier demo has written to, because the Kafka may be anybody's."""
    from stream.log.connection import Connection
    from stream.log.settings import KafkaSettings, TopicSettings
    from stream.log.topics import create_topics, wanted_topics

    run = f"demo-{time.time_ns() // 1_000_000}"
    topics = TopicSettings(f"{run}-interactions", f"{run}-feature-schema", f"{run}-dead-letters")
    servers = tuple(server.strip() for server in bootstrap_servers.split(","))
    create_topics(Connection(KafkaSettings(bootstrap_servers=servers)), wanted_topics(topics, PARTITIONS))
    return Place(
        name,
        (
            f"kafka.bootstrap_servers={','.join(servers)}",
            "log.directory=",
            f"name={run}",
            f"topics.interactions={topics.interactions}",
            f"topics.schema={topics.schema}",
            f"topics.dead_letters={topics.dead_letters}",
        ),
    )
