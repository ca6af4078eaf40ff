"""The best offers for one event, with probabilities, from a learner that stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from stream.interaction import decode_interaction
from stream.learner import Learner

__all__ = ["recommend"]


def recommend(learner: Learner, line: bytes, top: int) -> dict[str, Any]:
    """Return id, schema version and the ``top`` possible offers with probabilities, best first, ties by name.

    ``line`` is an interaction as JSON; ``labels`` may be absent and is ignored. Raises InvalidInteraction.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict) and "labels" not in value:
        line = orjson.dumps(value | {"labels": []})
    event = decode_interaction(line)
    batch = learner.encode([event])
    predictions = learner.predict(batch)
    scored = [
        (float(logit), name)
        for logit, slot in zip(
            predictions.logits[batch.possible].tolist(), batch.pair_slot[batch.possible].tolist(), strict=True
        )
        if (name := predictions.names[slot]) is not None
    ]
    scored.sort(key=lambda pair: (-pair[0], pair[1].encode()))
    return {
        "id": event.id,
        "schema_version": learner.schema.version,
        "recommendations": [[name, float(1.0 / (1.0 + np.exp(-logit)))] for logit, name in scored[:top]],
    }
