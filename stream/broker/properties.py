"""What a one-node broker on loopback is configured with, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stream.broker.jars import KAFKA_VERSION

__all__ = ["RACK", "broker_properties"]

RACK = f"apache-kafka-{KAFKA_VERSION}"
"""The node's rack. Kafka's protocol tells a client no release number, but it does tell the rack, for which a single
node has no other use: so a learner's summary can name the release that it reads from (`stream.log.connection`)."""

_FIXED = {
    # One node is broker and controller, and every internal topic has its one replica here.
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "broker.rack": RACK,
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # Start fast, answer fast, stay small.
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "controlled.shutdown.enable": "false",
    # A misspelt topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    # A learner that rests for longer than the default week must find its commit again.
    "offsets.retention.minutes": "525600",
    "transactional.id.expiration.ms": "2147483647",
}


def broker_properties(
    port: int, controller_port: int, data_directory: Path, further: Mapping[str, str] | None = None
) -> str:
    """Return the text of `server.properties` for a node that listens on these two ports of 127.0.0.1.

    `further` adds properties, and replaces ours; `{port}` and `{controller_port}` in them stand for the ports.
    """
    own = {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "log.dirs": str(data_directory).replace("\\", "\\\\"),
    }
    for key, value in (further or {}).items():
        own[key] = value.replace("{port}", str(port)).replace("{controller_port}", str(controller_port))
    return "".join(f"{key}={value}\n" for key, value in {**_FIXED, **own}.items())
