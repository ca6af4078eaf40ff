"""How a loop is compiled: the same bits on one machine, and kept on disk if there is a place for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

try:
    from numba import njit

    from stream.compiler.kept import KeptLoops
except Exception as error:  # it is not there, or does not load
    PROBLEM: Exception | None = error
else:
    PROBLEM = None

__all__ = ["PROBLEM", "compiled", "compiled_exactly", "compiled_freely", "summed"]

_OPTIONS: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy"}
"""A product and a sum may become one operation; nothing else is reordered."""
_SUMS: dict[str, Any] = {"fastmath": {"contract", "reassoc"}, "error_model": "numpy"}
_EXACT: dict[str, Any] = {"error_model": "numpy"}
"""Every operation rounds as it does interpreted."""
_FREE: dict[str, Any] = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy", "nogil": True}
"""Sums may be taken in any order: what only reads a model need not give the bits that training would."""

Loop = Callable[..., Any]


def compiled(loop: Loop) -> Loop:
    """Compile a function on its first call with arguments of new types; without a compiler it stays as it is."""
    return _compiled(loop, _OPTIONS)


def summed(loop: Loop) -> Loop:
    """Compile one sum over contiguous arrays likewise, in an order that the compiler chooses: six times as fast.

    The order is a function of their length and of nothing else, so equal arrays have equal sums.
    """
    return _compiled(loop, _SUMS)


def compiled_exactly(loop: Loop) -> Loop:
    """Compile a function likewise, to the bits that it gives interpreted."""
    return _compiled(loop, _EXACT)


def compiled_freely(loop: Loop) -> Loop:
    """Compile a function likewise, for speed: sums in any order, and other threads run beside it."""
    return _compiled(loop, _FREE)


def _compiled(loop: Loop, options: dict[str, Any]) -> Loop:
    if PROBLEM is not None:
        return loop
    found: Any = njit(**options)(loop)
    with contextlib.suppress(RuntimeError):  # no directory can be written: compiled anew in each process
        found._cache = KeptLoops(loop, options)
    return found  # type: ignore[no-any-return]
