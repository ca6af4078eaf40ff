"""How a loop is compiled: the same bits on one machine, and kept on disk if there is a place for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["compiled"]

_OPTIONS: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy"}
"""A product and a sum may become one operation; nothing else is reordered."""


def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function on its first call with arguments of new types."""
    try:
        found: Callable[..., Any] = njit(cache=True, **_OPTIONS)(loop)
    except RuntimeError:  # no directory for the cache can be written: compiled anew in each process
        found = njit(**_OPTIONS)(loop)
    return found
