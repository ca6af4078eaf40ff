"""What a learner that stays as it is says of one event: the best offers with probabilities, or its representation."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.learner.core import LearnerCore
from stream.learner.explore import Exploration
from stream.records.interaction import Interaction, decode_interaction

__all__ = ["best_offers", "recommend", "represent"]


def recommend(learner: LearnerCore, line: bytes, top: int, explore: Exploration | None = None) -> dict[str, Any]:
    """Return id, schema version and the ``top`` possible offers with probabilities, best first, ties by name.

    ``line`` is an interaction as JSON; ``labels`` may be absent and is ignored. With ``explore`` the explored score
    decides the order, and ``explored`` holds, for each recommendation, its name, the explored score as a probability,
    and the standard deviation of the network's logit, by which the score was moved. Raises InvalidInteraction.
    """
    event = decode_interaction(line, labels_optional=True)
    return {"id": event.id, "schema_version": learner.schema.version, **best_offers(learner, event, top, explore)}


def best_offers(
    learner: LearnerCore, event: Interaction, top: int, explore: Exploration | None = None
) -> dict[str, list[list[Any]]]:
    """Return ``recommendations``, and with ``explore`` ``explored``, as :func:`recommend` has them for ``event``."""
    batch = learner.encode([event])
    predictions = learner.predict(batch, variance=explore is not None)
    named = [(predictions.names[slot], pair) for pair, slot in enumerate(batch.pair_slot.tolist())]
    by_name = sorted((name.encode(), pair) for name, pair in named if name is not None and batch.possible[pair])
    pairs = np.array([pair for _, pair in by_name], dtype=np.int64)
    names = [name.decode() for name, _ in by_name]
    published = scores = predictions.scores[pairs]
    spread = np.zeros(len(pairs))
    if explore is not None:
        assert predictions.variance is not None
        scores = explore.scores(published, predictions.variance[pairs])
        spread = np.sqrt(predictions.variance[pairs])
    best = np.argsort(-scores, kind="stable")[:top].tolist()  # stable: ties stay in the order of names
    found = {"recommendations": [[names[place], _probability(published[place])] for place in best]}
    if explore is not None:
        found["explored"] = [[names[place], _probability(scores[place]), float(spread[place])] for place in best]
    return found


def represent(learner: LearnerCore, line: bytes) -> dict[str, Any]:
    """Return id, key and the representation that all tasks share: the trunk's last hidden activations, patch-free.

    ``line`` is as for :func:`recommend`; what is possible or taken does not matter. Raises InvalidInteraction.
    """
    event = decode_interaction(line, labels_optional=True)
    [hidden] = learner.represent(learner.encode([event]))
    return {"id": event.id, "key": event.key, "representation": hidden.tolist()}


def _probability(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))
