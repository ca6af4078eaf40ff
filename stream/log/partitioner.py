"""Which partition a record goes to: Kafka's own rule for keys, and a repeatable one if there is no key."""

from __future__ import annotations

__all__ = ["partition_for"]


def partition_for(key: bytes | None, value: bytes | None, partitions: int) -> int:
    """Return the partition, in [0, partitions), of a record.

    A key decides alone, by murmur2 as in Apache Kafka's clients, so all events of an entity stay in order and any
    other producer agrees. Without one Kafka's clients choose at random; here the value decides, so that a run can be
    repeated.
    """
    from kafka.partitioner.default import murmur2  # here, since it takes most of a second and readers need it not

    content = key if key is not None else value or b""
    return (int(murmur2(content)) & 0x7FFFFFFF) % partitions
