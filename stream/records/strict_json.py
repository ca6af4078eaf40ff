"""One JSON object out of bytes, by the strict reading that the contract asks for of every record.

Python's `json` is lenient where the contract is not (NaN, lone surrogates, duplicate keys) and `orjson` if it may
not be (duplicate keys, integers beyond 64 bits become floats). This module is the exact reading;
`stream.records.interaction` has the fast one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from stream.errors import InvalidRecord
from stream.records.reasons import Unreadable

__all__ = ["MAX_DEPTH", "described", "quoted", "strict_object"]

MAX_DEPTH = 512
"""Levels of nesting that a record may have; Python's own parser gives up somewhere below a thousand."""

_LONGEST_SAFE_INTEGER = 308
"""Digits (or digits and a sign) that cannot overflow a double: the largest has 309 digits."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a proper pair
    r"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|\\.",
    re.DOTALL,
)


class _NotFinite(ValueError):
    """A number that a double cannot hold; a class of its own, as JSONDecodeError is a ValueError too."""


def strict_object(
    value: bytes | None,
    error: Callable[[Unreadable, str], InvalidRecord],
    parse_float: Callable[[str], int | float] = float,
) -> dict[str, Any]:
    """Return the JSON object that `value` holds, with Python's integers and floats kept apart and exact.

    Args:
        value: the record's value; None is a record without one.
        error: makes the error from a reason and a message; a subclass of InvalidRecord will do.
        parse_float: makes the number from a literal with a fraction or an exponent.

    Raises:
        InvalidRecord: as made by `error`, if the value is absent, not UTF-8, not JSON, not an object, has a lone
            surrogate, NaN, Infinity or overflow anywhere, a top-level key twice, or more than MAX_DEPTH levels.
            (Below the top level a repeated key is allowed, as the contract has it, and its last value counts.)
    """
    if value is None:
        raise error(Unreadable.NO_VALUE, "the record has no value; publish one (a tombstone means nothing here)")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error(
            Unreadable.NOT_UTF8, f"the value is not UTF-8: {problem.reason} at byte {problem.start}; encode it as UTF-8"
        ) from None

    outermost: list[tuple[str, Any]] = []

    def remember(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal outermost
        outermost = pairs  # objects close from the inside out: the last to be seen is the outermost
        return dict(pairs)

    def number(literal: str) -> int | float:
        if math.isinf(float(literal)):
            raise _NotFinite(literal)
        return parse_float(literal)

    too_deep = f"the value is nested deeper than {MAX_DEPTH} levels; flatten it"
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise error(Unreadable.TOO_DEEP, too_deep)
    try:
        decoded = json.loads(
            text, object_pairs_hook=remember, parse_float=number, parse_int=_integer, parse_constant=_constant
        )
    except _NotFinite as problem:
        literal = str(problem)
        shown = literal if len(literal) <= 40 else f"{literal[:20]}… ({len(literal)} characters)"
        raise error(
            Unreadable.NOT_FINITE, f"the value holds {shown}, which is no finite number; send null where there is none"
        ) from None
    except RecursionError:
        raise error(Unreadable.TOO_DEEP, too_deep) from None
    except ValueError as problem:
        raise error(Unreadable.NOT_JSON, f"the value is not JSON: {problem}") from None
    if "\\u" in text and any(match["lone"] for match in _ESCAPE.finditer(text)):
        raise error(
            Unreadable.NOT_UTF8,
            "the value escapes a lone surrogate (\\ud800 to \\udfff), which no UTF-8 can hold; escape pairs",
        )
    if not isinstance(decoded, dict):
        raise error(Unreadable.NOT_OBJECT, f"the value is {described(decoded)}; it has to be an object")
    if len(outermost) != len(decoded):
        seen: set[str] = set()
        twice = next(key for key, _ in outermost if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise error(Unreadable.DUPLICATE_KEY, f"the top-level key {quoted(twice)} is there twice; send it once")
    return decoded


def described(value: object) -> str:
    """Return what kind of JSON value `value` is, for a message, with the value itself where it is a number."""
    if type(value) in (int, float):
        return f"the number {value!s:.40}"
    words = {bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    return words.get(type(value), "null")


def quoted(text: str, limit: int = 60) -> str:
    """Return `text` in quotes for a message, cut after `limit` characters: names in records have no bound."""
    return json.dumps(text if len(text) <= limit else text[:limit] + "…", ensure_ascii=False)


def _integer(literal: str) -> int:
    # Overflow is asked first: int() of thousands of digits is slow, and refused by Python beyond 4,300.
    if len(literal) > _LONGEST_SAFE_INTEGER and math.isinf(float(literal)):
        raise _NotFinite(literal)
    return int(literal)


def _constant(literal: str) -> NoReturn:
    raise _NotFinite(literal)


def _depth(text: str) -> int:
    """Return the deepest nesting of brackets outside strings; what is not JSON may give any figure."""
    deepest = depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest
