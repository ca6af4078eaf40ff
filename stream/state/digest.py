"""One digest for one state: equal wherever the named state is equal, whatever slot a name sits in.

Each entry (a name and its value) is hashed on its own with XXH3-128 and the hashes are added modulo
2^128, so neither the order of entries nor the layout of tables can change the sum (contract, part 4).
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import xxhash

__all__ = ["NamedEntry", "digest", "id_digest", "to_hex"]

NamedEntry = tuple[str, object]
"""A path-like unique name and its value: a scalar, string, bytes, JSON list/dict or small array."""

_MODULUS = 1 << 128


def _payload(value: object) -> bytes:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        return f"array:{array.dtype.str}:{array.shape}:".encode() + array.tobytes()
    if isinstance(value, bytes):
        return b"bytes:" + value
    if isinstance(value, np.generic):
        value = value.item()
    return b"json:" + json.dumps(value, sort_keys=True, ensure_ascii=True).encode()


def digest(entries: Iterable[NamedEntry]) -> str:
    """Return 32 hex digits that depend on each (name, value) and on nothing else.

    Raises ValueError if a name occurs twice: such a state could hide a difference.
    """
    total = 0
    seen: set[str] = set()
    for name, value in entries:
        if name in seen:
            raise ValueError(f"state entry {name!r} was given twice; names in a state must be unique")
        seen.add(name)
        encoded = name.encode("utf-8", "surrogatepass")
        hashed = xxhash.xxh3_128_intdigest(len(encoded).to_bytes(4, "big") + encoded + _payload(value))
        total = (total + hashed) % _MODULUS
    return to_hex(total)


def id_digest(total: int, identifier: str) -> int:
    """Add one trained event's id to the running `ids_digest`: XXH3-128 of its UTF-8, modulo 2^128."""
    return (total + xxhash.xxh3_128_intdigest(identifier.encode())) % _MODULUS


def to_hex(total: int) -> str:
    """Write a digest as 32 lower-case hex digits."""
    return f"{total:032x}"
