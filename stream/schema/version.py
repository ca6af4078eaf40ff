"""A version: the numbered, dated bundle of changes that a record of the schema topic holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stream.errors import InvalidVersion
from stream.records.event_time import MAX_TS_MS, TS_WANTED, YEAR_MS, in_words, seems_to_be, utc
from stream.records.reasons import RejectionReason, VersionFault
from stream.records.strict_json import described, quoted, strict_object
from stream.records.suggest import did_you_mean
from stream.schema.change import Change, change_to_json, parse_change

__all__ = ["MAX_AHEAD_MS", "Version", "parse_version", "version_to_json"]

MAX_AHEAD_MS = 10 * YEAR_MS
"""How far a version's `ts` may lie ahead of its record's own timestamp: one that is too far holds back all after it."""

_MISSING = {
    "version": VersionFault.MISSING_VERSION,
    "ts": VersionFault.MISSING_TS,
    "changes": VersionFault.MISSING_CHANGES,
}
_REMARKS = {"author": VersionFault.INVALID_AUTHOR, "comment": VersionFault.INVALID_COMMENT}
_MEMBERS = (*_MISSING, *_REMARKS)


@dataclass(frozen=True, slots=True)
class Version:
    """Changes that apply in the order listed, together or not at all.

    Attributes:
        version: its number; 1 is the first.
        ts: event time in Unix ms from which its producer wants it to apply (see `Schema.event_time_of`).
        changes: the changes, in order; none at all is allowed.
        content: digest of `ts` and `changes` as JSON values, 32 hex digits: equal exactly if those are equal,
            whatever the order of keys or the spelling of numbers. Two records with one number and one content are the
            same version.
        author: who made it; None if it does not say. Like the comment, it has no effect and is no content.
        comment: why it was made; None if it does not say.
    """

    version: int
    ts: int
    changes: tuple[Change, ...]
    content: str
    author: str | None = None
    comment: str | None = None

    @classmethod
    def of(
        cls, version: int, ts: int, changes: Iterable[Change], author: str | None = None, comment: str | None = None
    ) -> Version:
        """Return the version with these changes, its content computed, as `parse_version` computes it."""
        listed = tuple(changes)
        return cls(version, ts, listed, _content(ts, [change_to_json(change) for change in listed]), author, comment)


def parse_version(
    value: bytes | None, record_timestamp_ms: int | None = None, max_ahead_ms: int = MAX_AHEAD_MS
) -> Version:
    """Return the version that a record's value holds; whether it can be applied is the schema's to say.

    Args:
        value: the record's value.
        record_timestamp_ms: the record's own timestamp, Unix ms; None (or Kafka's -1) if it has none.
        max_ahead_ms: how far `ts` may lie ahead of the record's own timestamp; 0 and the past are always valid.

    Raises:
        InvalidVersion: if the value is not a version, or has a member that no version or no such change has;
            `.version` and `.ts` are set if they could be read.
    """
    decoded = strict_object(value, InvalidVersion)
    number, ts = decoded.get("version"), decoded.get("ts")
    good_number = number if type(number) is int and number >= 1 else None
    good_ts = ts if type(ts) is int and -MAX_TS_MS <= ts <= MAX_TS_MS else None

    def error(reason: RejectionReason, message: str) -> InvalidVersion:
        return InvalidVersion(reason, message, good_number, good_ts)

    for member in decoded:
        if member not in _MEMBERS:
            meant = did_you_mean(member, _MEMBERS) or f"; it has {', '.join(_MEMBERS)}"
            raise error(VersionFault.UNKNOWN_MEMBER, f"the member {quoted(member)} is none that a version has{meant}")
    for field, fault in _MISSING.items():
        if field not in decoded:
            raise error(fault, f"the field {field} is missing; a version has version, ts and changes")
    if good_number is None:
        raise error(
            VersionFault.INVALID_VERSION,
            f"the field version is {described(number)}; it has to be an integer from 1",
        )
    if good_ts is None:
        raise error(VersionFault.INVALID_TS, f"the field ts is {described(ts)}; it has to be {TS_WANTED}")
    ahead_ms = 0 if record_timestamp_ms is None or record_timestamp_ms < 0 else good_ts - record_timestamp_ms
    if ahead_ms > max_ahead_ms:
        unit = seems_to_be(good_ts)
        advice = f"it seems to be in {unit}: publish it with milliseconds" if unit else "publish it with a nearer time"
        raise error(
            VersionFault.TS_AHEAD,
            f"the field ts ({good_ts}, that is {utc(good_ts)}) is {in_words(ahead_ms)} ahead of the record's own "
            f"timestamp, {in_words(max_ahead_ms)} are allowed; {advice}, or raise version_max_ahead_seconds",
        )
    remarks: dict[str, str | None] = {}
    for field, fault in _REMARKS.items():
        remarks[field] = remark = decoded.get(field)
        if field in decoded and not isinstance(remark, str):
            raise error(fault, f"the field {field} is {described(remark)}; it has to be a string, or left out")
    changes = decoded["changes"]
    if not isinstance(changes, list):
        raise error(
            VersionFault.INVALID_CHANGES, f"the field changes is {described(changes)}; it has to be a list of changes"
        )
    parsed = tuple(parse_change(change, f"changes[{index}]", error) for index, change in enumerate(changes))
    # Read once more with 1.0 as 1: equal JSON numbers have to be written alike to have one digest.
    comparable = strict_object(value, error, parse_float=_integral_if_equal)["changes"]
    return Version(good_number, good_ts, parsed, _content(good_ts, comparable), **remarks)


def version_to_json(version: Version) -> bytes:
    """Return the record's value for `version`: compact JSON in UTF-8, without a line feed."""
    changes = [change_to_json(change) for change in version.changes]
    value: dict[str, Any] = {"version": version.version, "ts": version.ts, "changes": changes}
    remarks = {"author": version.author, "comment": version.comment}
    value |= {field: remark for field, remark in remarks.items() if remark is not None}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _content(ts: int, changes: list[Any]) -> str:
    canonical = json.dumps([ts, changes], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode("ascii"), digest_size=16).hexdigest()


def _integral_if_equal(literal: str) -> int | float:
    number = float(literal)
    return int(number) if number.is_integer() else number
