"""A micro-batch as a few arrays: what the network reads instead of dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Batch"]


@dataclass(slots=True)
class Batch:
    """`B` events under one schema version; `N` active categorical rows, `P` (event, offer) pairs.

    Pairs of event b are `offsets[b]:offsets[b + 1]`: each live offer that was possible or taken, once.
    """

    schema_version: int
    ids: list[str]
    keys: list[str | None]
    """None if an event is anonymous."""
    ts: np.ndarray
    """Event time, Unix milliseconds, int64 `(B,)`."""
    weight: np.ndarray
    """float64 `(B,)`, as the events have it."""
    numeric: np.ndarray
    """float64 `(B, numeric slots)`; NaN is missing, free slots are 0."""
    rounded: np.ndarray
    """bool `(B, numeric slots)`: an integer that float64 does not hold exactly."""
    rows: np.ndarray
    """int64 `(N,)`: vocabulary rows, event after event, and by feature within one."""
    row_event: np.ndarray
    row_slot: np.ndarray
    """The categorical slot of each row's feature, int64 `(N,)`."""
    row_weight: np.ndarray
    """float32 `(N,)`: 1, or 1/sqrt(n) for one of n values."""
    unseen: list[tuple[int, str]]
    """(categorical slot, value) of each sighting that read as rare."""
    pair_event: np.ndarray
    pair_slot: np.ndarray
    listed: np.ndarray
    """bool `(B,)`: whether the event names what was shown, one by one."""
    possible: np.ndarray
    """bool `(P,)`: in R."""
    taken: np.ndarray
    """bool `(P,)`: in T."""
    offsets: np.ndarray
    labels_dropped: int
    unknown_features: int
    unknown_shown: int
    mistyped_values: int
    labels: int = 0
    """Labels of all events, those that were dropped included."""
    feature_values: int = 0
    """Feature values of all events, those that are ignored included."""
    names_aliased: int = 0
    """Names that are old ones, and were read as the new ones."""
    unknown_names: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How often each name was met that the schema lacks, by where it stood (feature, label, shown)."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def pairs(self) -> int:
        """How many (event, offer) pairs there are."""
        return len(self.pair_event)
