"""What waits in the service: a decoded record of the interactions, and a record of the schema topic."""

from __future__ import annotations

from dataclasses import dataclass

from stream.errors import InvalidInteraction, InvalidVersion
from stream.interaction import Interaction, decode_interaction
from stream.log.protocol import DeadLetter, Record
from stream.reasons import DeadLetterReason, RejectionReason
from stream.schema import Version, parse_version

__all__ = ["Item", "PendingVersion", "Plausible"]


@dataclass(frozen=True, slots=True)
class Plausible:
    """How far event time may lie from the record's own timestamp (Kafka only: elsewhere there is none to trust).

    Attributes:
        max_ahead_ms: of an interaction, ahead.
        max_behind_ms: of an interaction, behind.
        version_max_ahead_ms: of a schema version, ahead; 0 and the past are valid.
    """

    max_ahead_ms: int
    max_behind_ms: int
    version_max_ahead_ms: int


@dataclass(slots=True)
class Item:
    """A record of the interactions on its way to being trained or dead-lettered.

    Attributes:
        record: where it came from, and its bytes.
        interaction: what it holds; None where it is invalid.
        reason: why it is a dead letter; None while it is none.
        arrival: its place in the order in which this process fetched records, over all partitions.
    """

    record: Record
    interaction: Interaction | None
    reason: DeadLetterReason | None = None
    arrival: int = 0

    @classmethod
    def decode(cls, record: Record, arrival: int = 0, plausible: Plausible | None = None) -> Item:
        """Return the item of a record, whatever its bytes are; None looks at no timestamp."""
        try:
            if plausible is None:
                return cls(record, decode_interaction(record.value, record.key), None, arrival)
            interaction = decode_interaction(
                record.value, record.key, record.timestamp_ms, plausible.max_ahead_ms, plausible.max_behind_ms
            )
            return cls(record, interaction, None, arrival)
        except InvalidInteraction as error:
            return cls(record, None, error.reason, arrival)

    def dead_letter(self) -> DeadLetter:
        """Return this item, which has a reason, as a dead letter."""
        assert self.reason is not None
        return _dead_letter(self.record, self.reason)

    @property
    def size_bytes(self) -> int:
        """Bytes of the record's key and value, by which what waits is bounded."""
        return len(self.record.key or b"") + len(self.record.value or b"")


@dataclass(frozen=True, slots=True)
class PendingVersion:
    """A record of the schema topic that has neither taken effect nor been rejected.

    Attributes:
        record: where it came from, and its bytes.
        version: what it holds; None where it is malformed.
        error: why it is malformed, else None.
    """

    record: Record
    version: Version | None
    error: InvalidVersion | None

    @classmethod
    def decode(cls, record: Record, plausible: Plausible | None = None) -> PendingVersion:
        """Return the version of a record, whatever its bytes are; None looks at no timestamp."""
        try:
            if plausible is None:
                return cls(record, parse_version(record.value), None)
            return cls(record, parse_version(record.value, record.timestamp_ms, plausible.version_max_ahead_ms), None)
        except InvalidVersion as error:
            return cls(record, None, error)

    @property
    def number(self) -> int | None:
        """The version's number; None where none could be read."""
        return (
            self.version.version if self.version is not None else self.error.version if self.error is not None else None
        )

    def dead_letter(self, reason: RejectionReason) -> DeadLetter:
        """Return this record as a dead letter."""
        return _dead_letter(self.record, reason)


def _dead_letter(record: Record, reason: DeadLetterReason | RejectionReason) -> DeadLetter:
    return DeadLetter(reason.value, record.topic, record.partition, record.offset, record.key, record.value)
