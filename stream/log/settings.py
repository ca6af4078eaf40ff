"""The settings of the log: which topics, which Kafka, or which directory in place of Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from stream.settings.fields import Section, setting

__all__ = ["KafkaSettings", "LogSettings", "TopicSettings"]

OURS = {
    "acks",
    "auto_offset_reset",
    "bootstrap_servers",
    "consumer_timeout_ms",
    "enable_auto_commit",
    "enable_idempotence",
    "group_id",
    "group_instance_id",
    "isolation_level",
    "key_deserializer",
    "key_serializer",
    "partitioner",
    "transactional_id",
    "value_deserializer",
    "value_serializer",
}
"""Options of kafka-python on which exactly-once and the order of events rest."""


SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


@dataclass(frozen=True)
class TopicSettings(Section):
    """The names of the topics, on Kafka and in the embedded log alike."""

    prefix: ClassVar[str] = "topics"
    interactions: str = setting("interactions", "The topic of the interactions; any number of partitions.")
    schema: str = setting("feature-schema", "The topic of the schema versions; one partition, kept for ever.")
    dead_letters: str = setting("dead-letters", "The topic to which records go that cannot be used (Kafka only).")


@dataclass(frozen=True)
class KafkaSettings(Section):
    """Where Kafka is and how to talk to it."""

    prefix: ClassVar[str] = "kafka"
    bootstrap_servers: tuple[str, ...] = setting(
        ("127.0.0.1:9092",), "Brokers to ask first, as HOST:PORT; the others are learnt from them."
    )
    commit_seconds: float = setting(
        60.0, "How long a checkpoint's transaction may take before the process gives up and leaves.", above=0
    )
    patience_seconds: float = setting(
        600.0,
        "How long brokers may be away before a running learner gives up and leaves; it waits with the model in memory.",
        minimum=0,
    )
    request_seconds: float = setting(
        30.0, "How long a single question to Kafka (an offset, a topic) may take.", above=0, maximum=500
    )
    options: Mapping[str, object] = setting(
        {},
        "Any option of kafka-python's consumer, producer or admin client, TLS and SASL among them: security_protocol, "
        "ssl_cafile, sasl_mechanism, fetch_max_bytes, ... Each client takes those that it knows.",
    )

    def check(self) -> None:
        """Refuse a list of no brokers, and options that would break exactly-once or drop the encryption."""
        if not self.bootstrap_servers:
            raise self.wrong("bootstrap_servers", "names no broker", "Name one, as in 127.0.0.1:9092.")
        protocol = self.options.get("security_protocol", "PLAINTEXT")
        if protocol not in SECURITY_PROTOCOLS:  # kafka-python would take any other word for PLAINTEXT
            raise self.wrong(
                "options", f"has the security_protocol {protocol}", f"Use one of {', '.join(SECURITY_PROTOCOLS)}."
            )
        if ours := sorted(OURS & self.options.keys()):
            raise self.wrong("options", f"sets {', '.join(ours)}", "Leave that to stream, which relies on it.")


@dataclass(frozen=True)
class LogSettings(Section):
    """The embedded log, which stands in for Kafka if there is none."""

    prefix: ClassVar[str] = "log"
    directory: str = setting("", "The directory of the embedded log to read in place of Kafka; empty for Kafka.")
