"""What is kept of a name that has no bound of its own: all of a short one, beginning and digest of a long one."""

from __future__ import annotations

from collections.abc import Iterable

import xxhash

__all__ = ["LONGEST", "any_long", "kept_name"]

LONGEST = 64
"""Characters up to which a value, a key or an attribute is kept as it is."""

_BEGINNING = 32


def kept_name(name: str) -> str:
    """Return the name itself, or of one with more than LONGEST characters its first 32, "…" and its XXH3-128.

    That is one character more than any name that is kept as it is, so no two names become one but by a collision of
    XXH3-128. It takes 336 bytes at most, however long the name was.
    """
    if len(name) <= LONGEST:
        return name
    return f"{name[:_BEGINNING]}…{xxhash.xxh3_128_hexdigest(name.encode())}"


def any_long(names: Iterable[str | None]) -> bool:
    """Say whether any of the names would not be kept as it is."""
    return len(max(filter(None, names), key=len, default="")) > LONGEST
