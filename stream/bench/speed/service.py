"""The whole service over a log, embedded or Kafka's, and what bounds it: a raw poll of the same topic."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from stream.bench.speed.workload import Workload
from stream.learner.core import LearnerCore
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.observe import Observer
from stream.service import endpoints
from stream.service.start import open_service
from stream.settings.root import Settings
from stream.state import Tree

__all__ = ["embedded_log", "from_embedded", "from_kafka", "kafka_topic", "raw_poll"]


def from_embedded(workload: Workload, log: Path, checkpoints: Path, name: str) -> float:
    """Return the seconds of a service from the first event of an embedded log to the last checkpoint."""
    own = dataclasses.replace(workload.settings, name=name)
    return _serve(_with(own, checkpoints, log={"directory": str(log)}))


def from_kafka(workload: Workload, servers: str, checkpoints: Path, name: str) -> float:
    """Return the same of a Kafka topic."""
    own = dataclasses.replace(workload.settings, name=name)
    return _serve(_with(own, checkpoints, kafka={"bootstrap_servers": (servers,)}))


def embedded_log(workload: Workload, lines: list[bytes], log: Path) -> None:
    """Write a workload into an embedded log."""
    topics = workload.settings.topics
    interactions = EmbeddedTopic.create(log, topics.interactions)
    schema = EmbeddedTopic.create(log, topics.schema)
    writer, versions = EmbeddedWriter(interactions), EmbeddedWriter(schema)
    for line in workload.schema.read_bytes().splitlines():
        versions.send(None, line)
    for line in lines:
        writer.send(None, line)
    versions.flush()
    writer.flush()


def _with(settings: Settings, checkpoints: Path, **sections: dict[str, Any]) -> Settings:
    changed = {name: dataclasses.replace(getattr(settings, name), **values) for name, values in sections.items()}
    changed["checkpoint"] = dataclasses.replace(settings.checkpoint, directory=str(checkpoints))
    return dataclasses.replace(settings, idle_seconds=0.2, **changed)


def _serve(settings: Settings) -> float:
    """Run the whole service to the end of its log; the seconds are those of its own summary less the idle wait."""

    def learner(tree: Tree | None) -> LearnerCore:
        assert tree is None, "a benchmark begins anew"
        return LearnerCore(settings)

    with endpoints.live(settings) as opened:
        summary = open_service(opened, settings, learner, Observer(), stop_at_end=True).run()
    return float(summary["seconds"]) - settings.idle_seconds


@contextmanager
def kafka_topic(workload: Workload, lines: list[bytes]) -> Iterator[str]:
    """Start a broker and send the workload to it, in one partition."""
    from stream.broker import LocalBroker
    from stream.log.connection import Connection
    from stream.log.settings import KafkaSettings
    from stream.log.topics import create_topics, wanted_topics

    with LocalBroker() as broker:
        connection = Connection(KafkaSettings(bootstrap_servers=(broker.bootstrap_servers,)))
        topics = workload.settings.topics
        create_topics(connection, wanted_topics(topics, 1))
        with closing(connection.producer(linger_ms=20, batch_size=256 << 10, compression_type="lz4")) as producer:
            for line in workload.schema.read_bytes().splitlines():
                producer.send(topics.schema, value=line)
            for line in lines:
                producer.send(topics.interactions, value=line, partition=0)
            producer.flush()
        yield broker.bootstrap_servers


def raw_poll(servers: str, events: int) -> float:
    """Return the seconds that kafka-python alone takes to poll so many events."""
    from kafka import TopicPartition

    from stream.log.connection import Connection
    from stream.log.settings import KafkaSettings, TopicSettings

    connection = Connection(KafkaSettings(bootstrap_servers=(servers,)))
    with closing(connection.consumer()) as consumer:
        partition = TopicPartition(TopicSettings().interactions, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        seen, started = 0, time.perf_counter()
        while seen < events:
            seen += sum(map(len, consumer.poll(timeout_ms=1000).values()))
        return time.perf_counter() - started
