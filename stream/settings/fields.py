"""What a setting is: a field of a frozen dataclass that knows its help text, its unit and its bounds.

A part of the program declares its settings in its own room, without any I/O:

    @dataclass(frozen=True)
    class CheckpointSettings(Section):
        prefix: ClassVar[str] = "checkpoint"
        keep: int = setting(3, "How many checkpoints stay on disk.", minimum=1)

Whoever builds one, by hand or from a file, gets values of the declared types within the declared bounds, or a
`ConfigurationError` that names the key.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from stream.errors import ConfigurationError
from stream.settings.convert import Mismatch, as_type
from stream.settings.secrets import MASK, looks_secret

__all__ = ["About", "Section", "WrongSetting", "section", "setting"]

T = TypeVar("T")

_UNITS = ("seconds", "minutes", "hours", "days", "ms", "bytes", "events", "records", "pairs")


class WrongSetting(ConfigurationError):
    """A setting has a value that it cannot have; `key` is its dotted name, so that a loader can say who set it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True)
class About:
    """What is known of a setting beside its type and default; kept in the dataclass field's metadata."""

    help: str
    unit: str = ""
    choices: tuple[object, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None

    def complaint(self, value: object) -> tuple[str, str] | None:
        """Say what is wrong with `value` and what to do about it, or None if it may stand."""
        if self.choices and value not in self.choices:
            offered = ", ".join(str(choice) for choice in self.choices)
            return "is not one of the choices", f"Choose one of: {offered}."
        if isinstance(value, tuple):
            return next(filter(None, map(self._bounds_complaint, value)), None)
        return self._bounds_complaint(value)

    def range_text(self) -> str:
        """Describe the bounds in words: "at least 1, at most 10", or "" if there are none."""
        words = (("at least", self.minimum), ("above", self.above), ("at most", self.maximum), ("below", self.below))
        return ", ".join(f"{word} {bound:g}" for word, bound in words if bound is not None)

    def _bounds_complaint(self, value: object) -> tuple[str, str] | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if isinstance(value, float) and not math.isfinite(value):
            return "is not a finite number", f"Use a number{', ' if self.range_text() else ''}{self.range_text()}."
        low = (self.minimum is not None and value < self.minimum) or (self.above is not None and value <= self.above)
        high = (self.maximum is not None and value > self.maximum) or (self.below is not None and value >= self.below)
        if low or high:
            return f"is too {'small' if low else 'large'}", f"Use a number {self.range_text()}."
        return None


def setting(
    default: T,
    help: str,
    *,
    unit: str = "",
    choices: tuple[object, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> T:
    """Declare a setting as a dataclass field, with one sentence or more of help.

    The unit is read off the name's last word (`_seconds`, `_bytes`, `_events`, ...) unless it is given. `minimum` and
    `maximum` are allowed values themselves, `above` and `below` are not. In a tuple each element obeys the bounds.
    The declared return type is the setting's, as that of `dataclasses.field` is.
    """
    about = About(help, unit, choices, minimum, maximum, above, below)
    if isinstance(default, Mapping):
        return typing.cast("T", dataclasses.field(default_factory=lambda: dict(default), metadata={"about": about}))
    return dataclasses.field(default=default, metadata={"about": about})


def section(kind: type[T]) -> T:
    """Declare a nested section, by default `kind()`, as a dataclass field."""
    return dataclasses.field(default_factory=kind)


@dataclass(frozen=True)
class Section:
    """The base of every settings dataclass: construction checks types, choices and bounds, then calls `check`.

    Numbers are taken strictly, except that an integer may stand for a float and a list for a tuple. A class sets
    `prefix` to its dotted place in the settings ("checkpoint"), which error messages and files use.

    Raises:
        WrongSetting: a value has the wrong type, is not among the choices or is out of bounds.
    """

    prefix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field, annotation, about in declared(type(self)):
            if about is None:
                continue
            value = getattr(self, field.name)
            try:
                converted = as_type(value, annotation)
            except Mismatch as mismatch:
                raise self.wrong(field.name, f"is not {mismatch.wanted}", mismatch.remedy) from None
            object.__setattr__(self, field.name, converted)
            complaint = about.complaint(converted)
            if complaint is not None:
                raise self.wrong(field.name, *complaint)
        self.check()

    def check(self) -> None:
        """Refuse combinations that the single fields cannot see; for subclasses, which raise `self.wrong(...)`."""

    def wrong(self, name: str, what: str, remedy: str) -> WrongSetting:
        """Build the error of field `name`: "checkpoint.keep = 0 is too small. Use a number at least 1."."""
        key = self.key(name)
        value = getattr(self, name)
        shown = MASK if looks_secret(key) else repr(value)
        return WrongSetting(key, f"{key} = {shown} {what}. {remedy}")

    @classmethod
    def key(cls, name: str) -> str:
        """Return the dotted key of field `name` ("checkpoint.keep")."""
        return f"{cls.prefix}.{name}" if cls.prefix else name


def declared(kind: type[Any]) -> Iterator[tuple[dataclasses.Field[Any], Any, About | None]]:
    """Yield (field, resolved annotation, what is known of it) of a settings dataclass; None marks a nested section.

    A plain dataclass field with `metadata={"help": ...}` counts as a setting too.
    """
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        yield field, hints[field.name], _about(field, hints[field.name])


def _about(field: dataclasses.Field[Any], annotation: Any) -> About | None:
    if dataclasses.is_dataclass(annotation):
        return None
    about = field.metadata.get("about") or About(field.metadata["help"])
    last = field.name.rsplit("_", 1)[-1]
    return dataclasses.replace(about, unit=about.unit or (last if last in _UNITS else ""))
