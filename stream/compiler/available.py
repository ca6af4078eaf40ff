"""Whether loops can be compiled here."""

from __future__ import annotations

import functools
import warnings

__all__ = ["compiles"]


@functools.cache
def compiles() -> bool:
    """Try the compiler once; a warning says why it cannot be used."""
    from stream.compiler.jit import PROBLEM  # numba takes its time to load

    if PROBLEM is not None:
        warnings.warn(f"no loop is compiled ({PROBLEM}): the plain passes are used, which are slower", stacklevel=2)
    return PROBLEM is None
