"""From what a file, a variable or a caller gave to the type that a setting declares, or a word on why not."""

from __future__ import annotations

import enum
import tomllib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["Mismatch", "as_type", "free_value", "from_text", "is_free_table", "is_optional"]

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


class Mismatch(Exception):
    """A value has not the type that its setting declares: what was wanted, and what to write instead."""

    def __init__(self, wanted: str, remedy: str) -> None:
        super().__init__(f"not {wanted}")
        self.wanted = wanted
        self.remedy = remedy


def is_optional(annotation: Any) -> bool:
    """Tell whether the setting may be unset: its type is `X | None`."""
    return _without_none(annotation) is not annotation


def is_free_table(annotation: Any) -> bool:
    """Tell whether the setting is a table whose keys are not ours (`Mapping[str, object]`)."""
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def as_type(value: object, annotation: Any) -> object:
    """Return `value` as the declared type; strict, except int for float and list for tuple.

    Raises:
        Mismatch: the value is of another type.
    """
    if is_optional(annotation):
        return None if value is None else as_type(value, _without_none(annotation))
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return _one_of(value, typing.get_args(annotation))
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise Mismatch("a list", 'Write a list, as in ["one", "two"].')
        element = typing.get_args(annotation)[0]
        return tuple(as_type(inner, element) for inner in value)
    if is_free_table(annotation):
        if not isinstance(value, Mapping):
            raise Mismatch("a table", "Write it as a table of its own, a name and a value a line.")
        return dict(value)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return annotation(_one_of(getattr(value, "value", value), tuple(member.value for member in annotation)))
    return _scalar(value, annotation)


def from_text(text: str, annotation: Any) -> object:
    """Read a value from an environment variable or `--set`, as the declared type.

    A list is written with commas or as a TOML array; an empty text unsets what may be unset.

    Raises:
        Mismatch: the text does not read as the declared type.
    """
    if is_optional(annotation):
        return None if text == "" else from_text(text, _without_none(annotation))
    origin = typing.get_origin(annotation)
    if origin is tuple:
        element = typing.get_args(annotation)[0]
        if text.lstrip().startswith("["):
            return as_type(_toml_value(text, otherwise=text), annotation)
        return tuple(from_text(part.strip(), element) for part in text.split(",") if part.strip())
    if origin is Literal:
        by_text = {str(choice): choice for choice in typing.get_args(annotation)}
        return by_text[text] if text in by_text else _one_of(text, typing.get_args(annotation))
    if is_free_table(annotation):
        return as_type(_toml_value(text, otherwise=text), annotation)
    if annotation is bool:
        lowered = text.strip().lower()
        if lowered in _TRUE or lowered in _FALSE:
            return lowered in _TRUE
    if annotation in (int, float):
        try:
            return as_type(annotation(text), annotation)
        except ValueError:
            pass
    return as_type(text, annotation)


def free_value(text: str) -> object:
    """Read the value of one key of a free table: a TOML value where it is one, else the text itself."""
    return _toml_value(text, otherwise=text)


def _toml_value(text: str, otherwise: object) -> object:
    if "\n" in text or "\r" in text:
        return otherwise
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return otherwise


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    kept = [part for part in typing.get_args(annotation) if part is not type(None)]
    if len(kept) != 1:
        raise TypeError(f"A setting's type is one type, or one type or None, not {annotation}.")
    return kept[0]


def _one_of(value: object, choices: tuple[object, ...]) -> object:
    if value in choices:
        return value
    offered = ", ".join(str(choice) for choice in choices)
    raise Mismatch("one of the choices", f"Choose one of: {offered}.")


def _scalar(value: object, annotation: Any) -> object:
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # A bool is an int to Python, but not to somebody who wrote `keep = true`.
    if annotation in (int, float, str, bool):
        if isinstance(value, annotation) and (annotation is bool or not isinstance(value, bool)):
            return value
        name, remedy = {
            int: ("a whole number", "Write digits only, without quotes."),
            float: ("a number", "Write a number without quotes."),
            str: ("a text", "Put it in quotes."),
            bool: ("true or false", "Write true or false, without quotes."),
        }[annotation]
        raise Mismatch(name, remedy)
    raise TypeError(f"{annotation} cannot be the type of a setting; stream/settings/convert.py lists those that can.")
