"""Predicting leaves no trace; what was saved and restored goes on bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stream.encoding.pool import RowPool
from stream.learner.core import LearnerCore
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    apply,
    events,
    feature,
    first_step,
    label,
    learn,
    restored,
    settings,
    trained,
)

STRATEGIES = ("carry", "replace")
TIGHT: dict[str, Any] = {
    "vocabulary_capacity": 3,
    "entity_capacity": 3,
    "pair_cells": 256,
    "departed_capacity": 1,
    "candidate_capacity": 2,
    "admission_count": 1,
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("bounds", [{}, TIGHT])
def test_predict_leaves_no_trace_and_equals_what_learn_scores(strategy: str, bounds: dict[str, Any]) -> None:
    learner = trained(strategy, 96, **bounds)
    apply(learner, feature("extra", "numeric"), label("jam", group="g3"))
    for start in range(0, 200, 40):
        batch = learner.encode(events(40, seed=9, first=1000 + start))
        before = learner.state_digest()
        predicted = learner.predict(batch)
        again = learner.predict(batch)
        assert learner.state_digest() == before
        assert np.array_equal(predicted.logits, again.logits)
        alike = first_step(learner, 40)
        report = learner.learn(batch)
        for index, score in enumerate(report.scores[:alike]):
            pairs = slice(batch.offsets[index], batch.offsets[index + 1])
            by_name = {
                predicted.names[slot]: float(published)
                for slot, published in zip(batch.pair_slot[pairs], predicted.scores[pairs], strict=True)
            }
            same = all(by_name[name] == pytest.approx(value, rel=1e-5, abs=1e-6) for name, value in score.top)
            assert same, "a score is not the predicted one"
        assert learner.state_digest() != before


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("bounds", [{}, TIGHT])
def test_save_and_restore_anywhere_changes_nothing_that_follows(strategy: str, bounds: dict[str, Any]) -> None:
    straight, broken = LearnerCore(settings(strategy, **bounds)), LearnerCore(settings(strategy, **bounds))
    stream = events(320, seed=5)
    for step in range(20):
        for learner in (straight, broken):
            if step == 0:
                apply(learner, *FEATURES, *OFFERS)
            elif step == 5:
                apply(learner, feature("extra", "numeric"), feature("colour", "categorical"), label("jam", group="g3"))
            elif step == 6:
                apply(
                    learner, {"op": "remove_feature", "name": "store"}, {"op": "rename_label", "name": "tea", "to": "t"}
                )
            elif step == 12:
                apply(learner, {"op": "remove_label", "name": "soap"}, label("x", group="g9", brand="b1"))
        assert broken.state_digest() == straight.state_digest()
        batch = stream[step * 16 : step * 16 + 16]
        straight.learn(straight.encode(batch))
        broken.learn(broken.encode(batch))
        broken = restored(broken)
        assert broken.frozen_digest() == straight.frozen_digest()
    assert straight.warmup.started_total >= 2, "no warm-up was interrupted"
    assert broken.state_digest() == straight.state_digest()
    assert broken.summary() == straight.summary()


def test_a_seed_changes_the_model_and_the_digest() -> None:
    assert _seeded(0) != _seeded(1) == _seeded(1)


def test_the_longest_unseen_key_leaves_a_full_pool_and_its_row_is_used_again() -> None:
    pool: RowPool[str] = RowPool(2)
    assert pool.admit(["a", "b"], 1, may_evict=True) == ([0, 1], [])
    pool.touch(np.array([0]), 2)
    assert pool.admit(["c"], 3, may_evict=False) == ([], [])
    assert pool.admit(["c"], 3, may_evict=True) == ([1], [1])
    assert set(pool.row_of) == {"a", "c"}
    again: RowPool[str] = RowPool(9)
    again.restore(pool.state())
    assert again.admit(["d"], 4, may_evict=True) == pool.admit(["d"], 4, may_evict=True) == ([0], [0])
    assert again.row_of == pool.row_of
    assert again.capacity == 2


def test_a_batch_encoded_under_another_version_is_refused() -> None:
    learner = trained(number=16)
    batch = learner.encode(events(4))
    apply(learner, label("jam"))
    with pytest.raises(ValueError, match="schema version 1, not 2"):
        learner.learn(batch)


def _seeded(seed: int) -> str:
    learner = LearnerCore(settings(seed=seed))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(32))
    return learner.state_digest()
