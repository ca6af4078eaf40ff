"""The form in which a batch of predictions enters the measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stream.encoding.batch import Batch

__all__ = ["PLACES", "ScoredEvents"]

PLACES = 5
"""How many offers of a ranking count (contract, part 6)."""


@dataclass(slots=True)
class ScoredEvents:
    """The logits of B events in training order, over P (event, offer) pairs, from before these events were trained.

    The pairs of event b are those from `offsets[b]` to `offsets[b + 1]`: every live offer in R or T once, in any
    order.
    """

    ids: list[str]
    keys: list[str | None]
    """None if an event is anonymous."""
    ts: NDArray[np.int64]
    """(B,) event times in Unix ms"""
    schema_version: int
    """The version in effect; a batch never spans two."""
    offsets: NDArray[np.int64]
    """(B + 1,) bounds into the arrays over pairs"""
    slot: NDArray[np.int64]
    """(P,) the offer's slot"""
    possible: NDArray[np.bool_]
    """(P,) the offer is in R: live, and admitted by `shown`"""
    taken: NDArray[np.bool_]
    """(P,) the offer is in T: live, and among the event's labels"""
    logit: NDArray[np.floating]
    """(P,) finite scores: the log-odds of the published probability"""

    @classmethod
    def of(cls, batch: Batch, logit: NDArray[np.floating]) -> Self:
        """Return a batch with the scores `(P,)` of its pairs."""
        return cls(
            ids=batch.ids,
            keys=batch.keys,
            ts=batch.ts,
            schema_version=batch.schema_version,
            offsets=batch.offsets,
            slot=batch.pair_slot,
            possible=batch.possible,
            taken=batch.taken,
            logit=logit,
        )
