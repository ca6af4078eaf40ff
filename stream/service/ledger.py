"""What has been dealt with: the offsets that a checkpoint stores, and the dead letters that it publishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.log.letter import bounded_sentence, size_bytes, times_resent
from stream.log.protocol import Commit, DeadLetter, Record
from stream.records.reasons import RejectionReason
from stream.service.item import Item, PendingVersion

__all__ = ["Cut", "Ledger", "Postmark"]


@dataclass(frozen=True, slots=True)
class Postmark:
    """What every dead letter of one learner bears.

    Attributes:
        learner: the learner's name.
        unix_seconds: the wall clock.
        topic_ids: id by name of the topics that records come from, if the log has such ids.
    """

    learner: str = ""
    unix_seconds: Callable[[], float] = time.time
    topic_ids: Mapping[str, str | None] = field(default_factory=dict)

    def on(self, record: Record, reason: str, message: str) -> DeadLetter:
        """Return the record, which cannot be used for this reason, as a dead letter of now."""
        return DeadLetter(
            reason,
            record.topic,
            record.partition,
            record.offset,
            record.key,
            record.value,
            bounded_sentence(message),
            self.learner,
            round(self.unix_seconds() * 1000),
            times_resent(record.headers),
            self.topic_ids.get(record.topic),
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """What one checkpoint covers: the offsets of its moment, and the dead letters before them that are its own."""

    offsets: Mapping[int, int]
    schema_offset: int
    dead_letters: Sequence[DeadLetter]

    def commit(self, number: int, digest: str) -> Commit:
        """Return what the log is to remember of the checkpoint of this number and digest."""
        return Commit(number, digest, self.offsets, self.schema_offset)


class Ledger:
    """The place up to which each partition, and the schema topic, is settled.

    Settled is a record that was trained or dead-lettered; of the schema, one that took effect, was ignored or rejected.

    Items of a partition are settled in offset order, so a stored offset is that of the partition's first record that is
    not.

    Args:
        offsets: the next offset of each partition of the interactions.
        schema_offset: the next offset of the schema topic.
        postmark: what the dead letters bear.
    """

    def __init__(self, offsets: Mapping[int, int], schema_offset: int, postmark: Postmark | None = None) -> None:
        self._postmark = Postmark() if postmark is None else postmark
        self._offsets = dict(offsets)
        self._schema_offset = schema_offset
        self._unpublished: list[DeadLetter] = []
        self._unpublished_bytes = 0
        self._saved: tuple[Mapping[int, int], int] = (dict(self._offsets), schema_offset)

    @property
    def offsets(self) -> Mapping[int, int]:
        """The next offset of each partition of the interactions."""
        return self._offsets

    @property
    def schema_offset(self) -> int:
        """The next offset of the schema topic."""
        return self._schema_offset

    @property
    def changed(self) -> bool:
        """Whether anything was settled since the last cut that was `published`."""
        return (self._offsets, self._schema_offset) != self._saved

    @property
    def unpublished(self) -> tuple[int, int]:
        """Number and bytes of the dead letters that wait for the next `cut`."""
        return len(self._unpublished), self._unpublished_bytes

    def state(self) -> dict[str, Any]:
        """Return the offsets as a checkpoint keeps them."""
        offsets = {str(partition): offset for partition, offset in self._offsets.items()}
        return {"offsets": offsets, "schema_offset": self._schema_offset}

    def settle(self, item: Item) -> None:
        """Note that an item was trained, or is a dead letter; the next one of its partition in offset order."""
        record = item.record
        if record.offset < self._offsets[record.partition]:
            raise AssertionError(f"{record.topic}-{record.partition} is settled beyond offset {record.offset} already")
        self._offsets[record.partition] = record.offset + 1
        if item.reason:
            self._publish_later(self._postmark.on(record, item.reason.value, item.message))

    def settle_version(
        self, pending: PendingVersion, rejected: RejectionReason | None = None, message: str = ""
    ) -> None:
        """Note that a record of the schema topic took effect, was ignored, or was rejected: why, and as a sentence."""
        self._schema_offset = pending.record.offset + 1
        if rejected is not None:
            self._publish_later(self._postmark.on(pending.record, rejected.value, message))

    def cut(self) -> Cut:
        """Return what a checkpoint of this moment covers. What is settled from now on belongs to the next one."""
        cut = Cut(dict(self._offsets), self._schema_offset, tuple(self._unpublished))
        self._unpublished.clear()
        self._unpublished_bytes = 0
        return cut

    def published(self, cut: Cut) -> None:
        """Note that what `cut` returned last is durable."""
        self._saved = (cut.offsets, cut.schema_offset)

    def _publish_later(self, letter: DeadLetter) -> None:
        self._unpublished.append(letter)
        self._unpublished_bytes += size_bytes(letter)
