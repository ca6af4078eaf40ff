"""Each reason is raised by the code that raises it, from a record that has the fault: none is left over, none missing.

That nobody raises a word of its own is mypy's part: whoever raises takes a member of `stream.records.reasons`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stream.errors import InvalidInteraction, InvalidVersion, SchemaRejected
from stream.log.protocol import Record
from stream.records.interaction import decode_interaction
from stream.records.reasons import DEAD_LETTER_REASONS, REJECTION_REASONS, InteractionFault
from stream.schema import Schema, parse_version
from stream.service.align import Aligner, Rules
from stream.service.item import Item, PendingVersion

EVENT = {"id": "e", "key": "k", "ts": 1, "features": {}, "labels": []}
VERSION = {"version": 1, "ts": 1, "changes": []}

UNREADABLE = {
    "no_value": None,
    "not_utf8": b"\xff",
    "not_json": b"{",
    "not_object": b"[]",
    "not_finite": b'{"a": NaN}',
    "too_deep": b"[" * 9_999,
    "duplicate_key": b'{"a": 1, "a": 1}',
}


def edited(plain: dict[str, Any], left_out: str = "", **fields: Any) -> bytes:
    return json.dumps({name: value for name, value in {**plain, **fields}.items() if name != left_out}).encode()


def changing(*changes: dict[str, Any], **fields: Any) -> bytes:
    return edited(VERSION, changes=changes, **fields)


def interactions() -> Iterator[tuple[bytes | None, str]]:
    yield from ((value, reason) for reason, value in UNREADABLE.items())
    for field in ("id", "ts", "features", "labels"):
        yield edited(EVENT, left_out=field), f"missing_{field}"
    for field in ("id", "key", "ts", "features", "labels", "shown", "schema_version", "weight"):
        wrong: dict[str, Any] = {field: "x" if field in ("ts", "features", "labels", "weight") else -1}
        yield edited(EVENT, **wrong), f"invalid_{field}"
    yield edited(EVENT, ts=7_200_001), "ts_ahead"
    yield edited(EVENT, ts=-(10**12)), "ts_behind"


def versions() -> Iterator[tuple[bytes | None, str]]:
    yield from ((value, reason) for reason, value in UNREADABLE.items())
    for field in ("version", "ts", "changes"):
        yield edited(VERSION, left_out=field), f"missing_{field}"
    for field in ("version", "ts", "changes", "author", "comment"):
        wrong: dict[str, Any] = {field: {}}
        yield edited(VERSION, **wrong), f"invalid_{field}"
    yield changing({}), "invalid_change"
    yield changing({"op": "add_label", "name": "a", "attribute": {}}), "unknown_member"
    yield changing({"op": "add", "name": "a"}), "unknown_op"
    yield changing({"op": "add_feature", "name": "a", "kind": "text"}), "unknown_kind"
    yield changing(ts=10**12), "ts_ahead"
    yield changing(version=3), "version_gap"
    yield changing({"op": "remove_label", "name": "a"}, version=1), "version_conflict"
    for what in ("feature", "label"):
        yield changing({"op": f"remove_{what}", "name": "a"}, version=2), f"{what}_absent"
    yield changing({"op": "add_feature", "name": "live", "kind": "numeric"}, version=2), "feature_live"
    yield changing({"op": "add_label", "name": "live"}, version=2), "label_live"
    until = {"name": "live", "to": "new", "alias_until": 9}
    kind = {"kind": "numeric"}
    again = {"op": "add_feature", "name": "live", **kind}
    yield changing({"op": "rename_feature", **until}, again, version=2), "feature_aliased"
    yield changing({"op": "rename_label", **until}, {"op": "add_label", "name": "live"}, version=2), "label_aliased"


def decoding_fails(value: bytes | None) -> str:
    with pytest.raises(InvalidInteraction) as refused:
        decode_interaction(value, None, 3_600_000, max_ahead_ms=3_600_000)
    assert len(str(refused.value)) > 20, "a sentence for people"
    return refused.value.reason


def applying_fails(value: bytes | None) -> str:
    live = changing({"op": "add_feature", "name": "live", "kind": "numeric"}, {"op": "add_label", "name": "live"})
    schema = Schema.empty().apply(parse_version(live))
    with pytest.raises((InvalidVersion, SchemaRejected)) as refused:
        schema.apply(parse_version(value, record_timestamp_ms=0))
    assert len(str(refused.value)) > 20
    assert isinstance(refused.value, InvalidVersion | SchemaRejected)
    return refused.value.reason


def waiting_fails(rejected: bool) -> str:
    """Return the reason for which an event that names version 1 is given up, which never came or was rejected."""
    aligner = Aligner([0], Rules(more_versions=False))
    if rejected:
        pending = PendingVersion.decode(Record("s", 0, 0, None, changing({}), None))
        aligner.deliver(pending)
        assert aligner.take(0.0, [0]) is pending
        aligner.rejected(pending)
    aligner.arrive([Item.decode(Record("i", 0, 0, None, edited(EVENT, schema_version=1), None))])
    taken = aligner.take(0.0, [0])
    assert isinstance(taken, list)
    assert taken[0].reason is not None
    return taken[0].reason


def test_every_reason_of_a_dead_letter_is_raised_and_no_other() -> None:
    raised = set()
    for value, reason in interactions():
        assert decoding_fails(value) == reason
        raised.add(reason)
    assert waiting_fails(rejected=False) == InteractionFault.VERSION_MISSING
    assert waiting_fails(rejected=True) == InteractionFault.VERSION_REJECTED
    raised |= {InteractionFault.VERSION_MISSING, InteractionFault.VERSION_REJECTED}
    assert raised == set(DEAD_LETTER_REASONS)


def test_every_reason_of_a_rejection_is_raised_and_no_other() -> None:
    raised = set()
    for value, reason in versions():
        assert applying_fails(value) == reason
        raised.add(reason)
    assert raised == set(REJECTION_REASONS)
