"""Offers whose rate changes from one batch to the next: a Newton step may not run away where a network was sure."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

from stream import Learner, LearnerSettings, decode_interaction, parse_version

OFFERS = [f"offer {number}" for number in range(60)]


def _learner() -> Learner:
    """Return a learner whose offers all share one attribute value, and so move together."""
    learner = Learner(LearnerSettings(seed=1))
    changes: list[dict[str, Any]] = [{"op": "add_feature", "name": "x", "kind": "numeric"}]
    changes += [{"op": "add_label", "name": name, "attributes": {"group": "all"}} for name in OFFERS]
    learner.apply(parse_version(json.dumps({"version": 1, "ts": 0, "changes": changes}).encode()))
    return learner


def _batches(learner: Learner, rate: float, number: int, first: int) -> tuple[list[float], list[float]]:
    """Learn ``number`` batches in which each offer is taken at ``rate``; return losses and largest logits."""
    draw = random.Random(first)
    losses, largest = [], []
    for start in range(first, first + 64 * number, 64):
        events = []
        for event in range(start, start + 64):
            labels = [name for name in OFFERS if draw.random() < rate]
            record = {"id": str(event), "key": f"k{event % 40}", "ts": event, "features": {"x": draw.gauss(0, 1)}}
            events.append(decode_interaction(json.dumps({**record, "labels": labels}).encode()))
        batch = learner.encode(events)
        largest.append(float(np.abs(learner.predict(batch).logits).max()))
        losses.append(learner.learn(batch).loss)
    return losses, largest


@pytest.mark.parametrize(("before", "after", "floor"), [(0.0, 0.5, 0.693), (1.0, 0.5, 0.693), (1.0, 0.0, 0.0)])
def test_what_was_certain_and_is_not_any_more_is_learned_within_a_few_batches(
    before: float, after: float, floor: float
) -> None:
    learner = _learner()
    _batches(learner, before, 16, 0)
    losses, largest = _batches(learner, after, 12, 10_000)
    assert losses[0] > 2.0, "it was certain; within the batch another expert takes over"
    assert max(losses[1:]) < losses[0]
    assert np.mean(losses[4:]) < floor + 0.15
    assert max(largest) < 1.5 * max(largest[0], 20.0)
