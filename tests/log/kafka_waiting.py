"""Waiting for what a Kafka broker does a moment after it has said so."""

from __future__ import annotations

import time
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition

from stream.log.connection import Connection


def await_markers(kafka: Connection, topic: str) -> None:
    """Wait until no transaction holds back readers: a commit that has returned is decided, its markers come later."""
    everything = KafkaConsumer(bootstrap_servers=list(kafka.settings.bootstrap_servers), group_id=None)
    with closing(everything), closing(kafka.consumer()) as committed:
        assigned = [TopicPartition(topic, number) for number in everything.partitions_for_topic(topic)]
        deadline = time.monotonic() + 100
        while everything.end_offsets(assigned) != committed.end_offsets(assigned):
            assert time.monotonic() < deadline, f"a transaction on {topic} stays open"
            time.sleep(0.01)
