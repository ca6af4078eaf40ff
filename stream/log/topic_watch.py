"""Whether topics are still those that they were: a topic made anew under its name begins at offset 0 like any other.

Kafka gives each topic an id of its own (KIP-516, 2.8 or newer), and forgets a group's offsets with the topic. So the id
says what no offset can: that an offset means nothing here any more. It is asked for at each look at the topics' ends,
and before each commit: what was read before an answer with the old id was read from the old topic, because no id
returns.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kafka.errors import KafkaError

from stream.errors import BrokerUnavailable, LogError, TopicMadeAnew
from stream.log.connection import Connection, kafka_errors

__all__ = ["TopicWatch"]

_UNKNOWN_TOPIC = 3
_PAUSE_SECONDS = 0.2
_SECOND_LOOK_SECONDS = 1.0
"""A broker that has only just started may not know a topic yet, so one that seems gone is asked for twice."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a topic was at the first look: its id, None if the broker has none, and its partitions."""

    id: str | None
    partitions: int


class TopicWatch:
    """Looks at topics over one connection of its own, which is opened again after a failure.

    Args:
        connection: the cluster.
        topics: the topics, which have to exist.
        sleep: what waits before another look.
        monotonic_seconds: the clock of the bound, which is the settings' `request_seconds`.

    Raises:
        LogError: a topic does not exist, or the cluster does not answer.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Iterable[str],
        sleep: Callable[[float], None] = time.sleep,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._sleep = sleep
        self._monotonic_seconds = monotonic_seconds
        self._admin: Any = None
        self._asking = threading.Lock()
        self._seen: dict[str, _Seen] = {}
        try:
            for name, found in self._described(list(topics)).items():
                if found is None:
                    raise LogError(
                        f"{self._called(name)} does not exist. Create it with `stream topics --create` or see the ACLs."
                    )
                self._seen[name] = found
        except BaseException:
            self.close()
            raise

    def id_of(self, topic: str) -> str | None:
        """Return the id that the topic had at construction; None if the broker gives none."""
        return self._seen[topic].id

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic had at construction."""
        return self._seen[topic].partitions

    def check(self) -> None:
        """Return only if all topics are those of construction, with as many partitions.

        Raises:
            TopicMadeAnew: one was deleted and made anew.
            LogError: one is gone, or has more partitions; or the cluster does not answer.
        """
        found = self._described(list(self._seen))
        if None in found.values():
            self._sleep(_SECOND_LOOK_SECONDS)
            found = self._described(list(self._seen))
        for name, then in self._seen.items():
            now = found[name]
            if now is None:
                raise LogError(
                    f"{self._called(name)} was deleted while this learner ran; what it learned up to its last "
                    "checkpoint is kept. Restore the topic, or create it with `stream topics --create`: for a topic "
                    "made anew checkpoint.lost_offsets says where the next start goes on."
                )
            if then.id is not None and now.id is not None and now.id != then.id:
                raise TopicMadeAnew(
                    f"{self._called(name)} was deleted and made anew while this learner ran (its id was {then.id} and "
                    f"is {now.id}); what it learned up to its last checkpoint is kept. Where the next start goes on "
                    "says checkpoint.lost_offsets."
                )
            if now.partitions > then.partitions > 0:
                raise LogError(
                    f"{self._called(name)} has grown from {then.partitions} to {now.partitions} partitions. "
                    "Start again: the new ones are then read from their beginning."
                )

    @contextlib.contextmanager
    def reasons(self) -> Iterator[None]:
        """Let a topic that has gone or was made anew be the reason for what the log says inside the block.

        Kafka's own words for it are many: an offset out of range, a log that was truncated, an unknown partition.
        """
        try:
            yield
        except BrokerUnavailable:
            raise
        except LogError:
            self.check()
            raise

    def exists(self, topic: str) -> bool:
        """Say whether any topic, of those watched or not, is there now."""
        return self._described([topic])[topic] is not None

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        admin, self._admin = self._admin, None
        if admin is not None:
            with contextlib.suppress(KafkaError):
                admin.close()

    def _called(self, topic: str) -> str:
        return f"Topic {topic} at {self._connection.where}"

    def _described(self, topics: list[str]) -> dict[str, _Seen | None]:
        """Return each topic as it is now, None for one that is not there."""
        with self._asking:  # the training thread asks at each look at the ends, another one before each commit
            return self._asked(topics)

    def _asked(self, topics: list[str]) -> dict[str, _Seen | None]:
        deadline = self._monotonic_seconds() + self._connection.settings.request_seconds
        while True:
            try:
                with kafka_errors(f"Kafka at {self._connection.where}"):
                    if self._admin is None:
                        self._admin = self._connection.admin()
                    answers = {answer["name"]: answer for answer in self._admin.describe_topics(topics)}
                return {name: self._understood(name, answers[name]) for name in topics}
            except BrokerUnavailable:
                # The node that was asked may be gone, and another one knows.
                self.close()
                if self._monotonic_seconds() >= deadline:
                    raise
                self._sleep(_PAUSE_SECONDS)
            except BaseException:
                self.close()
                raise

    def _understood(self, name: str, answer: dict[str, Any]) -> _Seen | None:
        if answer["error_code"] == _UNKNOWN_TOPIC:
            return None
        # Any other error, of a leader that is only just elected or of rights, is no verdict on what the topic is.
        count = len(answer["partitions"])
        return (
            _Seen(answer.get("topic_id"), count)
            if not answer["error_code"]
            else self._seen.get(name, _Seen(None, count))
        )
