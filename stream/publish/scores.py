"""The gate's scores, by the scorer that answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.publish.gate import Scored
from stream.publish.snapshot import Snapshot
from stream.records.interaction import Interaction
from stream.scoring.scorer import Scorer

__all__ = ["scores"]


def scores(snapshot: Snapshot, interactions: Sequence[Interaction]) -> Scored:
    """Score events with a version, as an answer would be scored."""
    scorer = Scorer(snapshot)
    scored = scorer.score(scorer.encode(interactions))
    names = ["" if name is None else name for name in scorer.names.offers.offers.names]
    offsets, slots = scored.batch.offsets, scored.batch.pair_slot
    return Scored(names, np.asarray(offsets, np.int64), np.asarray(slots, np.int64), scored.scores)
