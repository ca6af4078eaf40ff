"""Which known name a wrong one was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["closest", "did_you_mean"]

_LONGEST = 60
"""Comparing takes the product of both lengths, and names in records have no bound."""


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like `name`, None if none is like it; case does not matter."""
    by_folded = {candidate[:_LONGEST].casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name[:_LONGEST].casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the question as the end of a sentence, with its semicolon; empty if no known name is like `name`."""
    found = closest(name, known)
    return "" if found is None else f"; did you mean {found}?"
