"""The forms of the contract as JSON Schemas (draft 2020-12): what other programs read and write.

A schema says what JSON Schema can say. What needs the record around a value (its own timestamp, a repeated top-level
key, UTF-8) or the schema in force (which names are live) stands in the contract, docs/contract.md.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import orjson

__all__ = ["FORMS", "form", "form_text"]

FORMS = ("interaction", "version", "dead-letter", "summary")


def form_text(name: str) -> str:
    """Return the JSON Schema of one of FORMS as it is kept: indented, with descriptions.

    Raises:
        KeyError: there is no form of that name.
    """
    if name not in FORMS:
        raise KeyError(name)
    return resources.files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")


def form(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one of FORMS, decoded; raises KeyError as `form_text` does."""
    decoded: dict[str, Any] = orjson.loads(form_text(name))
    return decoded
