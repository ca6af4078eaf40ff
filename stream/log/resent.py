"""An interaction that is sent again: the partition to which it goes, and the header that it bears."""

from __future__ import annotations

from stream.log.partitioner import partition_for
from stream.log.protocol import DeadLetter

__all__ = ["resent_header", "target_partition"]


def target_partition(letter: DeadLetter, partitions: int, topic_id: str | None) -> int:
    """Return the partition to which a letter's interaction goes, in [0, partitions)."""
    same_topic = None in (letter.topic_id, topic_id) or letter.topic_id == topic_id
    if same_topic and letter.partition < partitions:
        return letter.partition
    return partition_for(letter.key, letter.value, partitions)


def resent_header(letter: DeadLetter) -> tuple[str, bytes]:
    """Return the header that an interaction bears when it is sent again: how often it has died by now."""
    return "resent", str(letter.resent + 1).encode()
