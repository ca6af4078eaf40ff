"""A few made-up events through a learner of its own: then every loop is compiled, or loaded."""

from __future__ import annotations

from typing import Any

import torch

from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.schema import parse_version
from stream.scoring.of_learner import scorer_of
from stream.scoring.recommend import best_offers
from stream.scoring.why import why
from stream.settings.learner import LearnerSettings

__all__ = ["rehearse"]

_VERSION = (
    b'{"version": 1, "ts": 0, "changes": [{"op": "add_feature", "name": "x", "kind": "numeric"},'
    b'{"op": "add_feature", "name": "v", "kind": "categorical"},'
    b'{"op": "add_label", "name": "o", "attributes": {"a": "b"}}, {"op": "add_label", "name": "p"}]}'
)


def rehearse() -> str:
    """Learn three batches and restore the learner; return which implementation of the loops a new network uses."""
    learner = LearnerCore(LearnerSettings())
    learner.apply(parse_version(_VERSION))
    for batch in range(3):
        if batch == 2:
            learner = LearnerCore.from_state(learner.state(), learner.settings)
        learner.learn(learner.encode([_event(4 * batch + place) for place in range(4)]))
    flags = learner.network.pairs.flags
    flags.step(torch.zeros_like(flags.weight))  # what only a warm-up does
    learner.summary()  # measures are made when somebody asks
    asked = [_event(place) for place in range(2)]
    best_offers(learner, asked[0], 1)
    why(scorer_of(learner), asked[1], ["o"])
    return learner.network.implementation


def _event(number: int) -> Interaction:
    features: dict[str, Any] = {"x": float(number), "v": "b"}
    return Interaction(id=str(number), key="k", ts=number, features=features, labels=("o",) if number % 2 else ())
