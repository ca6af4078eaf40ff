"""The fast reading of an interaction and the exact one agree on every value, and ordinary events take the fast one."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.errors import InvalidInteraction
from stream.records.interaction import _fast, _interaction, decode_interaction
from stream.records.strict_json import strict_object

EVENT: dict[str, Any] = {"id": "e", "key": "h", "ts": 5, "features": {"a": "b", "c": [1, "d"]}, "labels": ["x"]}


def exact(value: bytes) -> str:
    try:
        return repr(_interaction(strict_object(value, InvalidInteraction), b"k", labels_optional=False))
    except InvalidInteraction as error:
        return f"{error.reason}: {error}"


def as_built(value: bytes) -> str:
    """Return the outcome with types and the order of keys (a repr tells 1, 1.0 and True apart, and -0.0 from 0.0)."""
    try:
        return repr(decode_interaction(value, b"k"))
    except InvalidInteraction as error:
        return f"{error.reason}: {error}"


numbers = st.one_of(
    st.sampled_from(
        [
            *[
                "0",
                "-0",
                "1",
                "-0.0",
                "1.0",
                "1e2",
                "1E400",
                "NaN",
                "-Infinity",
                "1e-400",
                "1e16",
                "1e19",
                "9223372036854775807",
                "9223372036854775808",
            ],
            *["-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616"],
            *["1.7976931348623157e308", "1.7976931348623159e308", "0.1000000000000000055511151231257827"],
            *("9" * 308, "9" * 309),
        ]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
strings = st.one_of(
    st.sampled_from(
        [
            *('"a"', '"id"', '"ts"', '"features"', '"é"', '"\\u0061"', '"\\""', '"\\u0022"', '"\\\\u0022"'),
            *('"\\ud800"', '"\\udc00"', '"\\ud83d\\ude00"', '"\\ude00\\ud83d"', '"\\ud83d\\u0041"', '"\\\\ud800"'),
        ]
    ),
    st.text(max_size=4).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.text(max_size=4).map(json.dumps),
)


def listed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")


def objects(inner: st.SearchStrategy[str], names: st.SearchStrategy[str] = strings) -> st.SearchStrategy[str]:
    members = st.tuples(names, inner).map(":".join)  # a name may come twice
    return st.lists(members, max_size=4).map(lambda items: "{" + ",\n".join(items) + "}")


anything = st.recursive(
    st.one_of(numbers, strings, st.sampled_from(["null", "true", "false"])),
    lambda inner: st.one_of(listed(inner), objects(inner)),
    max_leaves=6,
)
usual: dict[str, st.SearchStrategy[str]] = {
    '"id"': strings,
    '"key"': strings,
    '"ts"': st.integers(-10, 10**13 + 3_600_001).map(str),
    '"features"': objects(st.one_of(numbers, strings, st.sampled_from(["null", "true"]), listed(anything), anything)),
    '"labels"': listed(strings),
    '"shown"': st.one_of(listed(strings), objects(listed(strings))),
    '"schema_version"': st.one_of(st.integers(0, 20).map(str), numbers),
    '"weight"': numbers,
}
REQUIRED = 5


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """Return mostly whole events; some with a field left out, of any type, repeated or unknown; in any order."""
    fields = [
        (name, draw(anything if draw(st.integers(0, 19)) == 0 else value))
        for index, (name, value) in enumerate(usual.items())
        if draw(st.integers(0, 29)) > 0 and (index < REQUIRED or draw(st.booleans()))
    ]
    if draw(st.integers(0, 3)) == 0:
        fields.append((draw(st.one_of(strings, st.sampled_from(list(usual)))), draw(anything)))
    fields = draw(st.permutations(fields))
    gap = draw(st.sampled_from(["", " ", "\n\t"]))
    return ("{" + ("," + gap).join(f"{name}{gap}:{value}" for name, value in fields) + "}").encode(
        "utf-8", "surrogatepass"
    )


@settings(max_examples=250, deadline=None)
@given(records())
@example(b'{"id":"e","key":"h","ts":5,"features":{"a":18446744073709551616},"labels":[]}')
@example(b'{"id":"e","key":"h","ts":5,"features":{"a":["b",-9223372036854775809]},"labels":[]}')
@example(b'{"id":"\\u0022","x":1,"x":1,"key":"\\u0022","ts":5,"features":{},"labels":[]}')
@example(b'{"id":"\\"","x":1,"x":1,"key":"\\"","ts":5,"features":{},"labels":[]}')
@example(b'{"id":"e","id":"e","key":"h","ts":5,"features":{},"labels":[]}')
@example(b'{"id":"e","\\u0069d":"e","key":"h","ts":5,"features":{},"labels":[]}')
@example(b'{"id":"e","key":"h","ts":5,"features":{},"labels":[],"schema_version":99999999999999999999}')
@example(b'{"id":[-9223372036854775809],"key":"h","ts":5,"features":{},"labels":[]}')
@example(b'{"id":"e","key":"h","ts":99999999999999999999,"features":{},"labels":[]}')
def test_both_readings_agree_on_events_and_on_what_is_nearly_one(value: bytes) -> None:
    assert as_built(value) == exact(value)


@settings(max_examples=80, deadline=None)
@given(records(), st.data())
def test_both_readings_agree_on_damaged_bytes(value: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(value)))
    damaged = value[:at] + data.draw(st.binary(max_size=3)) + value[at + data.draw(st.integers(0, 3)) :]
    assert as_built(damaged) == exact(damaged)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_give_an_interaction_or_the_one_error(value: bytes) -> None:
    assert as_built(value) == exact(value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"schema_version": 3, "weight": 0.5, "shown": {"a": ["b"]}},
        {"features": {"id": "key", "labels": ["features"], "ts": 1.5, "e": -0.0}},  # names of fields mean nothing there
        {"id": 'é😀\\"\n\x7f', "trace": {"nested": [1.5, None]}},
    ],
)
@pytest.mark.parametrize("write", [lambda value: json.dumps(value).encode(), orjson.dumps])
def test_ordinary_events_take_the_fast_reading(fields: dict[str, Any], write: Any) -> None:
    assert _fast(write({**EVENT, **fields})) is not None
