"""The interactions, one by one, as a learner reads them under the schema in force at each event's time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import orjson

from stream.check.findings import Findings, Severity
from stream.check.missing import MissingRates
from stream.check.versions import VersionCheck
from stream.encoding.aliases import resolved
from stream.encoding.values import MISTYPED, boolean_value, categorical_value, multi_values, numeric_value
from stream.errors import InvalidInteraction
from stream.log.protocol import Record
from stream.records.event_time import seems_to_be, utc
from stream.records.interaction import Interaction, decode_interaction
from stream.records.reasons import InteractionFault
from stream.records.strict_json import described, quoted
from stream.records.suggest import closest
from stream.schema import Kind, Schema
from stream.service.item import Plausible

__all__ = ["InteractionCheck"]

SOURCE = "interactions"
_MEMBERS = ("id", "key", "ts", "features", "labels", "shown", "schema_version", "weight")
_READ = {
    Kind.NUMERIC: numeric_value,
    Kind.BOOLEAN: boolean_value,
    Kind.CATEGORICAL: categorical_value,
    Kind.MULTI_CATEGORICAL: multi_values,
}
_SUGGESTIONS = 200
"""Names that are compared with the live ones: each takes milliseconds if thousands are live."""


class InteractionCheck:
    """Takes the records of the interactions in any order.

    Args:
        findings: where to tell.
        versions: the schema; None if none was given: then events are looked at by themselves.
        plausible: how far event time may lie from the records' timestamps; None if there are none.
    """

    def __init__(self, findings: Findings, versions: VersionCheck | None, plausible: Plausible | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.missing = MissingRates()
        self._findings = findings
        self._versions = versions
        self._plausible = plausible
        self._suggested = 0
        self._attributes: tuple[int, set[str]] = 0, set()

    def saw(self, record: Record, place: str) -> None:
        """Look at the next record."""
        self.counts["interactions"] += 1
        try:
            if self._plausible is None:
                event = decode_interaction(record.value, record.key)
            else:
                bounds = (self._plausible.max_ahead_ms, self._plausible.max_behind_ms)
                event = decode_interaction(record.value, record.key, record.timestamp_ms, *bounds)
        except InvalidInteraction as error:
            self._findings.add(Severity.WRONG, SOURCE, error.reason.value, place, str(error))
            self.counts["dead_letters"] += 1
            self._look_at_members(record.value, place)
            return
        self.counts["anonymous"] += event.key is None
        self.counts["with_labels"] += bool(event.labels)
        self._look_at_members(record.value, place)
        if (unit := seems_to_be(event.ts)) is not None:
            message = f"the ts {event.ts} is {utc(event.ts)} as milliseconds; it seems to be in {unit}"
            self._looks_wrong("unit_of_time", place, message)
        self._look_at_shown(event, place)
        if self._versions is not None:
            self._look_at_names(event, self._versions, place)

    def _look_at_members(self, value: bytes | None, place: str) -> None:
        """Ask about members that are nearly one of an interaction: others are ignored, and may be there."""
        try:
            decoded = orjson.loads(value or b"null")
        except orjson.JSONDecodeError:
            return
        if not isinstance(decoded, dict):
            return
        for member in [member for member in decoded if member not in _MEMBERS]:
            if self._findings.known(SOURCE, "unknown_member", member):
                self._looks_wrong("unknown_member", place, about=member)
            elif (near := self._near(member, _MEMBERS)) is not None and near not in decoded:
                message = f"the member {quoted(member)} is ignored; did you mean {near}?"
                self._looks_wrong("unknown_member", place, message, about=member)

    def _look_at_shown(self, event: Interaction, place: str) -> None:
        if not isinstance(event.shown, tuple):
            return
        if not event.shown:
            self._looks_wrong("nothing_shown", place, "shown is empty: no offer was possible. Leave it out for all")
        outside = [name for name in event.labels if name not in event.shown]
        if outside:
            message = (
                f"the label {quoted(outside[0])} is not in shown; it is trained as taken, and is a miss in the rankings"
            )
            self._looks_wrong("label_outside_shown", place, message)

    def _look_at_names(self, event: Interaction, versions: VersionCheck, place: str) -> None:
        named = event.schema_version
        if named is not None and named > versions.count:
            fault = (
                InteractionFault.VERSION_REJECTED if named in versions.rejected else InteractionFault.VERSION_MISSING
            )
            message = f"it names schema version {named}, and {versions.count} is the last that takes effect"
            self._findings.add(Severity.WRONG, SOURCE, fault.value, place, message)
            self.counts["dead_letters"] += 1
            return
        schema = versions.schema_at(event.ts, named)
        if not schema.version:
            first = versions.first_ms
            then = "there is none" if first is None else f"it takes effect at {first} ({utc(first)})"
            message = f"the ts {event.ts} ({utc(event.ts)}) is before schema version 1, so no name is known; {then}"
            self._looks_wrong("before_version_1", place, message)
            return
        (read,), aliased = resolved([event], schema)
        if aliased:
            message = (
                "an old name is read as the new one until the rename's alias_until; let its producer send the new one"
            )
            self._looks_wrong("old_name", place, message)
        self._look_at_features(read, schema, place)
        self._look_at_labels(read, schema, place)

    def _look_at_features(self, event: Interaction, schema: Schema, place: str) -> None:
        self.missing.saw(event, schema)
        for name, value in event.features.items():
            kind = schema.features.get(name)
            if kind is None:
                self._unknown("feature", name, schema.features, place, "ignored")
            elif _READ[kind](value) is MISTYPED:
                about = f"{name} {type(value).__name__}"
                message = f"the feature {quoted(name)} is {kind} and its value {described(value)}: it reads as missing"
                self._looks_wrong("mistyped", place, message, about=about)

    def _look_at_labels(self, event: Interaction, schema: Schema, place: str) -> None:
        for name in event.labels:
            if name not in schema.labels:
                self._unknown("label", name, schema.labels, place, "dropped")
        if isinstance(event.shown, tuple):
            for name in event.shown:
                if name not in schema.labels:
                    self._unknown("shown", name, schema.labels, place, "ignored")
        elif event.shown:
            known = self._attributes_of(schema)
            for attribute in event.shown:
                if attribute not in known:
                    near = self._near(attribute, known)
                    meant = f"; did you mean {near}?" if near else ""
                    message = f"shown selects by {quoted(attribute)}, an attribute that no live offer has{meant}"
                    self._looks_wrong("unknown_attribute", place, message, about=attribute)

    def _attributes_of(self, schema: Schema) -> set[str]:
        """Return the attributes that some live offer has; looked up once for each version."""
        if self._attributes[0] != schema.version:
            self._attributes = schema.version, set().union(*schema.labels.values())
        return self._attributes[1]

    def _unknown(self, what: str, name: str, live: Iterable[str], place: str, fate: str) -> None:
        code = f"unknown_{what}"
        message = ""
        if not self._findings.known(SOURCE, code, name):
            where = "the name in shown" if what == "shown" else f"the {what}"
            near = self._near(name, live)
            meant = f"; did you mean {near}?" if near else ""
            message = f"{where} {quoted(name)} is not live at its event's time and is {fate}{meant}"
        self._looks_wrong(code, place, message, about=name)

    def _near(self, name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
        if self._suggested >= _SUGGESTIONS:
            return None
        self._suggested += 1
        return closest(name, known, cutoff)

    def _looks_wrong(self, code: str, place: str, message: str = "", about: str = "") -> None:
        self._findings.add(Severity.LOOKS_WRONG, SOURCE, code, place, message, about=about)
