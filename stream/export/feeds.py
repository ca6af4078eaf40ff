"""Events as the exported graph takes them: what its description says, done by this program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.records.interaction import Interaction
from stream.scoring.pair_inputs import pair_inputs
from stream.scoring.scorer import Scorer

__all__ = ["feeds_of"]


def feeds_of(scorer: Scorer, events: Sequence[Interaction]) -> dict[str, np.ndarray]:
    """Return the graph's inputs for `events`; the pairs stand as in `Scorer.encode`'s batch."""
    batch = scorer.encode(events)
    counts, cells = pair_inputs(scorer, batch)
    return {
        "numeric": batch.numeric[:, list(scorer.names.numeric.values())],
        "row": batch.rows,
        "row_event": batch.row_event,
        "row_slot": batch.row_slot,
        "row_weight": batch.row_weight,
        "pair_event": batch.pair_event,
        "pair_offer": batch.pair_slot,
        "counts": counts,
        "cells": cells,
    }
