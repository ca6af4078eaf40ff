"""Kafka transactions whose every wait is bounded, and whose errors say whether somebody newer took over.

`TransactionalProducer.start` under a transactional id raises that id's epoch at Kafka's transaction coordinator: a
transaction that an earlier holder left open is aborted, one that it was committing is completed, and whatever it sends
from then on is refused (KIP-98, KIP-360).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import TopicPartition
from kafka.errors import (
    AuthorizationError,
    InvalidProducerEpochError,
    KafkaError,
    ProducerFencedError,
    SaslAuthenticationFailedError,
)
from kafka.structs import OffsetAndMetadata

from stream.errors import BrokerUnavailable, Fenced
from stream.log.connection import Connection, translated
from stream.log.protocol import Headers

__all__ = ["Outgoing", "TransactionalProducer"]

T = TypeVar("T")

_log = logging.getLogger("stream.log")

_FENCING = (ProducerFencedError, InvalidProducerEpochError)
_PAUSE_SECONDS = 0.5
_LONGEST_TIMEOUT_MS = 900_000
"""Kafka's own bound (`transaction.max.timeout.ms`), unless a broker sets another."""
_NODE_MS = 5_000
"""How long a node may take to let the producer in before its coordinator is looked up again."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be sent. One without key and value is sent with an empty key, because kafka-python sends no other."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class TransactionalProducer:
    """A producer under a transactional id.

    Every method raises `Fenced` if a newer holder of the id has started, `BrokerUnavailable` if it takes longer
    than the settings' `commit_seconds`, and `LogError` where Kafka refuses.

    Args:
        connection: the cluster.
        transactional_id: the id, which one producer at a time can use.
        where: what this is, for messages.
        max_request_bytes: the largest record.
        most_batch_bytes: the largest batch of records; as large as a record by default.
    """

    def __init__(
        self,
        connection: Connection,
        transactional_id: str,
        where: str,
        max_request_bytes: int = 1 << 20,
        most_batch_bytes: int | None = None,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._where = where
        self._seconds = connection.settings.commit_seconds
        self._monotonic_seconds = monotonic_seconds
        self._producer = connection.producer(
            transactional_id,
            max_request_bytes if most_batch_bytes is None else most_batch_bytes,
            max_request_size=max_request_bytes,
            max_block_ms=round(self._seconds * 1000),
            transaction_timeout_ms=_timeout_ms(self._seconds),
        )
        _let_a_lost_coordinator_be_looked_up(self._producer)

    def start(self) -> None:
        """Take the id over from every earlier holder."""
        self._bounded(self._producer.init_transactions)

    def transact(
        self,
        records: Sequence[Outgoing],
        group: str | None = None,
        offsets: Mapping[TopicPartition, OffsetAndMetadata] | None = None,
        one_by_one: bool = False,
    ) -> list[int]:
        """Commit records, and a group's offsets if given, all or nothing; return the offset of each record.

        With `one_by_one` each record is a batch of its own, for a topic that takes no batches as large as usual.
        """
        return self._bounded(lambda: self._transact(records, group, offsets, one_by_one))

    def close(self) -> None:
        """Close the connections. What was to be kept is in committed transactions, so nothing is waited for."""
        with contextlib.suppress(KafkaError):
            self._producer.close(timeout=1)

    def _transact(
        self,
        records: Sequence[Outgoing],
        group: str | None,
        offsets: Mapping[TopicPartition, OffsetAndMetadata] | None,
        one_by_one: bool,
    ) -> list[int]:
        """Run one transaction to its end: kafka-python retries what may pass, what it calls abortable starts anew."""
        deadline = self._monotonic_seconds() + self._seconds
        while True:
            try:
                self._producer.begin_transaction()
                sent_at = self._send(records, one_by_one)
                if offsets is not None:
                    self._producer.send_offsets_to_transaction(dict(offsets), group)
                self._producer.commit_transaction()
            except KafkaError as error:
                self._abort(error)
                if self._monotonic_seconds() > deadline or not error.retriable:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return sent_at

    def _send(self, records: Sequence[Outgoing], one_by_one: bool) -> list[int]:
        """Send inside the open transaction, and be sure of it: not every failed send fails kafka-python's commit."""
        futures = []
        for record in records:
            key = b"" if record.key is None and record.value is None else record.key
            futures.append(self._producer.send(record.topic, record.value, key, list(record.headers), record.partition))
            if one_by_one:
                self._producer.flush(timeout=self._seconds)
        if futures:
            self._producer.flush(timeout=self._seconds)
        return [future.get(timeout=self._seconds).offset for future in futures]

    def _abort(self, error: KafkaError) -> None:
        """Abort after `error`, or raise what says that nothing can be sent under this id any more."""
        if _fenced(error):
            raise error
        try:
            self._producer.abort_transaction()
        except KafkaError as fatal:
            raise (fatal if _fenced(fatal) else error) from None

    def _bounded(self, call: Callable[[], T]) -> T:
        """Run `call` for at most `commit_seconds`: kafka-python itself waits for a lost coordinator for ever.

        A call that is given up stays behind in a daemon thread; the caller has to leave, and a next start settles it.
        """
        results: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(call())
            except BaseException as error:  # it is raised again below, in the caller's thread
                errors.append(error)

        thread = threading.Thread(target=run, name="stream-transaction", daemon=True)
        thread.start()
        thread.join(self._seconds + 1)
        if results:
            return results[0]
        if not errors:
            raise BrokerUnavailable(
                f"{self._where} was not reached within {self._seconds:g} s. Whether the last transaction counts is "
                "found at the next start."
            )
        error = errors[0]
        if not isinstance(error, KafkaError):
            raise error
        if _fenced(error):
            raise Fenced(f"{self._where}: a newer process of the same name took over. This one stops.") from error
        raise translated(error, self._where) from error


def _timeout_ms(commit_seconds: float) -> int:
    """Return after how long Kafka itself ends an open transaction: later than this process gives it up.

    It then refuses the producer as if a newer one had the id. A learner that waits for a broker, or whose process was
    stopped for a while, would leave as fenced by a successor that is not there, and nothing would start it again.
    """
    return min(_LONGEST_TIMEOUT_MS, round(2000 * commit_seconds) + 60_000)


def _let_a_lost_coordinator_be_looked_up(producer: Any) -> None:
    """Let the producer find the new coordinator if the node of the old one is gone.

    In kafka-python 3.0.12 (producer/sender.py, `_maybe_send_transactional_request`) a connection that is refused raises
    in `await_ready`; the request that was to be sent is then neither sent nor kept for a retry, and the transaction
    waits for ever. If the same call says "not ready" instead, the sender looks the coordinator up and tries again.
    """
    client = producer._sender._client
    await_ready = client.await_ready

    def ready(node_id: int, timeout_ms: int) -> bool:
        try:
            return bool(await_ready(node_id, timeout_ms=min(timeout_ms, _NODE_MS)))
        except (AuthorizationError, SaslAuthenticationFailedError):
            raise
        except (KafkaError, OSError) as error:
            _log.debug("node %s is not ready: %s", node_id, error)
            time.sleep(_PAUSE_SECONDS)  # not ready answers at once here, and the sender's own pause is shorter
            return False

    client.await_ready = ready


def _fenced(error: KafkaError) -> bool:
    """Say whether a newer producer has the id; kafka-python may hide that in the text of a plain KafkaError."""
    return isinstance(error, _FENCING) or any(kind.__name__ in str(error) for kind in _FENCING)
