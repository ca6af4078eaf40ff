"""What kinds of features there are."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Kind"]


class Kind(StrEnum):
    """How the values of a feature are read; the member's value is the contract's word for it.

    `stream.encoding.values` says which JSON values each kind takes.
    """

    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    CATEGORICAL = "categorical"
    MULTI_CATEGORICAL = "multi_categorical"
