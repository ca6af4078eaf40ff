"""A cluster that goes on serving while one of its nodes is killed does not end a learner, nor confuse its commits."""

from __future__ import annotations

import time

import pytest

from stream.errors import BrokerUnavailable, Fenced
from stream.log.connection import Connection
from stream.log.kafka_commit import KafkaCommitLog
from stream.log.kafka_source import KafkaInteractionSource
from stream.log.protocol import Commit, Record
from stream.log.settings import TopicSettings
from stream.log.topics import create_topics, wanted_topics
from tests.log.three_nodes import NODES, three_nodes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_the_same_process_commits_on_after_the_transactions_coordinator_was_killed() -> None:
    try:
        with three_nodes() as nodes:
            topics = TopicSettings()
            connection = Connection(nodes.settings)
            create_topics(connection, wanted_topics(topics, 1), NODES)
            source = KafkaInteractionSource(connection, topics.interactions)
            source.seek({0: 0})
            log = KafkaCommitLog(connection, "learner", topics)
            assert log.fence() is None
            log.commit(Commit(1, "one", {0: 0}, 0), [])

            nodes.kill(nodes.leader_of("__transaction_state"))

            started = time.monotonic()
            log.commit(Commit(2, "two", {0: 0}, 0), [])
            print(f"the commit took {time.monotonic() - started:.1f} s")
            log.commit(Commit(3, "three", {0: 0}, 0), [])
            again = Connection(nodes.settings)
            assert again.source_name() == "apache-kafka"
            successor = KafkaCommitLog(again, "learner", topics)
            found = successor.newest(wait=True)
            assert found is not None
            assert (found.number, found.digest) == (3, "three"), "neither lost nor the one before"
            producer = again.producer()
            producer.send(topics.interactions, value=b"{}", key=b"k").get(60)
            producer.close()
            records: list[Record] = []
            while not records:  # bounded by the test's own time
                records = source.poll(10, 1.0)
            assert [record.offset for record in records] == [0]

            successor.fence()
            with pytest.raises(Fenced):
                log.commit(Commit(4, "four", {0: 0}, 0), [])
            for held in (log, successor, source):
                held.close()
    except BrokerUnavailable as error:
        if "Java" in str(error) or "jars" in str(error):
            pytest.skip(f"no Apache Kafka: {error}")
        raise
