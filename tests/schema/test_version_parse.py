"""A record of the schema topic is a version, or invalid, as part 2 of the contract has it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream.errors import InvalidRecord, InvalidVersion
from stream.schema import Change, Kind, Op, Version, parse_version, version_to_json

CONTRACT = b"""{"version": 13, "ts": 1485690806000, "changes": [{"op": "add_feature", "name": "in_c27",
"kind": "numeric"}, {"op": "add_label", "name": "c27:SOAP", "attributes": {"campaign": "c27", "category": "SOAP"}},
{"op": "remove_label", "name": "c24:SOAP"}]}"""


def record(changes: Any = (), **fields: Any) -> bytes:
    return json.dumps({"version": 1, "ts": 5, "changes": changes, **fields}).encode()


def each(field: str, *values: Any) -> list[tuple[dict[str, Any], str]]:
    return [({field: value}, f"invalid_{field}") for value in values]


def invalid(value: bytes | None) -> InvalidVersion:
    with pytest.raises(InvalidVersion) as caught:
        parse_version(value)
    assert len(str(caught.value)) > len(caught.value.reason), "the message is for people"
    return caught.value


def content(value: bytes) -> str:
    return parse_version(value).content


def test_the_contracts_example_is_read_change_by_change() -> None:
    expected = [
        Change(Op.ADD_FEATURE, "in_c27", kind=Kind.NUMERIC),
        Change(Op.ADD_LABEL, "c27:SOAP", attributes={"campaign": "c27", "category": "SOAP"}),
        Change(Op.REMOVE_LABEL, "c24:SOAP"),
    ]
    assert parse_version(CONTRACT) == Version.of(13, 1485690806000, expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"op": "remove_feature", "name": "a"}, Change(Op.REMOVE_FEATURE, "a")),
        ({"op": "rename_feature", "name": "a", "to": "b"}, Change(Op.RENAME_FEATURE, "a", to="b")),
        *(
            ({"op": op, "name": "a", "kind": kind}, Change(Op(op), "a", kind=Kind(kind)))
            for op in ("add_feature", "retype_feature")
            for kind in ("numeric", "boolean", "categorical", "multi_categorical")
        ),
        ({"op": "add_label", "name": "a"}, Change(Op.ADD_LABEL, "a")),
        ({"op": "add_label", "name": "a", "attributes": {}}, Change(Op.ADD_LABEL, "a", attributes={})),
        ({"op": "rename_label", "name": "a", "to": "a"}, Change(Op.RENAME_LABEL, "a", to="a")),
        ({"op": "update_label", "name": "", "attributes": {"": ""}}, Change(Op.UPDATE_LABEL, "", attributes={"": ""})),
    ],
)
def test_each_operation_is_read_and_written(change: dict[str, Any], expected: Change) -> None:
    version = parse_version(record([change]))
    assert version.changes == (expected,)
    assert json.loads(version_to_json(version))["changes"] == [change]
    assert parse_version(version_to_json(version)) == version


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (None, "invalid_change"),
        (1, "invalid_change"),
        ("add_feature", "invalid_change"),
        ([], "invalid_change"),
        ({}, "invalid_change"),
        ({"op": "remove_label"}, "invalid_change"),
        ({"name": "a"}, "invalid_change"),
        ({"op": 1, "name": "a"}, "invalid_change"),
        ({"op": "drop_feature", "name": "a"}, "unknown_op"),
        ({"op": "ADD_LABEL", "name": "a"}, "unknown_op"),
        ({"op": "remove_label", "name": None}, "invalid_change"),
        ({"op": "add_feature", "name": "a"}, "invalid_change"),
        ({"op": "add_feature", "name": "a", "kind": 1}, "invalid_change"),
        ({"op": "add_feature", "name": "a", "kind": "text"}, "unknown_kind"),
        ({"op": "retype_feature", "name": "a", "kind": "Numeric"}, "unknown_kind"),
        ({"op": "rename_feature", "name": "a"}, "invalid_change"),
        ({"op": "rename_label", "name": "a", "to": 1}, "invalid_change"),
        ({"op": "update_label", "name": "a"}, "invalid_change"),
        ({"op": "update_label", "name": "a", "attributes": None}, "invalid_change"),
        ({"op": "update_label", "name": "a", "attributes": ["x"]}, "invalid_change"),
        ({"op": "add_label", "name": "a", "attributes": None}, "invalid_change"),
        ({"op": "add_label", "name": "a", "attributes": "x"}, "invalid_change"),
        ({"op": "add_label", "name": "a", "attributes": {"a": {}}}, "invalid_change"),
        ({"op": "add_label", "name": "a", "attributes": {"a": None}}, "invalid_change"),
        ({"op": "add_label", "name": "a", "attributes": {"a": "b", "c": ["b"]}}, "invalid_change"),
    ],
)
def test_a_malformed_change_is_invalid_and_its_place_is_said(change: Any, reason: str) -> None:
    error = invalid(record([{"op": "remove_label", "name": "x"}, change]))
    assert error.reason == reason
    assert "changes[1]" in str(error)
    assert (error.version, error.ts) == (1, 5)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        *each("version", 0, -1, 1.0, True, "1", None),
        *each("ts", 1.0, True, "1", None, 8_640_000_000_000_001, -(10**30)),
        *each("changes", {}, None, "x", 1),
    ],
)
def test_a_field_of_the_wrong_type_or_range_is_invalid(fields: dict[str, Any], reason: str) -> None:
    assert invalid(record(**fields)).reason == reason


@pytest.mark.parametrize("field", ["version", "ts", "changes"])
def test_a_missing_field_is_named(field: str) -> None:
    left = {name: value for name, value in json.loads(record()).items() if name != field}
    error = invalid(json.dumps(left).encode())
    assert error.reason == f"missing_{field}"
    assert (error.version, error.ts) == (left.get("version"), left.get("ts"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no_value"),
        (b"", "not_json"),
        (record()[:-1], "not_json"),
        (b"[]", "not_object"),
        (record(comment="\xff").replace(b"\\u00ff", b"\xff"), "not_utf8"),
        (record(comment="@").replace(b"@", b"\\ud800"), "not_utf8"),
        (record(comment="@").replace(b'"@"', b"NaN"), "not_finite"),
        (record(comment="@").replace(b'"@"', b"[1e999]"), "not_finite"),
        (record()[:-1] + b', "ts": 5}', "duplicate_key"),
        (record()[:-1] + b', "n": 1, "n": 1}', "duplicate_key"),
        (record(comment="@").replace(b'"@"', b"[" * 5000 + b"]" * 5000), "too_deep"),
    ],
)
def test_the_strict_reading_of_json_holds_for_versions_too(value: bytes | None, reason: str) -> None:
    assert invalid(value).reason == reason


def test_author_and_comment_are_kept_and_are_not_content() -> None:
    signed = parse_version(record(author="me", comment="why"))
    assert (signed.author, signed.comment) == ("me", "why")
    assert signed.content == parse_version(record()).content
    assert parse_version(version_to_json(signed)) == signed
    assert json.loads(version_to_json(parse_version(record()))).keys() == {"version", "ts", "changes"}
    for field in ("author", "comment"):
        for wrong in (None, 1, ["me"]):
            assert invalid(record(**{field: wrong})).reason == f"invalid_{field}"


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ({"op": "add_label", "name": "tea", "attribute": {"kind": "hot"}}, "did you mean attributes?"),
        ({"op": "add_label", "name": "tea", "Attributes": {}}, "did you mean attributes?"),
        ({"op": "add_label", "name": "tea", "kind": "numeric"}, "it has op, name, attributes"),
        ({"op": "add_feature", "name": "tea", "type": "numeric"}, "did you mean kind?"),
        ({"op": "add_feature", "name": "tea", "kind": "numeric", "note": 1}, "it has op, name, kind"),
        ({"op": "rename_label", "name": "tea", "new_name": "chai"}, "did you mean to?"),
        ({"op": "remove_label", "name": "tea", "to": None}, "it has op, name"),
        ({"op": "remove_label", "Name": "tea"}, "did you mean name?"),
    ],
)
def test_a_member_that_an_operation_does_not_have_is_refused_with_what_was_probably_meant(
    change: dict[str, Any], meant: str
) -> None:
    error = invalid(record([{"op": "add_label", "name": "b", "attributes": {}}, change]))
    assert error.reason == "unknown_member"
    assert str(error).startswith("changes[1]"), str(error)
    assert meant in str(error)
    assert "name" not in change or f'({change["op"]} "tea")' in str(error), "the offer is named, not its place alone"


@pytest.mark.parametrize(
    ("field", "meant"),
    [("chagnes", "changes"), ("Version", "version"), ("comments", "comment"), ("x", "it has version")],
)
def test_a_member_that_a_version_does_not_have_is_refused(field: str, meant: str) -> None:
    error = invalid(record(**{field: 1}))
    assert error.reason == "unknown_member"
    assert f'"{field}"' in str(error)
    assert meant in str(error)
    assert (error.version, error.ts) == (1, 5)


@pytest.mark.parametrize(
    ("change", "reason", "meant"),
    [
        ({"op": "add_lable", "name": "tea"}, "unknown_op", "did you mean add_label?"),
        ({"op": "add_feature", "name": "tea", "kind": "boolen"}, "unknown_kind", "did you mean boolean?"),
        ({"op": "add_feature", "name": "tea", "kind": "x"}, "unknown_kind", "use one of numeric, boolean"),
    ],
)
def test_a_word_that_is_nearly_one_is_asked_about(change: dict[str, Any], reason: str, meant: str) -> None:
    error = invalid(record([change]))
    assert error.reason == reason
    assert meant in str(error)
    assert '"tea"' in str(error)


def test_a_long_unknown_name_costs_no_more_than_a_short_one() -> None:
    error = invalid(record(**{"x" * 900_000: 1}))
    assert error.reason == "unknown_member"
    assert len(str(error)) < 300


def test_attributes_may_be_numbers_and_booleans_and_are_read_as_a_categorical_feature_reads_them() -> None:
    given = {"a": "x", "b": 7, "c": 1.0, "d": True, "e": False, "f": -0.5, "g": 10**30}
    (change,) = parse_version(record([{"op": "add_label", "name": "tea", "attributes": given}])).changes
    assert change.attributes == {
        "a": "x",
        "b": "7",
        "c": "1.0",
        "d": "true",
        "e": "false",
        "f": "-0.5",
        "g": "1" + "0" * 30,
    }


@pytest.mark.parametrize(("value", "found"), [(None, "null"), ([1], "a list"), ({}, "an object")])
def test_a_wrong_attribute_is_named_with_its_offer(value: Any, found: str) -> None:
    error = invalid(record([{"op": "add_label", "name": "tea", "attributes": {"good": 1, "price": value}}]))
    assert f'changes[0] (add_label "tea"): the attribute "price" is {found}' in str(error)


def test_content_is_equal_where_ts_and_changes_are_equal_as_json_values() -> None:
    one = b'{"version":1,"ts":5,"changes":[{"op":"add_label","name":"\xc3\xa9","attributes":{"a":"1","b":2}}]}'
    other = (
        b'{"changes": [{"attributes": {"b": 2.0, "a": "\\u0031"}, "name": "\\u00e9",\n"op": "add_label"}],'
        b' "comment": "x", "ts": 5, "version": 2}'
    )
    assert content(one) == content(other)
    for spelling in (b"2e0", b"20e-1", b"2.000"):
        assert content(one.replace(b'"b":2', b'"b":' + spelling)) == content(one)
    assert content(one.replace(b'"b":2', b'"b":-0.0')) == content(one.replace(b'"b":2', b'"b":0'))


@pytest.mark.parametrize(
    "changes",
    [
        [{"op": "add_label", "name": "a", "attributes": {}}],
        [{"op": "add_label", "name": "b"}],
        [{"op": "add_label", "name": "a", "attributes": {"n": True}}],
        [{"op": "add_label", "name": "a", "attributes": {"n": 1}}],
        [{"op": "add_label", "name": "a", "attributes": {"n": "1"}}],
        [{"op": "add_label", "name": "a", "attributes": {"n": 1.5}}],
        [{"op": "add_label", "name": "a"}, {"op": "remove_label", "name": "a"}],
        [],
    ],
)
def test_content_differs_where_a_json_value_differs(changes: list[Any]) -> None:
    plain = [{"op": "add_label", "name": "a"}]
    assert content(record(changes)) != content(record(plain))
    assert content(record(plain, ts=6)) != content(record(plain))


def test_the_order_of_changes_is_content_and_that_of_keys_is_not() -> None:
    first, second = {"op": "add_label", "name": "a"}, {"name": "b", "op": "add_label"}
    assert content(record([first, second])) != content(record([second, first]))
    assert content(record([first])) == content(record([dict(reversed(first.items()))]))


def test_an_invalid_version_is_an_invalid_record() -> None:
    assert issubclass(InvalidVersion, InvalidRecord)
