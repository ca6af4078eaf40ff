"""A feature's JSON value, read by the feature's kind.

Each function returns the value as its kind has it, None if the value is missing (JSON's null), or MISTYPED where
the kind does not take such a value: it then counts as missing too, and is counted (contract, part 1). Values are as
`stream.records.interaction` decodes them: finite, integers and floats kept apart.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

__all__ = ["MISTYPED", "Mistyped", "boolean_value", "categorical_value", "multi_values", "numeric_value"]


class Mistyped(Enum):
    """The type of MISTYPED, a value of a type that the feature's kind does not take."""

    MISTYPED = "mistyped"


MISTYPED: Final[Literal[Mistyped.MISTYPED]] = Mistyped.MISTYPED


def numeric_value(value: object) -> float | Mistyped | None:
    """Return a number or a boolean (as 0.0 or 1.0) as a float64; its size is not limited to what a float32 holds."""
    if isinstance(value, (float, int)):  # a bool is an int
        return float(value)
    return None if value is None else MISTYPED


def boolean_value(value: object) -> bool | Mistyped | None:
    """Return a boolean, or the number 0 or 1 (0.0 and 1.0 are these too), as a bool."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (float, int)) and (value == 0 or value == 1):
        return bool(value)
    return None if value is None else MISTYPED


def categorical_value(value: object) -> str | Mistyped | None:
    """Return a string as it is, a boolean or a number as `json.dumps` writes it: `true`, `1`, `1.0`, `1e+16`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    return None if value is None else MISTYPED


def multi_values(value: object) -> tuple[str, ...] | Mistyped | None:
    """Return the distinct elements of a list, in order, each read as a categorical value; one string is a list of one.

    An empty list is a value, not a missing one. An element that is no string, boolean or number (null included) makes
    the whole list mistyped.
    """
    if isinstance(value, list):
        distinct: dict[str, None] = {}
        for element in value:
            read = element if type(element) is str else categorical_value(element)
            if read is None or read is MISTYPED:
                return MISTYPED
            distinct[read] = None
        return tuple(distinct)
    if isinstance(value, str):
        return (value,)
    return None if value is None else MISTYPED
