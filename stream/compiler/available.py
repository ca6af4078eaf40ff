"""Whether loops can be compiled here."""

from __future__ import annotations

import functools
import warnings

__all__ = ["compiles"]


@functools.cache
def compiles() -> bool:
    """Try the compiler once; a warning says why it cannot be used."""
    try:
        import stream.compiler.jit  # noqa: F401
    except Exception as error:
        warnings.warn(f"no loop is compiled ({error}): the plain passes are used, which are slower", stacklevel=2)
        return False
    return True
