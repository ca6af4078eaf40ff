"""A real Kafka of three nodes, each of which can be killed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from stream.broker import LocalBroker
from stream.log.connection import Connection
from stream.log.settings import KafkaSettings

NODES = 3
CLUSTER = "c3RyZWFtLXRlc3RzLTMtMQ"


class ThreeNodes:
    """The nodes by id, and what it takes to kill one."""

    def __init__(self, nodes: dict[int, LocalBroker]) -> None:
        self._nodes = nodes

    @property
    def settings(self) -> KafkaSettings:
        """Settings of a client that asks any of them first."""
        return KafkaSettings(tuple(node.bootstrap_servers for node in self._nodes.values()))

    def kill(self, node: int) -> None:
        """End a node at once, as a SIGKILL does; its data stay with it."""
        guard = self._nodes.pop(node)._running
        guard.kill()  # the JVM dies with its guard
        guard.wait()

    def leader_of(self, topic: str) -> int:
        """Return the node that leads partition 0 of a topic."""
        with Connection(self.settings).administering() as admin:
            (described,) = admin.describe_topics([topic])
        return int(described["partitions"][0]["leader_id"])


@contextmanager
def three_nodes() -> Iterator[ThreeNodes]:
    """Run them while the block runs; a quorum of two is enough for everything."""
    ports = [(_free_port(), _free_port()) for _ in range(NODES)]
    voters = ",".join(f"{number}@127.0.0.1:{controller}" for number, (_, controller) in enumerate(ports, 1))
    nodes = {
        number: LocalBroker(
            port,
            properties={
                "node.id": str(number),
                "broker.rack": "",
                "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
                "controller.quorum.voters": voters,
                "controller.quorum.bootstrap.servers": "",
                "offsets.topic.replication.factor": "3",
                "transaction.state.log.replication.factor": "3",
                "transaction.state.log.min.isr": "2",
                "min.insync.replicas": "2",
                "broker.session.timeout.ms": "3000",
                "broker.heartbeat.interval.ms": "500",
                "controller.quorum.election.timeout.ms": "500",
                "controller.quorum.fetch.timeout.ms": "1000",
            },
            format_arguments=(),
            cluster_id=CLUSTER,
        )
        for number, (port, controller) in enumerate(ports, 1)
    }
    with ThreadPoolExecutor(NODES) as together:
        try:
            list(together.map(LocalBroker.start, nodes.values()))  # one alone has no quorum and does not come up
            yield ThreeNodes(dict(nodes))
        finally:
            list(together.map(LocalBroker.stop, nodes.values()))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
