"""Room for arrays that every step needs anew: the system is slow to hand out and take back many megabytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

__all__ = ["Room"]


class Room:
    """Arrays by name, of which each stands until the same name is asked for again."""

    def __init__(self) -> None:
        self._held: dict[str, np.ndarray] = {}
        self._matrices: dict[str, tuple[torch.Tensor, np.ndarray]] = {}

    def matrix(self, name: str, rows: int, columns: int) -> tuple[torch.Tensor, np.ndarray]:
        """Return a float32 matrix as a tensor and as an array, of one memory; the same if it has this size already."""
        held = self._matrices.get(name)
        if held is None or held[1].shape != (rows, columns):
            array = np.zeros((rows, columns), dtype=np.float32)
            held = self._matrices[name] = torch.from_numpy(array), array
        return held

    def held(self, name: str) -> int:
        """Return how many elements an array has room for."""
        return len(self._held.get(name, ()))

    def array(self, name: str, shape: tuple[int, ...], kind: Any = np.float64) -> np.ndarray:
        """Return an array of this shape and type; what is in it is of no meaning."""
        size = math.prod(shape)
        held = self._held.get(name)
        if held is None or not size <= len(held) <= 8 * max(size, 1024):
            held = self._held[name] = np.empty(size, dtype=kind)
        return held[:size].reshape(shape)
