"""Room for arrays that every step needs anew: the system is slow to hand out and take back many megabytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["Room"]


class Room:
    """Arrays by name, of which each stands until the same name is asked for again."""

    def __init__(self) -> None:
        self._held: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], kind: Any = np.float64) -> np.ndarray:
        """Return an array of this shape and type; what is in it is of no meaning."""
        size = math.prod(shape)
        held = self._held.get(name)
        if held is None or not size <= len(held) <= 8 * max(size, 1024):
            held = self._held[name] = np.empty(size, dtype=kind)
        return held[:size].reshape(shape)
