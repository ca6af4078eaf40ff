"""An interaction is read as part 1 of the contract has it, and nothing else passes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream.errors import InvalidInteraction, InvalidRecord, StreamError
from stream.records.interaction import Interaction, decode_interaction

TS = 1_483_273_827_000
EVENT: dict[str, Any] = {
    "id": "e-1",
    "key": "h906",
    "ts": TS,
    "features": {"store": "s319", "hour": 12, "campaigns": ["c26", "c30"], "spend_4w": None},
    "labels": ["c26:CEREAL"],
    "shown": {"campaign": ["c26", "c30"]},
    "schema_version": 12,
    "weight": 1.0,
}


def event(**fields: Any) -> bytes:
    return json.dumps({**EVENT, **fields}).encode()


def without(*fields: str) -> bytes:
    return json.dumps({name: value for name, value in EVENT.items() if name not in fields}).encode()


def reason(value: bytes | None, **record: Any) -> str:
    with pytest.raises(InvalidInteraction) as caught:
        decode_interaction(value, **record)
    assert len(str(caught.value)) > len(caught.value.reason), "the message is for people"
    return caught.value.reason


def each(field: str, *values: Any) -> list[tuple[str, Any]]:
    return [(field, value) for value in values]


def literal(text: str) -> bytes:
    """Return an event with this text as the value of the feature `x`."""
    return event(features={"x": "@"}).replace(b'"@"', text.encode())


def test_the_contracts_example_is_read_field_by_field() -> None:
    assert decode_interaction(event()) == Interaction(
        id="e-1",
        key="h906",
        ts=TS,
        features={"store": "s319", "hour": 12, "campaigns": ["c26", "c30"], "spend_4w": None},
        labels=("c26:CEREAL",),
        shown={"campaign": ("c26", "c30")},
        schema_version=12,
        weight=1.0,
    )


def test_optional_fields_may_be_left_out() -> None:
    read = decode_interaction(without("shown", "schema_version", "weight"))
    assert (read.shown, read.schema_version, read.weight) == (None, None, 1.0)


def test_other_top_level_keys_are_ignored() -> None:
    assert decode_interaction(event(trace={"span": [1, {"a": None}]}, note="x")) == decode_interaction(event())


def test_labels_and_shown_are_sets_in_the_order_sent() -> None:
    read = decode_interaction(event(labels=["b", "a", "b"], shown=["z", "y", "z"]))
    assert (read.labels, read.shown) == (("b", "a"), ("z", "y"))
    assert decode_interaction(event(shown={"b": ["2", "1", "2"], "a": []})).shown == {"b": ("2", "1"), "a": ()}


def test_an_empty_list_and_an_empty_selector_are_not_the_absence_of_shown() -> None:
    assert decode_interaction(event(shown=[])).shown == ()
    assert decode_interaction(event(shown={})).shown == {}


def test_the_records_key_stands_in_only_where_the_value_has_none() -> None:
    assert decode_interaction(event(), record_key=b"other").key == "h906"
    assert decode_interaction(without("key"), record_key="hé".encode()).key == "hé"
    assert decode_interaction(event(), record_key=b"\xff").key == "h906"
    assert reason(without("key"), record_key=b"\xff") == "invalid_key"


def test_null_for_a_key_and_no_key_anywhere_are_anonymous() -> None:
    assert decode_interaction(without("key")).key is None
    assert decode_interaction(event(key=None)).key is None
    assert decode_interaction(event(key=None), record_key=b"h1").key is None, "null says so, whatever the record's key"
    assert decode_interaction(event(key="")).key == "", "an empty text is a key like others"


def test_ts_may_be_an_hour_ahead_of_the_record_and_no_millisecond_more() -> None:
    decode_interaction(event(), record_timestamp_ms=TS - 3_600_000)
    assert reason(event(), record_timestamp_ms=TS - 3_600_001) == "ts_ahead"
    assert reason(event(), record_timestamp_ms=TS - 11, max_ahead_ms=10) == "ts_ahead"


def test_ts_may_be_twenty_years_behind_the_record_and_no_millisecond_more() -> None:
    twenty_years = 20 * 31_557_600_000
    decode_interaction(event(), record_timestamp_ms=TS + twenty_years)
    assert reason(event(), record_timestamp_ms=TS + twenty_years + 1) == "ts_behind"
    assert reason(event(), record_timestamp_ms=TS + 11, max_behind_ms=10) == "ts_behind"


@pytest.mark.parametrize(
    ("ts", "fault", "unit"),
    [
        (1_710_325_274, "ts_behind", "it seems to be in seconds"),
        (1_710_325_274_000_000, "ts_ahead", "it seems to be in microseconds"),
        (5, "ts_behind", "check the producer's clock"),
    ],
)
def test_a_ts_in_another_unit_is_said_with_its_date_and_unit(ts: int, fault: str, unit: str) -> None:
    with pytest.raises(InvalidInteraction) as refused:
        decode_interaction(event(ts=ts), record_timestamp_ms=1_710_325_280_000)
    assert refused.value.reason == fault
    assert unit in str(refused.value)
    assert "UTC" in str(refused.value)
    assert f"raise max_{fault.removeprefix('ts_')}_seconds" in str(refused.value)


def test_labels_may_be_left_out_where_nobody_asks_and_are_held_to_the_contract_where_they_are_there() -> None:
    assert decode_interaction(without("labels"), labels_optional=True).labels == ()
    assert decode_interaction(event(), labels_optional=True) == decode_interaction(event())
    with pytest.raises(InvalidInteraction):
        decode_interaction(event(labels=None), labels_optional=True)


@pytest.mark.parametrize("timestamp", [None, -1])
def test_a_record_without_a_timestamp_sets_no_bound(timestamp: int | None) -> None:
    assert (
        decode_interaction(event(ts=8_640_000_000_000_000), record_timestamp_ms=timestamp).ts == 8_640_000_000_000_000
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *each("id", 1, None, True, ["e"], {}),
        *each("key", 1, False, [], {}),
        *(
            ("ts", value)
            for value in ("1", None, True, 12.0, 1.5, 8_640_000_000_000_001, -8_640_000_000_000_001, 2**70)
        ),
        *each("features", [], None, "x", 1, True),
        *each("labels", {}, None, "x", 1, [1], ["a", None], [["a"]]),
        *each("shown", None, "x", 1, True, [1], {"a": "b"}, {"a": None}, {"a": [1]}, {"a": {}}),
        *each("schema_version", "1", None, True, 1.0, -1, []),
        *each("weight", "1", None, True, -1, -0.5, [], {}, -(2**70)),
    ],
)
def test_a_field_of_the_wrong_type_or_range_is_named_in_the_reason(field: str, value: Any) -> None:
    assert reason(event(**{field: value})) == f"invalid_{field}"


@pytest.mark.parametrize("field", ["id", "ts", "features", "labels"])
def test_a_missing_field_is_named_in_the_reason(field: str) -> None:
    assert reason(without(field)) == f"missing_{field}"


@pytest.mark.parametrize(("field", "value"), [("ts", -5), ("ts", 0), ("schema_version", 0), ("weight", 0), ("id", "")])
def test_the_ends_of_a_range_are_inside(field: str, value: Any) -> None:
    assert getattr(decode_interaction(event(**{field: value})), field) == value


def test_an_integer_weight_is_a_float_from_then_on() -> None:
    assert type(decode_interaction(event(weight=2)).weight) is float
    assert decode_interaction(event(weight=10**30)).weight == 1e30


@pytest.mark.parametrize(
    "spelling",
    ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 309, "-" + "9" * 400, "9" * 5000, "1.8e308"],
)
@pytest.mark.parametrize("place", ["@", "[@]", '{"deep": [0, {"er": @}]}'])
def test_no_number_beyond_a_double_passes_anywhere(spelling: str, place: str) -> None:
    number = place.replace("@", spelling)
    assert reason(literal(number)) == "not_finite"
    assert reason(event(ignored="@").replace(b'"@"', number.encode())) == "not_finite"
    twice = event().replace(b'"features": {', b'"features": {"x": %s, "x": 1, ' % number.encode())
    assert reason(twice) == "not_finite"


@pytest.mark.parametrize("spelling", ["1.7976931348623157e308", "9" * 308, "-" + "9" * 308, "1e-999", "0.0", "-0"])
def test_what_a_double_can_hold_passes(spelling: str) -> None:
    assert decode_interaction(literal(spelling)).features["x"] == json.loads(spelling)


@pytest.mark.parametrize(
    "value",
    [
        event().replace(b"h906", b"\xff"),
        event().replace(b"h906", b"\xed\xa0\x80"),
        event().replace(b"h906", b"\\ud800"),
        event().replace(b"h906", b"\\udc00\\ud800"),
        event().replace(b"h906", b"\\ud83d\\u0041"),
        event().replace(b'"store"', b'"\\uDfff"'),
        event(ignored=[{"a": "@"}]).replace(b"@", b"\\ud800"),
        event(ignored=[{"@": 1}]).replace(b"@", b"x\\uDBFF"),
        event(ignored=[{"a": "@", "b": 1}]).replace(b'"b"', b'"a"').replace(b"@", b"\\ud800"),
        json.dumps(EVENT).encode("utf-16"),
    ],
)
def test_what_utf8_cannot_hold_is_invalid_wherever_it_stands(value: bytes) -> None:
    assert reason(value) == "not_utf8"


def test_escapes_that_utf8_can_hold_pass() -> None:
    read = decode_interaction(event(id="@").replace(b"@", b"\\ud83d\\ude00\\\\ud800\\u0000\\u00e9"))
    assert read.id == "\U0001f600\\ud800\0é"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"{",
        b"\x00",
        event() + b"x",
        event() + event(),
        b"\xef\xbb\xbf" + event(),
        event().replace(b'"e-1"', b"'e-1'"),
        event().replace(b"h906", b"h\n906"),
        event().replace(b"}", b",}"),
        literal("01"),
        literal("1."),
        literal("+1"),
        literal(".5"),
        literal("nan"),
        literal("True"),
        literal('"\\x"'),
        literal('"\\u12g4"'),
        literal("\u0661"),
    ],
)
def test_what_is_not_json_is_invalid(value: bytes) -> None:
    assert reason(value) == "not_json"


@pytest.mark.parametrize("value", [b"[]", b'"x"', b"1", b"1.5", b"null", b"true", b"[" + event() + b"]"])
def test_what_is_not_an_object_is_invalid(value: bytes) -> None:
    assert reason(value) == "not_object"


def test_a_record_without_a_value_is_invalid() -> None:
    assert reason(None) == "no_value"


@pytest.mark.parametrize(
    "extra",
    [
        b'"ts": 1',
        b'"id": "e-1"',
        b'"trace": 1, "trace": 1',
        b'"\\u0074s": 1',
        b'"tr\\u0061ce": 1, "trace": 2',
        b'"":1,"":1',
    ],
)
def test_a_repeated_top_level_key_is_invalid_even_where_it_is_ignored_or_escaped(extra: bytes) -> None:
    assert reason(event()[:-1] + b", " + extra + b"}") == "duplicate_key"
    assert reason(b"{" + extra + b", " + event()[1:]) == "duplicate_key"


def test_a_repeated_key_further_down_is_allowed_and_its_last_value_counts() -> None:
    assert decode_interaction(literal('1, "x": 2')).features == {"x": 2}
    assert decode_interaction(event(shown={"a": ["@"]}).replace(b'["@"]', b'["b"], "a": ["c"]')).shown == {"a": ("c",)}


def test_a_name_of_a_field_may_be_a_features_too() -> None:
    assert decode_interaction(event(features={"id": "ts", "ts": 1, "features": "x"})).features["ts"] == 1


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], [None], [{"a": []}]])
def test_a_features_value_of_no_kind_leaves_the_event_valid(value: Any) -> None:
    assert decode_interaction(event(features={"x": value})).features == {"x": value}


@pytest.mark.parametrize("spelling", ["9223372036854775808", "18446744073709551616", "-9223372036854775809", "9" * 30])
def test_an_integer_beyond_64_bits_stays_that_integer(spelling: str) -> None:
    read = decode_interaction(literal(f'{spelling}, "y": [{spelling}]')).features
    assert read == {"x": int(spelling), "y": [int(spelling)]}
    assert type(read["x"]) is type(read["y"][0]) is int
    assert type(decode_interaction(literal(f"[{spelling}]")).features["x"][0]) is int


@pytest.mark.parametrize(("depth", "valid"), [(100, True), (260, True), (500, True), (600, False), (100_000, False)])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_has_a_bound_and_no_depth_is_a_crash(depth: int, valid: bool, opening: str, closing: str) -> None:
    value = literal(opening * depth + "1" + closing * depth)
    if valid:
        assert decode_interaction(value).id == "e-1"
    else:
        assert reason(value) == "too_deep"


def test_many_brackets_side_by_side_or_in_a_string_are_not_depth() -> None:
    assert len(decode_interaction(literal("[" + "[],{}," * 1000 + "[]]")).features["x"]) == 2001
    assert decode_interaction(literal('"' + '[{\\"' * 1000 + '"')).id == "e-1"


def test_unclosed_brackets_without_end_are_invalid() -> None:
    assert reason(b"[" * 1_000_000) in ("too_deep", "not_json")


def test_the_message_says_field_fault_and_remedy() -> None:
    with pytest.raises(
        InvalidInteraction, match=r"the field labels is a list that holds null; it has to be a list of st"
    ):
        decode_interaction(event(labels=["a", None]))
    with pytest.raises(InvalidInteraction, match=r"the field ts is the number 12\.0; it has to be an integer"):
        decode_interaction(event(ts=12.0))


def test_a_message_is_short_whatever_the_record_holds() -> None:
    for value in (event() + b', "x": 1', event(ts=int("9" * 300)), event(**{"k" * 9999: 1})[:-1] + b', "id": 1}'):
        with pytest.raises(InvalidInteraction) as caught:
            decode_interaction(value)
        assert len(str(caught.value)) < 300
    twice = (b'"' + b"k" * 9999 + b'": 1, ') * 2
    with pytest.raises(InvalidInteraction) as caught:
        decode_interaction(b"{" + twice + event()[1:])
    assert len(str(caught.value)) < 300


def test_invalid_records_are_errors_of_the_one_tree() -> None:
    assert issubclass(InvalidInteraction, InvalidRecord)
    assert issubclass(InvalidRecord, StreamError)
