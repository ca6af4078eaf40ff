"""Initial weights that depend on (seed, name) alone, never on the order in which names arrive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xxhash

__all__ = ["mixed", "normal", "uniform"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(counter: np.ndarray) -> np.ndarray:
    """Turn counters into well-mixed 64-bit integers, uint64 (Steele, Lea and Flood, OOPSLA 2014: splitmix64)."""
    bits = (counter ^ (counter >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))


def uniform(seed: int, group: str, names: Sequence[str], width: int, bound: float) -> np.ndarray:
    """Return weights `(len(names), width)` in [-bound, bound), float32; row i depends on (seed, group, names[i])."""
    salt = f"{seed}\0{group}\0"
    keys = np.fromiter(
        (xxhash.xxh3_64_intdigest((salt + name).encode("utf-8", "surrogatepass")) for name in names),
        dtype=np.uint64,
        count=len(names),
    )
    steps = np.arange(1, width + 1, dtype=np.uint64) * _GOLDEN
    bits = mixed(keys[:, None] + steps[None, :])
    unit = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return ((2.0 * unit - 1.0) * bound).astype(np.float32)


def normal(seed: int, group: str, names: Sequence[str], width: int) -> np.ndarray:
    """Return standard normal draws `(len(names), width)`, float32; row i depends on (seed, group, names[i])."""
    draws = uniform(seed, group, names, 2 * width, 1.0).astype(np.float64)
    # Box and Muller 1958; the radius is of a number in (0, 1].
    radius = np.sqrt(-2.0 * np.log(0.5 * (1.0 - draws[:, :width]) + 2.0**-54))
    return np.asarray(radius * np.cos(np.pi * draws[:, width:]), dtype=np.float32)
