"""What the schema topic says: the versions that count, in order, and those that a learner rejects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stream.errors import ConfigurationError, InvalidVersion, SchemaRejected
from stream.log.protocol import Record
from stream.schema import Schema, Version, parse_version

__all__ = ["AppliedVersion", "SchemaHistory"]


@dataclass(frozen=True, slots=True)
class AppliedVersion:
    """A version that counts, the offset of the record that brought it, and the schema after it."""

    version: Version
    offset: int
    schema: Schema


@dataclass(frozen=True, slots=True)
class SchemaHistory:
    """The whole topic, folded as a learner folds it.

    Attributes:
        applied: the versions that count, whether or not event time has reached them; that of number v stands at v - 1.
        rejected: a sentence for each record that a learner rejects.
    """

    applied: tuple[AppliedVersion, ...]
    rejected: tuple[str, ...]

    @classmethod
    def of(cls, records: Iterable[Record], max_ahead_ms: int | None = None) -> SchemaHistory:
        """Fold the records of the topic, from its first on.

        `max_ahead_ms` bounds how far a version's `ts` may lie ahead of its record's timestamp; None for a log whose
        timestamps are not looked at.
        """
        schema = Schema.empty()
        applied: list[AppliedVersion] = []
        rejected = []
        for record in records:
            try:
                version = parse_version(record.value, *_times(record, max_ahead_ms))
                if schema.check(version) == "new":
                    schema = schema.apply(version)
                    applied.append(AppliedVersion(version, record.offset, schema))
            except (InvalidVersion, SchemaRejected) as error:
                rejected.append(f"offset {record.offset}: {error}")
        return cls(tuple(applied), tuple(rejected))

    @property
    def schema(self) -> Schema:
        """The schema after all versions; the empty one before the first."""
        return self.applied[-1].schema if self.applied else Schema.empty()

    def at(self, number: int) -> Schema:
        """Return the schema after version `number`; 0 is the empty one. Raises `ConfigurationError` for no version."""
        if number == 0:
            return Schema.empty()
        if not 1 <= number <= len(self.applied):
            known = f"1 to {len(self.applied)}" if self.applied else "none yet"
            raise ConfigurationError(f"There is no schema version {number}; there are: {known}.")
        return self.applied[number - 1].schema

    def holder_of(self, offset: int) -> AppliedVersion | None:
        """Return the version that the record at `offset` brought, None if that record did not count."""
        return next((applied for applied in self.applied if applied.offset == offset), None)


def _times(record: Record, max_ahead_ms: int | None) -> tuple[int | None, int]:
    return (None, 0) if max_ahead_ms is None else (record.timestamp_ms, max_ahead_ms)
