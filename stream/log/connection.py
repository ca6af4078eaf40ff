"""Kafka clients as this package needs them: our options fixed, the user's passed through, errors of our own tree."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import (
    AuthorizationError,
    IncompatibleBrokerVersion,
    KafkaConfigurationError,
    KafkaError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)

from stream.errors import BrokerUnavailable, ConfigurationError, LogError, OffsetOutOfRange
from stream.log.access import require_access, require_sound_options
from stream.log.settings import KafkaSettings

__all__ = ["Connection", "kafka_errors"]

_CLIENTS = (KafkaConsumer, KafkaProducer, KafkaAdminClient)
_RACK_PREFIX = "apache-kafka-"

_CONSUMER: Mapping[str, object] = {
    # Larger fetches than kafka-python's: 1.2 times the events a second against a real broker.
    "max_partition_fetch_bytes": 8 << 20,
    "max_poll_records": 5000,
    # How soon a new partition is noticed; kafka-python's five minutes are long if keys have moved to it.
    "metadata_max_age_ms": 30_000,
}


@dataclass(frozen=True)
class Connection:
    """Makes the clients for one cluster. Nothing connects before a client is asked for."""

    settings: KafkaSettings = field(default_factory=KafkaSettings)
    _entered: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)
    """Not empty once a broker has let us in."""

    def __post_init__(self) -> None:
        known = set().union(*(client.DEFAULT_CONFIG for client in _CLIENTS))
        if unknown := sorted(self.settings.options.keys() - known):
            raise ConfigurationError(f"kafka.options has {', '.join(unknown)}, which no client of kafka-python knows.")
        require_sound_options(self.settings.options)

    @property
    def where(self) -> str:
        """The brokers asked first, for messages."""
        return ", ".join(self.settings.bootstrap_servers)

    @property
    def request_ms(self) -> int:
        """The bound of a single question, in milliseconds."""
        return round(self.settings.request_seconds * 1000)

    @property
    def largest_request_bytes(self) -> int | None:
        """The largest record that a producer sends; None if the options leave that to us."""
        found = self.settings.options.get("max_request_size")
        return found if isinstance(found, int) else None

    def consumer(self, group: str | None = None, committed_only: bool = True) -> Any:
        """Return a KafkaConsumer that reads committed records only, commits nothing by itself and resets no offset.

        `group` names the group whose committed offsets it can be asked for; it never joins one. Without
        `committed_only` those are the ones from before a transaction that has not ended, instead of an error.
        """
        fixed = {
            "group_id": group,
            "isolation_level": "read_committed" if committed_only else "read_uncommitted",
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "allow_auto_create_topics": False,
        }
        return self._client(KafkaConsumer, **{**_CONSUMER, **self.settings.options, **fixed})

    def producer(
        self, transactional_id: str | None = None, most_batch_bytes: int | None = None, **defaults: object
    ) -> Any:
        """Return an idempotent KafkaProducer, transactional under an id if given; `defaults` yield to the options.

        `most_batch_bytes` bounds its batches, whatever the options say: a topic refuses one that is larger than a
        record may be, and kafka-python (3.0.12) does not get over that in a transaction.
        """
        fixed = {"transactional_id": transactional_id, "enable_idempotence": True, "allow_auto_create_topics": False}
        options = {"max_block_ms": self.request_ms, **defaults, **self.settings.options, **fixed}
        if most_batch_bytes is not None:
            batch_bytes: Any = options.get("batch_size", KafkaProducer.DEFAULT_CONFIG["batch_size"])
            options["batch_size"] = min(batch_bytes, most_batch_bytes)
        return self._client(KafkaProducer, **options)

    def admin(self) -> Any:
        """Return a KafkaAdminClient, which waits for an answer as long as anything here may."""
        settings = self.settings
        bound_ms = round(min(settings.request_seconds, settings.commit_seconds) * 1000)
        return self._client(KafkaAdminClient, **{"request_timeout_ms": bound_ms, **settings.options})

    @contextmanager
    def administering(self) -> Iterator[Any]:
        """Open an admin client for the block; its errors come out as this package's."""
        with kafka_errors(f"Kafka at {self.where}"):
            admin = self.admin()
            try:
                yield admin
            finally:
                admin.close()

    def partition_count(self, topic: str) -> int:
        """Return how many partitions `topic` has; raises `LogError` if there is no such topic."""
        with self.administering() as admin:
            (described,) = admin.describe_topics([topic])
        if described["error_code"]:
            raise LogError(
                f"Topic {topic} at {self.where} does not exist. "
                "Create it with `stream topics --create`, or see the ACLs."
            )
        return len(described["partitions"])

    def source_name(self) -> str:
        """Return "apache-kafka 4.3.0" if its release is told, as by `stream broker`, else "apache-kafka".

        The protocol has no request for the release, and inferring one from the versions of the requests that a broker
        knows cannot tell 4.3.0 from 4.3.1.
        """
        with self.administering() as admin:
            racks = {broker.get("rack") or "" for broker in admin.describe_cluster()["brokers"]}
        if len(racks) == 1 and (rack := racks.pop()).startswith(_RACK_PREFIX):
            return f"apache-kafka {rack.removeprefix(_RACK_PREFIX)}"
        return "apache-kafka"

    def _client(self, kind: Any, **options: Any) -> Any:
        known = {key: value for key, value in options.items() if key in kind.DEFAULT_CONFIG}
        known.setdefault("bootstrap_timeout_ms", self.request_ms)
        if not self._entered:
            require_access(self.settings.bootstrap_servers, self.settings.options, self.settings.request_seconds)
            self._entered.append(True)
        try:
            return kind(bootstrap_servers=list(self.settings.bootstrap_servers), **known)
        except (KafkaConfigurationError, ValueError, TypeError, AssertionError) as error:
            raise ConfigurationError(f"kafka-python refuses the options in kafka.options: {error}") from error
        except KafkaError as error:
            raise translated(error, f"Kafka at {self.where}") from error


@contextmanager
def kafka_errors(where: str) -> Iterator[None]:
    """Turn every error of kafka-python inside the block into this package's; `where` begins its message."""
    try:
        yield
    except KafkaError as error:
        raise translated(error, where) from error


def translated(error: KafkaError, where: str) -> LogError | ConfigurationError:
    """Return the error of our tree that says what to do about kafka-python's `error`."""
    refused = (AuthorizationError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError)
    if isinstance(error, refused):
        return ConfigurationError(f"{where}: access was refused ({error}). Check kafka.options and the ACLs.")
    if isinstance(error, OffsetOutOfRangeError):
        return OffsetOutOfRange(f"{where}: {error}; retention has deleted what was to be read next.")
    if isinstance(error, UnknownTopicOrPartitionError):
        return LogError(
            f"{where}: the topic or partition does not exist. Create it with `stream topics --create`, or see the ACLs."
        )
    if isinstance(error, IncompatibleBrokerVersion):
        return ConfigurationError(f"{where}: this broker is too old ({error}). Transactions need Kafka 2.5 or newer.")
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        return LogError(
            f"{where}: a record is larger than the topic or the producer takes ({error}). Send smaller ones, or raise "
            "max.message.bytes of the topic (and max_request_size, where kafka.options sets it)."
        )
    if error.retriable:
        return BrokerUnavailable(f"{where} did not answer in time ({error}). Is it running, and is the address right?")
    return LogError(f"{where}: {inspect.cleandoc(str(error))}")
