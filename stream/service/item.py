"""What waits in the service: a decoded record of the interactions, and a record of the schema topic."""

from __future__ import annotations

from dataclasses import dataclass

from stream.errors import InvalidInteraction, InvalidVersion
from stream.log.letter import bounded_sentence
from stream.log.protocol import Record
from stream.records.interaction import Interaction, decode_interaction
from stream.records.reasons import DeadLetterReason
from stream.schema import Version, parse_version

__all__ = ["DECODED_BYTES", "Item", "PendingVersion", "Plausible"]

DECODED_BYTES = 4 << 20
"""Bytes of records, over all partitions, that wait as decoded; beyond it they wait as bytes and are decoded again."""


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
        interaction: what it holds; None if it is invalid.
        reason: why it is a dead letter, as a code; None while it is none.
        message: the same as a sentence, of bounded length.
        arrival: its place in the order in which this process fetched records, over all partitions.
        packed: whether of the interaction only `ts` and `schema_version` are there, by which it is put in order.
    """

    record: Record
    interaction: Interaction | None
    reason: DeadLetterReason | None = None
    arrival: int = 0
    packed: bool = False
    message: str = ""

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
            return cls(record, None, error.reason, arrival, message=bounded_sentence(str(error)))

    def pack(self) -> None:
        """Drop what was decoded, which takes some eight times the record's bytes, but for what order needs."""
        if self.interaction is not None and not self.packed:
            ts, schema_version = self.interaction.ts, self.interaction.schema_version
            self.interaction = Interaction("", None, ts, {}, (), None, schema_version)
            self.packed = True

    def unpack(self) -> None:
        """Decode the record again if `pack` has dropped that."""
        if self.packed:
            self.interaction = decode_interaction(self.record.value, self.record.key)
            self.packed = False

    @property
    def size_bytes(self) -> int:
        """Bytes of the record's key, value and headers, by which what waits is bounded."""
        record = self.record
        headers = sum(len(name) + len(value) for name, value in record.headers) if record.headers else 0
        return len(record.key or b"") + len(record.value or b"") + headers


@dataclass(frozen=True, slots=True)
class PendingVersion:
    """A record of the schema topic that has neither taken effect nor been rejected.

    Attributes:
        record: where it came from, and its bytes.
        version: what it holds; None if it is malformed.
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
        """The version's number; None if none could be read."""
        return (
            self.version.version if self.version is not None else self.error.version if self.error is not None else None
        )
