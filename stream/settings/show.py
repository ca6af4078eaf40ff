"""Showing the settings: a commented TOML file that explains them, and the values in force with secrets masked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import reduce
from itertools import groupby
from textwrap import wrap
from typing import Any

from stream.settings.catalogue import Entry, entries, sections
from stream.settings.secrets import masked_value

__all__ = ["commented_toml", "effective_toml", "literal", "masked", "sentence"]

_WIDTH = 100


def masked(settings: Any) -> dict[str, Any]:
    """Return the settings as nested dicts of JSON values, with everything secret replaced by asterisks."""
    shown: dict[str, Any] = {name: masked(getattr(settings, name)) for name, _ in sections(type(settings))}
    own = (entry for entry in entries(type(settings)) if not entry.table)
    values = {entry.name: masked_value(entry.name, getattr(settings, entry.name)) for entry in own}
    return {**values, **shown}


def effective_toml(settings: Any) -> str:
    """Return the values in force as TOML, a line each, with everything secret masked; unset ones are comments."""
    return _document(type(settings), settings, explained=False)


def commented_toml(kind: type[Any]) -> str:
    """Return a TOML file with every setting at its default, its meaning, unit, choices and environment variable.

    Loading the text gives the defaults back.
    """
    return _document(kind, None, explained=True)


def _document(kind: type[Any], settings: Any, explained: bool) -> str:
    lines: list[str] = []
    for table, group in groupby(entries(kind), key=lambda entry: entry.table):
        lines += ["", f"[{table}]"] if table else []
        # A free table is a TOML table of its own, so it comes after the plain settings of its section.
        for entry in sorted(group, key=lambda entry: entry.free_table):
            lines += _explanation(entry) if explained else []
            value = _value(entry, settings)
            if isinstance(value, Mapping):
                lines += ["", f"[{entry.key}]"] if not explained else [f"[{entry.key}]"]
                lines += [_assignment(_key(str(name)), inner) for name, inner in value.items()]
            else:
                lines += [_assignment(entry.name, value)]
    return "\n".join(lines).strip("\n") + "\n"


def _value(entry: Entry, settings: Any) -> object:
    if settings is None:
        return entry.default
    value: object = reduce(getattr, entry.key.split("."), settings)
    return masked_value(entry.name, value)


def _explanation(entry: Entry) -> Iterable[str]:
    about = entry.about
    facts = []
    if about.unit:
        facts.append(f"Unit: {about.unit}.")
    if about.choices:
        facts.append(f"One of: {', '.join(str(choice) for choice in about.choices)}.")
    if about.range_text():
        facts.append(f"Allowed: {about.range_text()}.")
    if entry.free_table:
        facts.append(f"Environment: {entry.environment}__<OPTION>.")
    else:
        facts.append(f"Environment: {entry.environment}.")
    return ["", *(f"# {line}" for line in wrap(f"{sentence(about.help)} {' '.join(facts)}", _WIDTH))]


def sentence(text: str) -> str:
    """Return `text` with a capital first and a full stop last."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _assignment(name: str, value: object) -> str:
    return f"# {name} is not set" if value is None else f"{name} = {literal(value)}"


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else literal(name)


def literal(value: object) -> str:
    """Return `value` as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(literal(inner) for inner in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(str(name))} = {literal(inner)}' for name, inner in value.items())}}}"
    # JSON's escapes are TOML's, except that TOML wants DEL escaped as well and knows no surrogates.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
