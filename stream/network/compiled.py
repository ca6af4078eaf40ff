"""Which implementation of the pair part's loops a network uses: compiled ones, or plain passes in torch.

The plain passes are the reference, the path of ``device = "cuda"``, and what is used if the compiler is not there or
does not load. Both compute the same, up to rounding.
"""

from __future__ import annotations

import functools
import warnings
from typing import Literal

__all__ = ["Implementation", "chosen"]

Implementation = Literal["compiled", "plain"]


@functools.cache
def _compiles() -> bool:
    """Try the compiler once."""
    try:
        import stream.network.pair_kernels  # noqa: F401
    except Exception as error:
        warnings.warn(f"no loop is compiled ({error}): the plain passes are used, which are slower", stacklevel=2)
        return False
    return True


def chosen(wanted: str, device: str) -> Implementation:
    """Return the implementation for a setting (``auto`` or ``plain``) on a device."""
    return "compiled" if wanted != "plain" and device == "cpu" and _compiles() else "plain"
