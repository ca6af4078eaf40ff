"""Commits on a real Kafka: both or neither, the newest holder wins, and nothing of a dead one counts."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import ConfigResource
from kafka.structs import OffsetAndMetadata

from stream.broker import LocalBroker
from stream.errors import BrokerUnavailable, Fenced, LogError, TopicMadeAnew
from stream.log.connection import Connection
from stream.log.kafka_commit import KafkaCommitLog, group_of
from stream.log.protocol import Commit, CommitLog, DeadLetter
from stream.log.settings import TopicSettings
from stream.log.topics import create_topics, wanted_topics
from stream.log.transaction import TransactionalProducer
from tests.log.kafka_waiting import await_markers

pytestmark = pytest.mark.timeout(60)
FreshTopics = Callable[..., TopicSettings]
_names = (f"learner-{number}" for number in itertools.count())


@pytest.fixture
def topics(fresh_topics: FreshTopics) -> TopicSettings:
    return fresh_topics(2)


@pytest.fixture
def opened(kafka: Connection, topics: TopicSettings) -> Iterator[Callable[[], CommitLog]]:
    """Open commit logs of one learner's name, and close them all after the test."""
    name, logs = next(_names), []

    def open_one() -> CommitLog:
        logs.append(KafkaCommitLog(kafka, name, topics))
        return logs[-1]

    yield open_one
    for log in logs:
        log.close()


def letter(
    topics: TopicSettings, offset: int, key: bytes | None = b"\x00k", value: bytes | None = b"\xff{", learner: str = "l"
) -> DeadLetter:
    message = "the value is not UTF-8"
    return DeadLetter("not_utf8", topics.interactions, 1, offset, key, value, message, learner, 1_700_000_000_123, 2)


def commit(number: int, offset: int) -> Commit:
    return Commit(number, f"{number:032x}", {0: offset, 1: 0}, 3)


def dead_letters(kafka: Connection, topics: TopicSettings) -> list[Any]:
    """Return the committed records of the dead-letter topic."""
    await_markers(kafka, topics.dead_letters)
    consumer = kafka.consumer()
    try:
        only = TopicPartition(topics.dead_letters, 0)
        consumer.assign([only])
        consumer.seek(only, 0)
        end = consumer.end_offsets([only])[only]
        records: list[Any] = []
        while consumer.position(only) < end:
            records += consumer.poll(timeout_ms=500).get(only, [])
        return records
    finally:
        consumer.close()


def offsets(kafka: Connection, topics: TopicSettings) -> list[int]:
    return [int(dict(record.headers)["offset"]) for record in dead_letters(kafka, topics)]


def test_the_next_start_finds_the_newest_commit(opened: Callable[[], CommitLog], topics: TopicSettings) -> None:
    log = opened()
    assert log.fence() is None
    log.commit(commit(1, 5), [])
    log.commit(commit(2, 9), [letter(topics, 7)])
    assert opened().fence() == commit(2, 9)


def test_a_dead_letter_bears_its_bytes_reason_and_origin(
    opened: Callable[[], CommitLog], kafka: Connection, topics: TopicSettings
) -> None:
    log = opened()
    log.fence()
    log.commit(commit(1, 5), [letter(topics, 7), letter(topics, 8, key=None), letter(topics, 9, value=None)])
    first, second, third = dead_letters(kafka, topics)
    assert (first.key, first.value) == (b"\x00k", b"\xff{")
    assert dict(first.headers) == {
        "reason": b"not_utf8",
        "message": b"the value is not UTF-8",
        "topic": topics.interactions.encode(),
        "partition": b"1",
        "offset": b"7",
        "learner": b"l",
        "ts": b"1700000000123",
        "resent": b"2",
    }
    assert (second.key, second.value) == (None, b"\xff{")
    assert (third.key, third.value) == (b"\x00k", None)


def test_a_record_as_large_as_kafka_takes_can_be_a_dead_letter_and_of_a_larger_one_size_and_digest_are(
    opened: Callable[[], CommitLog], kafka: Connection, topics: TopicSettings
) -> None:
    log = opened()
    log.fence()
    large = b"x" * (5 << 20)
    log.commit(commit(1, 5), [letter(topics, 0, value=b"x" * 1_048_500), letter(topics, 1, value=large)])
    first, second = dead_letters(kafka, topics)
    assert len(first.value) == 1_048_500
    assert (second.key, second.value) == (b"\x00k", None)
    held = dict(second.headers)
    assert (held["value_bytes"], held["value_sha256"]) == (b"5242880", hashlib.sha256(large).hexdigest().encode())
    assert held["offset"] == b"1", "where the original lies"


def limited(kafka: Connection, topic: str, most_bytes: int) -> None:
    with kafka.administering() as admin:
        admin.alter_configs([ConfigResource("TOPIC", topic, {"max.message.bytes": str(most_bytes)})])


@pytest.mark.parametrize("when", ["before the start", "while running"])
def test_a_topic_that_takes_less_than_a_batch_or_a_record_gets_what_it_takes(
    opened: Callable[[], CommitLog],
    kafka: Connection,
    topics: TopicSettings,
    when: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if when == "before the start":
        limited(kafka, topics.dead_letters, 6000)
    log = opened()
    log.fence()
    warned = [text for text in caplog.messages if "max.message.bytes" in text]
    assert len(warned) == (when == "before the start")
    if when == "while running":
        limited(kafka, topics.dead_letters, 6000)
    small = [letter(topics, offset, value=b"y" * 1000) for offset in range(30)]
    huge = [letter(topics, 30, value=b"z" * 6000), letter(topics, 31, key=b"k" * 6000)]
    log.commit(commit(1, 32), [*small, *huge])
    log.commit(commit(2, 33), [letter(topics, 32)])
    found = dead_letters(kafka, topics)
    assert [int(dict(record.headers)["offset"]) for record in found] == list(range(33))
    assert [len(record.value) for record in found[:30]] == [1000] * 30
    without_value, without_key = (dict(record.headers) for record in found[30:32])
    assert (without_value["value_bytes"], without_key["key_bytes"]) == (b"6000", b"6000")
    assert opened().newest(wait=True) == commit(2, 33)


def test_the_users_own_bounds_on_a_producer_hold_for_dead_letters_too(kafka: Connection, topics: TopicSettings) -> None:
    small = replace(kafka.settings, options={"max_request_size": 8000, "batch_size": 1 << 20})
    log = KafkaCommitLog(Connection(small), next(_names), topics)
    log.fence()
    log.commit(commit(1, 5), [letter(topics, 0, value=b"y" * 9000), letter(topics, 1)])
    log.close()
    first, second = dead_letters(kafka, topics)
    assert (first.value, second.value) == (None, b"\xff{")
    assert dict(first.headers)["value_bytes"] == b"9000"
    tiny = replace(kafka.settings, options={"max_request_size": 4000})
    with pytest.raises(LogError, match="dead letters may be of 4000 bytes at most"):
        KafkaCommitLog(Connection(tiny), next(_names), topics).fence()


def test_a_successor_fences_the_older_holder_whose_letters_and_offsets_then_count_for_nothing(
    opened: Callable[[], CommitLog], kafka: Connection, topics: TopicSettings
) -> None:
    old, new = opened(), opened()
    old.fence()
    old.commit(commit(1, 5), [])
    assert new.fence() == commit(1, 5)
    with pytest.raises(Fenced, match="newer process"):
        old.commit(commit(2, 9), [letter(topics, 7)])
    with pytest.raises(Fenced, match="newer process"):
        old.commit(commit(2, 9), [])
    assert offsets(kafka, topics) == []
    new.commit(commit(2, 8), [])
    assert opened().fence() == commit(2, 8)


def test_to_look_at_the_newest_commit_fences_nobody(opened: Callable[[], CommitLog]) -> None:
    holder = opened()
    assert opened().newest() is None
    holder.fence()
    holder.commit(commit(1, 5), [])
    assert opened().newest(wait=True) == commit(1, 5)
    assert opened().newest() == commit(1, 5)
    holder.commit(commit(2, 9), [])


def _die_inside_a_transaction(kafka: Connection, name: str, topics: TopicSettings) -> None:
    producer = kafka.producer(group_of(name))
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topics.dead_letters, b"never committed", headers=[("offset", b"1")]).get(30)
    at = {TopicPartition(topics.interactions, 0): OffsetAndMetadata(99, "never committed", -1)}
    producer.send_offsets_to_transaction(at, group_of(name))
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_transaction_that_a_killed_holder_left_open_is_aborted_at_once(
    kafka: Connection, topics: TopicSettings, opened: Callable[[], CommitLog]
) -> None:
    log = opened()
    log.fence()
    log.commit(commit(1, 5), [letter(topics, 6)])
    name = log._group.removeprefix("stream-")  # type: ignore[attr-defined]
    context = multiprocessing.get_context("spawn")
    holder = context.Process(target=_die_inside_a_transaction, args=(kafka, name, topics))
    holder.start()
    holder.join()
    assert holder.exitcode == -signal.SIGKILL
    assert opened().newest() == commit(1, 5), "the one before the open transaction, and at once"
    hasty = KafkaCommitLog(Connection(replace(kafka.settings, request_seconds=1.0)), name, topics)
    with pytest.raises(LogError):
        hasty.newest(wait=True)
    again = opened()
    assert again.fence() == commit(1, 5)
    again.commit(commit(2, 9), [letter(topics, 7)])
    assert offsets(kafka, topics) == [6, 7]


def test_going_on_from_an_older_checkpoint_publishes_no_dead_letter_twice(
    kafka: Connection, topics: TopicSettings
) -> None:
    mine, other = next(_names), next(_names)
    log, another = KafkaCommitLog(kafka, mine, topics), KafkaCommitLog(kafka, other, topics)
    log.fence()
    log.commit(commit(1, 5), [letter(topics, 3, learner=mine)])
    log.commit(commit(2, 9), [letter(topics, 6, learner=mine)])
    another.fence()
    another.commit(commit(1, 9), [letter(topics, 7, learner=other)])
    before = replace(letter(topics, 8, learner=mine), topic_id="of the topic that was deleted")
    log.commit(commit(3, 9), [before])
    for closed in (log, another):
        closed.close()
    producer = kafka.producer()
    foreign = [[], [("reason", b"\xff"), ("topic", b"t")], [("partition", b"one")]]
    for headers in foreign:
        producer.send(topics.dead_letters, b"somebody else's", None, headers).get(30)
    producer.close()

    again = KafkaCommitLog(kafka, mine, topics)
    assert again.fence() == commit(3, 9)
    again.resumed(commit(1, 5))
    again.commit(commit(4, 12), [letter(topics, offset, learner=mine) for offset in (6, 7, 8, 10)])
    again.close()
    held = [dict(record.headers) for record in dead_letters(kafka, topics)]
    assert [int(headers.get("offset", b"-1")) for headers in held] == [3, 6, 7, 8, -1, -1, -1, 7, 8, 10]


def test_offsets_that_something_else_committed_to_the_group_are_an_error(
    opened: Callable[[], CommitLog], kafka: Connection, topics: TopicSettings
) -> None:
    log = opened()
    log.fence()
    log.commit(commit(1, 5), [])
    with kafka.administering() as admin:
        group = log._group  # type: ignore[attr-defined]
        admin.alter_group_offsets(group, {TopicPartition(topics.interactions, 0): OffsetAndMetadata(2, "")})
    with pytest.raises(LogError, match="not of one checkpoint"):
        opened().fence()


def test_a_commit_without_fencing_first_is_refused(opened: Callable[[], CommitLog]) -> None:
    with pytest.raises(LogError, match="fence"):
        opened().commit(commit(1, 1), [])


def test_a_topic_of_dead_letters_that_is_missing_is_found_out_at_the_start_and_fences_nobody(
    kafka: Connection, topics: TopicSettings
) -> None:
    name = next(_names)
    holder = KafkaCommitLog(kafka, name, topics)
    holder.fence()
    wrong = KafkaCommitLog(kafka, name, replace(topics, dead_letters="not-there"))
    with pytest.raises(LogError, match="not-there of the dead letters does not exist"):
        wrong.fence()
    holder.commit(commit(1, 5), [])
    holder.close()


def test_a_topic_of_dead_letters_that_is_deleted_is_said_at_once_and_costs_nothing_while_there_are_none(
    kafka: Connection, topics: TopicSettings, caplog: pytest.LogCaptureFixture
) -> None:
    patient = Connection(replace(kafka.settings, commit_seconds=3600.0))  # a wait for the topic would never end
    log = KafkaCommitLog(patient, next(_names), topics)
    log.fence()
    log.commit(commit(1, 5), [letter(topics, 3)])
    with kafka.administering() as admin:
        admin.delete_topics([topics.dead_letters])
    log.commit(commit(2, 6), [])
    log.commit(commit(3, 7), [])
    said = [text for text in caplog.messages if "of the dead letters does not exist" in text]
    assert len(said) == 1, "once"
    with pytest.raises(LogError, match=r"of the dead letters does not exist.* Create it with `stream topics --create`"):
        log.commit(commit(4, 9), [letter(topics, 8)])
    create_topics(kafka, wanted_topics(topics, 2))
    log.commit(commit(4, 9), [letter(topics, 8)])
    log.close()
    assert offsets(kafka, topics) == [8]


@pytest.mark.parametrize("which", ["interactions", "schema"])
def test_nothing_is_committed_for_a_topic_that_was_made_anew_or_is_gone(
    opened: Callable[[], CommitLog], kafka: Connection, topics: TopicSettings, which: str
) -> None:
    log = opened()
    log.fence()
    log.commit(commit(1, 5), [])
    name = getattr(topics, which)
    with kafka.administering() as admin:
        admin.delete_topics([name])
    with pytest.raises(LogError, match=rf"Topic {name} .* was deleted while this learner ran.*checkpoint.lost_offsets"):
        log.commit(commit(2, 9), [letter(topics, 7)])
    create_topics(kafka, wanted_topics(topics, 2))
    with pytest.raises(TopicMadeAnew, match=rf"Topic {name} .* was deleted and made anew while this learner ran"):
        log.commit(commit(2, 9), [letter(topics, 7)])
    assert offsets(kafka, topics) == []
    found = opened().newest(wait=True)
    assert found is not None
    assert (found.number, found.digest) == (1, commit(1, 5).digest), "Kafka forgot the one topic's offsets alone"


def test_a_broker_that_stops_answering_is_given_up_within_the_bound_and_what_counts_is_found_at_the_next_start(
    kafka: Connection, kafka_broker: LocalBroker, topics: TopicSettings
) -> None:
    impatient = Connection(replace(kafka.settings, commit_seconds=1.0))
    name = next(_names)
    log = KafkaCommitLog(impatient, name, topics)
    log.fence()
    log.commit(commit(1, 5), [])
    with stopped(kafka_broker), pytest.raises(BrokerUnavailable):
        log.commit(commit(2, 9), [letter(topics, 7)])
    log.close()
    again = KafkaCommitLog(kafka, name, topics)
    newest = again.fence()
    again.close()
    assert newest in (commit(1, 5), commit(2, 9))
    assert offsets(kafka, topics) == ([7] if newest == commit(2, 9) else [])


@pytest.mark.parametrize(("commit_seconds", "timeout_ms"), [(1.0, 62_000), (60.0, 180_000), (600.0, 900_000)])
def test_kafka_ends_an_open_transaction_later_than_the_learner_gives_it_up(
    kafka: Connection, commit_seconds: float, timeout_ms: int
) -> None:
    patient = Connection(replace(kafka.settings, commit_seconds=commit_seconds))
    producer = TransactionalProducer(patient, next(_names), "here")
    producer.start()  # the broker takes the time-out
    assert producer._producer.config["transaction_timeout_ms"] == timeout_ms > 1000 * commit_seconds
    producer.close()


@contextmanager
def stopped(broker: LocalBroker) -> Iterator[None]:
    """Stop the broker's JVM, as a machine does that swaps or is paused, and let it go on after the block."""
    listed = subprocess.run(["ps", "-Aww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
    mine = [line for line in listed.splitlines() if str(broker.log_file.parent) in line and "guard.py" not in line]
    (jvm,) = (int(line.split()[0]) for line in mine)
    os.kill(jvm, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(jvm, signal.SIGCONT)


AWAY = """
from stream.errors import BrokerUnavailable
from stream.log.connection import Connection
from stream.log.kafka_commit import KafkaCommitLog
from stream.log.settings import KafkaSettings, TopicSettings
away = KafkaSettings(bootstrap_servers=("127.0.0.1:1",), request_seconds=0.5)
try:
    KafkaCommitLog(Connection(away), "nobody", TopicSettings()).fence()
except BrokerUnavailable as error:
    print(error)
"""


def test_a_broker_that_is_away_is_given_up_within_the_bound() -> None:
    # In a process of its own: kafka-python leaves the sockets of failed connections open, and a warning is an error.
    run = subprocess.run([sys.executable, "-c", AWAY], capture_output=True, text=True, timeout=110, check=True)
    assert run.stdout.startswith("Kafka at 127.0.0.1:1 did not answer in time")
