"""A feature's value is read by its kind as part 1 of the contract lists them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.encoding.values import MISTYPED, boolean_value, categorical_value, multi_values, numeric_value

OBJECT: dict[str, int] = {"a": 1}


@pytest.mark.parametrize(
    ("value", "read"),
    [(3, 3.0), (2.5, 2.5), (True, 1.0), (False, 0.0), (0, 0.0), (10**30, 1e30), (1e300, 1e300), (None, None)]
    + [(value, MISTYPED) for value in ("1", "", [], [1], OBJECT)],
)
def test_numeric_takes_a_number_or_a_boolean(value: Any, read: Any) -> None:
    assert numeric_value(value) == read
    assert type(numeric_value(value)) is type(read)


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), (False, False), (1, True), (0, False), (1.0, True), (0.0, False), (-0.0, False), (None, None)]
    + [(value, MISTYPED) for value in (2, -1, 0.5, 10**30, "true", "1", "", [], [True], OBJECT)],
)
def test_boolean_takes_a_boolean_or_zero_or_one(value: Any, read: Any) -> None:
    assert boolean_value(value) is read


@pytest.mark.parametrize(
    ("value", "read"),
    [("s", "s"), ("", ""), ("true", "true"), (True, "true"), (False, "false"), (1, "1"), (0, "0"), (1.0, "1.0")]
    + [(-0.0, "-0.0"), (1e16, "1e+16"), (1e-7, "1e-07"), (2**70, "1180591620717411303424"), (None, None)]
    + [(value, MISTYPED) for value in ([], ["s"], OBJECT)],
)
def test_categorical_takes_a_string_a_boolean_or_a_number(value: Any, read: Any) -> None:
    assert categorical_value(value) == read


@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_categorical_number_reads_as_json_dumps_writes_it(value: Any) -> None:
    assert categorical_value(value) == json.dumps(value)
    assert categorical_value(json.loads(json.dumps(value))) == json.dumps(value)


@pytest.mark.parametrize(
    ("value", "read"),
    [(["a", "b"], ("a", "b")), (["b", "a", "b"], ("b", "a")), ([], ()), ("a", ("a",)), ("", ("",)), (None, None)]
    + [([True, 1, 1.0, "s"], ("true", "1", "1.0", "s")), (["1", 1, True, "true"], ("1", "true"))]
    + [(value, MISTYPED) for value in (1, 0, 1.5, True, False, OBJECT, ["a", None], [["a"]], [OBJECT])],
)
def test_multi_categorical_takes_a_list_or_one_string_as_a_set(value: Any, read: Any) -> None:
    assert multi_values(value) == read


@pytest.mark.parametrize("read", [numeric_value, boolean_value, categorical_value, multi_values])
def test_null_is_missing_and_an_object_is_mistyped_in_every_kind(read: Any) -> None:
    assert read(None) is None
    assert read(OBJECT) is MISTYPED


def test_false_zero_and_the_empty_list_are_values() -> None:
    assert numeric_value(0) == 0.0
    assert boolean_value(False) is False
    assert categorical_value(False) == "false"
    assert multi_values([]) == ()
