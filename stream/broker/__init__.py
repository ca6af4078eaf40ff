"""A real Apache Kafka on this machine, from Python packages alone: for the demo, for tests and to try things out."""

from stream.broker.jars import KAFKA_VERSION
from stream.broker.local import LocalBroker

__all__ = ["KAFKA_VERSION", "LocalBroker"]
