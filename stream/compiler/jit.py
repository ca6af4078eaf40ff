"""How a loop is compiled: the same bits on one machine, and kept on disk if there is a place for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["compiled", "compiled_freely"]

_OPTIONS: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy"}
"""A product and a sum may become one operation; nothing else is reordered."""
_FREE: dict[str, Any] = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy", "nogil": True}
"""Sums may be taken in any order: what only reads a model need not give the bits that training would."""


def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function on its first call with arguments of new types."""
    return _compiled(loop, _OPTIONS)


def compiled_freely(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function likewise, for speed: sums in any order, and other threads run beside it."""
    return _compiled(loop, _FREE)


def _compiled(loop: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    try:
        found: Callable[..., Any] = njit(cache=True, **options)(loop)
    except RuntimeError:  # no directory for the cache can be written: compiled anew in each process
        found = njit(**options)(loop)
    return found
