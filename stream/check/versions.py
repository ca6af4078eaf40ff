"""The schema versions, folded as a learner folds them; beside what it rejects, what is probably not meant."""

from __future__ import annotations

from bisect import bisect_right

from stream.check.findings import Findings, Severity
from stream.errors import InvalidVersion, SchemaRejected
from stream.log.protocol import Record
from stream.records.event_time import seems_to_be, utc
from stream.records.strict_json import quoted
from stream.schema import Change, Op, Schema, Version, parse_version

__all__ = ["VersionCheck"]

SOURCE = "schema"


class VersionCheck:
    """Takes the records of the schema in order; afterwards it knows the schema in force at any event time.

    Args:
        findings: where to tell.
        max_ahead_ms: how far a version's `ts` may lie ahead of its record's timestamp; None if there is none.
    """

    def __init__(self, findings: Findings, max_ahead_ms: int | None = None) -> None:
        self.rejected: set[int] = set()
        """Numbers of versions that were rejected and not mended later."""
        self._findings = findings
        self._max_ahead_ms = max_ahead_ms
        self._schema = Schema.empty()
        self._in_force: list[Schema] = [self._schema]
        self._from_ms: list[int] = []
        self._names: dict[str, dict[str, str]] = {"feature": {}, "label": {}, "attribute": {}}
        """The first name of each spelling, without case and signs."""

    @property
    def count(self) -> int:
        """Versions that would take effect."""
        return self._schema.version

    @property
    def first_ms(self) -> int | None:
        """Event time at which version 1 takes effect; None if there is none."""
        return self._from_ms[0] if self._from_ms else None

    def saw(self, record: Record, place: str) -> None:
        """Look at the next record."""
        try:
            if self._max_ahead_ms is None:
                version = parse_version(record.value)
            else:
                version = parse_version(record.value, record.timestamp_ms, self._max_ahead_ms)
            if self._schema.check(version) == "duplicate":
                return
            self._look_at(version, place)
            self._schema = self._schema.apply(version)
        except (InvalidVersion, SchemaRejected) as error:
            self._findings.add(Severity.WRONG, SOURCE, error.reason.value, place, str(error), about=str(error))
            number = error.version if isinstance(error, InvalidVersion) else version.version
            if number is not None and number > self._schema.version:
                self.rejected.add(number)
            return
        self.rejected.discard(version.version)
        assert self._schema.event_time_ms is not None
        self._from_ms.append(self._schema.event_time_ms)
        self._in_force.append(self._schema)

    def schema_at(self, ts: int, named: int | None) -> Schema:
        """Return the schema under which an event is trained: by its `ts`, and by the version that it names."""
        number = bisect_right(self._from_ms, ts)
        return self._in_force[max(number, min(named or 0, self.count))]

    def _look_at(self, version: Version, place: str) -> None:
        ts, last = version.ts, self._schema.event_time_ms
        if (unit := seems_to_be(ts)) is not None:
            message = f"the ts {ts} is {utc(ts)} as milliseconds; it seems to be in {unit}"
            self._looks_wrong("unit_of_time", place, message)
        if last is not None and ts < last:
            message = f"the ts {ts} ({utc(ts)}) is before an earlier version's; it takes effect at {last} ({utc(last)})"
            self._looks_wrong("ts_behind_last", place, message)
        if not version.changes:
            self._looks_wrong("no_changes", place, f"version {version.version} changes nothing")
        for change in version.changes:
            self._look_at_change(change, version, place)

    def _look_at_change(self, change: Change, version: Version, place: str) -> None:
        what = "feature" if change.op in (Op.ADD_FEATURE, Op.RENAME_FEATURE) else "label"
        name = change.name if change.op in (Op.ADD_FEATURE, Op.ADD_LABEL) else change.to
        if name is not None:
            self._look_at_name(name, what, place)
        for attribute in change.attributes or ():
            self._look_at_name(attribute, "attribute", place)
        if change.alias_until is not None and change.alias_until <= self._schema.event_time_of(version):
            message = f"{change.op} {quoted(change.name)}: alias_until is not after the version's own time"
            self._looks_wrong("alias_over", place, message)

    def _look_at_name(self, name: str, what: str, place: str) -> None:
        """Ask about a name with spaces around it, and one that differs from another in case and signs alone."""
        if name != name.strip() or not name:
            message = f"the {what} {quoted(name)} is empty, or begins or ends with spaces"
            self._looks_wrong("spaces", place, message, about=name)
        folded = "".join(letter for letter in name.casefold() if letter.isalnum()) or name
        other = self._names[what].setdefault(folded, name)
        live = {"feature": self._schema.features, "label": self._schema.labels}.get(what)
        if other != name and (live is None or other in live):
            message = f"the new {what} {quoted(name)} is nearly {quoted(other)}, which is there"
            self._looks_wrong(f"close_{what}", place, message, about=name)

    def _looks_wrong(self, code: str, place: str, message: str, about: str = "") -> None:
        self._findings.add(Severity.LOOKS_WRONG, SOURCE, code, place, message, about=about)
