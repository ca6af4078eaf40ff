"""Why nothing is fetched while schema version 1 is not there, as a sentence."""

from __future__ import annotations

from stream.service.item import PendingVersion

__all__ = ["what_is_missing"]


def what_is_missing(waiting: PendingVersion | None, schema_topic: str, schema_offset: int) -> str:
    """Return why no interaction is fetched.

    Args:
        waiting: the first record of the schema topic that can take no effect yet; None where none is there.
        schema_topic: name of the topic.
        schema_offset: up to where it was read.
    """
    if waiting is None:
        return (
            f"the schema topic {schema_topic} holds no version 1 up to offset {schema_offset}: no interaction is "
            "fetched before it is published (stream schema publish)"
        )
    record = waiting.record
    return (
        f"the schema topic {record.topic} does not hold version 1: the first version there, at offset "
        f"{record.offset}, is {waiting.number}. No interaction is fetched without version 1, and it does not come by "
        "itself: compaction or retention has deleted it, and a schema topic keeps all for ever (cleanup.policy=delete, "
        "retention.ms=-1). Publish all versions again in order to a topic made anew, or start from a checkpoint that "
        "has them"
    )
