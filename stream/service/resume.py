"""Where a start goes on: the checkpoint that is restored and the offsets that belong to it, or a beginning."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream.checkpoint import CheckpointStore, LostOffsets, Missing, recover
from stream.errors import ConfigurationError, OffsetOutOfRange
from stream.log.protocol import Commit, CommitLog, InteractionSource, SchemaSource
from stream.settings.root import start_time_ms
from stream.state import Tree

__all__ = ["Resumed", "resume", "start_offsets"]

_log = logging.getLogger("stream.service")


@dataclass(frozen=True, slots=True)
class Resumed:
    """A beginning; the sources stand at its offsets.

    Attributes:
        tree: the restored state; None for a new learner.
        checkpoint: number of the restored checkpoint; None for a new learner.
        offsets: the next offset of each partition of the interactions.
        schema_offset: the next offset of the schema topic.
        last: what the log's commit names, where that is exactly the restored checkpoint; else None, and a checkpoint
            has to be written before anything is trained.
        number: the largest checkpoint number that was ever given, as far as is known here.
    """

    tree: Tree | None
    checkpoint: int | None
    offsets: dict[int, int]
    schema_offset: int
    last: Commit | None
    number: int


def resume(
    store: CheckpointStore | None,
    commit_log: CommitLog,
    source: InteractionSource,
    schema_source: SchemaSource,
    *,
    start: str = "earliest",
    missing: Missing = Missing.FAIL,
    lost_offsets: LostOffsets = LostOffsets.FAIL,
) -> Resumed:
    """Take over from any earlier holder of the name, choose the checkpoint, and move both sources to its offsets.

    Raises:
        CheckpointMissing, CheckpointCorrupt: see `stream.checkpoint.recover`.
        OffsetOutOfRange: the log has no such offset any more, and `lost_offsets` is to fail.
        ConfigurationError: the checkpoint belongs to other topics, or `start` cannot be read.
    """
    commit = commit_log.fence()
    found = None if store is None else recover(store, commit, missing)
    number = max([0 if commit is None else commit.number, *(() if store is None else store.numbers())])
    if found is None:
        tree, restored = None, None
        offsets, schema_offset = start_offsets(source, start), schema_source.beginning_offset()
        last = None
        if commit is not None:
            commit_log.resumed(Commit(0, "", offsets, schema_offset))
    else:
        tree, restored = found.tree(), found.number
        offsets, schema_offset = _offsets_of(tree["service"], source, schema_source)
        official = commit is not None and (commit.number, commit.digest) == (found.number, found.digest)
        last = commit if official else None
        if commit is not None and not official:
            commit_log.resumed(Commit(found.number, found.digest, offsets, schema_offset))
    offsets = _seek(source, offsets, lost_offsets)
    schema_source.seek(schema_offset)
    _log.info(
        "process %d starts from %s: %s offsets %s, %s offset %d",
        os.getpid(),
        "nothing" if restored is None else f"checkpoint {restored}",
        source.topic,
        offsets,
        schema_source.topic,
        schema_offset,
    )
    return Resumed(tree, restored, offsets, schema_offset, last, number)


def start_offsets(source: InteractionSource, start: str) -> dict[int, int]:
    """Return the offsets of a learner without a checkpoint: `earliest`, `latest`, or an ISO 8601 time with its zone.

    A time is compared with the records' own timestamps. Raises `ConfigurationError` for anything else.
    """
    if start == "earliest":
        return source.beginning_offsets()
    if start == "latest":
        return source.end_offsets()
    try:
        return source.offsets_for_time(start_time_ms(start))
    except ValueError as error:
        raise ConfigurationError(
            f"start = {start!r} is neither earliest, latest nor a time with its zone; write 2026-01-31T12:00:00Z, say"
        ) from error


def _offsets_of(
    service: Mapping[str, Any], source: InteractionSource, schema_source: SchemaSource
) -> tuple[dict[int, int], int]:
    stored_topics = service["topic"], service["schema_topic"]
    if stored_topics != (source.topic, schema_source.topic):
        raise ConfigurationError(
            f"the checkpoint belongs to the topics {' and '.join(stored_topics)}, the settings name "
            f"{source.topic} and {schema_source.topic}; "
            "give this learner a checkpoint directory of its own, or the old topics"
        )
    offsets = {int(partition): offset for partition, offset in service["offsets"].items()}
    there = source.partitions()
    gone = sorted(set(offsets).difference(there))
    if gone:
        raise OffsetOutOfRange(
            f"{source.topic} has no partition {', '.join(map(str, gone))} any more, which the checkpoint has; "
            "was the topic made anew? Give the learner the old topic or a new checkpoint directory"
        )
    added = set(there).difference(offsets)
    if added:
        beginnings = source.beginning_offsets()
        offsets.update({partition: beginnings[partition] for partition in added})
    return dict(sorted(offsets.items())), service["schema_offset"]


def _seek(source: InteractionSource, offsets: dict[int, int], lost_offsets: LostOffsets) -> dict[int, int]:
    try:
        source.seek(offsets)
        return offsets
    except OffsetOutOfRange as error:
        if lost_offsets is LostOffsets.FAIL:
            raise
        beginnings, ends = source.beginning_offsets(), source.end_offsets()
        elsewhere = beginnings if lost_offsets is LostOffsets.EARLIEST else ends
        moved = {p: offset if beginnings[p] <= offset <= ends[p] else elsewhere[p] for p, offset in offsets.items()}
        _log.error(
            "%s; going on from %s instead, as checkpoint.lost_offsets says: %s", error, lost_offsets.value, moved
        )
        source.seek(moved)
        return moved
