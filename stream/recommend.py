"""What a learner that stays as it is says of one event: the best offers with probabilities, or its representation."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from stream.interaction import Interaction, decode_interaction
from stream.learner import Learner

__all__ = ["recommend", "represent"]


def recommend(learner: Learner, line: bytes, top: int) -> dict[str, Any]:
    """Return id, schema version and the ``top`` possible offers with probabilities, best first, ties by name.

    ``line`` is an interaction as JSON; ``labels`` may be absent and is ignored. Raises InvalidInteraction.
    """
    event = _decode(line)
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


def represent(learner: Learner, line: bytes) -> dict[str, Any]:
    """Return id, key and the representation that all tasks share: the trunk's last hidden activations, patch-free.

    ``line`` is as for :func:`recommend`; what is possible or taken does not matter. Raises InvalidInteraction.
    """
    event = _decode(line)
    [hidden] = learner.represent(learner.encode([event]))
    return {"id": event.id, "key": event.key, "representation": hidden.tolist()}


def _decode(line: bytes) -> Interaction:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict) and "labels" not in value:
        line = orjson.dumps(value | {"labels": []})
    return decode_interaction(line)
