"""A micro-batch as a few arrays: what the network reads instead of dictionaries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Batch"]


@dataclass(slots=True)
class Batch:
    """``B`` events under one schema version; ``N`` active categorical rows, ``P`` (event, offer) pairs.

    Pairs of event b are ``offsets[b]:offsets[b + 1]``: each live offer that was possible or taken, once.
    """

    schema_version: int
    ids: list[str]
    keys: list[str]
    ts: np.ndarray
    """Event time, Unix milliseconds, int64 ``(B,)``."""
    weight: np.ndarray
    """float32 ``(B,)``."""
    numeric: np.ndarray
    """float64 ``(B, numeric slots)``; NaN is missing, free slots are 0."""
    rows: np.ndarray
    """int64 ``(N,)``: vocabulary rows, ordered by feature."""
    row_event: np.ndarray
    row_slot: np.ndarray
    """The categorical slot of each row's feature, int64 ``(N,)``."""
    row_weight: np.ndarray
    """float32 ``(N,)``: 1, or 1/sqrt(n) for one of n values."""
    unseen: list[tuple[int, str]]
    """(categorical slot, value) of each sighting that read as rare."""
    pair_event: np.ndarray
    pair_slot: np.ndarray
    possible: np.ndarray
    """bool ``(P,)``: in R."""
    taken: np.ndarray
    """bool ``(P,)``: in T."""
    offsets: np.ndarray
    labels_dropped: int
    unknown_features: int
    unknown_shown: int
    mistyped_values: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def pairs(self) -> int:
        """How many (event, offer) pairs there are."""
        return len(self.pair_event)
