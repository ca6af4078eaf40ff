"""Which implementation of its loops a network uses: compiled ones, or plain passes in torch.

The plain passes are the reference, the path of `device = "cuda"`, and what is used if the compiler is not there or
does not load. Both compute the same, up to rounding.
"""

from __future__ import annotations

from typing import Literal

from stream.compiler.available import compiles

__all__ = ["Implementation", "chosen"]

Implementation = Literal["compiled", "plain"]


def chosen(wanted: str, device: str) -> Implementation:
    """Return the implementation for a setting (`auto` or `plain`) on a device."""
    return "compiled" if wanted != "plain" and device == "cpu" and compiles() else "plain"
