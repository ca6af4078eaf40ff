"""What a learner that stays as it is says of one event: the best offers with probabilities, or its representation."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction, decode_interaction
from stream.scoring.explore import Exploration
from stream.scoring.of_learner import scorer_of

__all__ = ["best_offers", "recommend", "represent"]


def recommend(learner: LearnerCore, line: bytes, top: int, explore: Exploration | None = None) -> dict[str, Any]:
    """Return id, schema version and the `top` possible offers with probabilities, best first, ties by name.

    `line` is an interaction as JSON; `labels` may be absent and is ignored. With `explore` the explored score
    decides the order, and `explored` holds, for each recommendation, its name, the explored score as a probability,
    and the standard deviation of the network's logit, by which the score was moved. Raises InvalidInteraction.
    """
    event = decode_interaction(line, labels_optional=True)
    return {"id": event.id, "schema_version": learner.schema.version, **best_offers(learner, event, top, explore)}


def best_offers(
    learner: LearnerCore, event: Interaction, top: int, explore: Exploration | None = None
) -> dict[str, list[list[Any]]]:
    """Return `recommendations`, and with `explore` `explored`, as `recommend` has them for `event`."""
    scorer = scorer_of(learner)
    if explore is None:
        [found] = scorer.best([event], top)
        return {"recommendations": [[one.offer, one.probability] for one in found]}
    batch = scorer.encode([event])
    published = scorer.score(batch).scores
    variance = learner.predict(learner.encode([event]), variance=True).variance
    assert variance is not None
    names = scorer.names.offers.offers.names
    named = [(str(names[slot]).encode(), pair) for pair, slot in enumerate(batch.pair_slot.tolist())]
    pairs = np.array([pair for _, pair in sorted(named) if batch.possible[pair]], dtype=np.int64)
    published, spread = published[pairs], np.sqrt(variance[pairs])
    scores = explore.scores(published, variance[pairs])
    order = np.argsort(-scores, kind="stable")[:top].tolist()  # stable: ties stay in the order of names
    told = {place: names[batch.pair_slot[pairs[place]]] for place in order}
    return {
        "recommendations": [[told[place], _probability(published[place])] for place in order],
        "explored": [[told[place], _probability(scores[place]), float(spread[place])] for place in order],
    }


def represent(learner: LearnerCore, line: bytes) -> dict[str, Any]:
    """Return id, key and the representation that all tasks share: the trunk's last hidden activations, patch-free.

    `line` is as for `recommend`; what is possible or taken does not matter. Raises InvalidInteraction.
    """
    event = decode_interaction(line, labels_optional=True)
    [hidden] = learner.represent(learner.encode([event]))
    return {"id": event.id, "key": event.key, "representation": hidden.tolist()}


def _probability(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))
