"""Into how many gradient steps a batch is cut."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from stream.learner.core import LearnerCore
from stream.network.settings import OptimiserSettings
from stream.testing.streams import FEATURES, OFFERS, all_shown, apply, events, learn, settings


def _steps(monkeypatch: pytest.MonkeyPatch, *, step_age: int, step_events: int, batches: int) -> list[list[int]]:
    """Return the sizes of the steps of each batch of 16."""
    optimiser = OptimiserSettings(step_events=step_events, step_age=step_age)
    learner = LearnerCore(dataclasses.replace(settings(), optimiser=optimiser))
    apply(learner, *FEATURES, *OFFERS)
    sizes: list[int] = []
    train = learner.network.train

    def counted(frame: Any, logits: Any, *, warming_up: bool) -> None:
        sizes.append(frame.events)
        train(frame, logits, warming_up=warming_up)

    monkeypatch.setattr(learner.network, "train", counted)
    found = []
    for number in range(batches):
        learn(learner, all_shown(events(16, number, 1000 * number)))
        found.append(sizes.copy())
        sizes.clear()
    return found


def test_a_young_network_takes_short_steps_that_grow_with_what_it_was_trained_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = _steps(monkeypatch, step_age=8, step_events=8, batches=6)
    assert steps[0] == [16]  # the running counts know no rate before it
    assert steps[1] == [2, 2, 2, 2, 3, 3, 2]
    assert steps[2] == [4, 4, 5, 3]
    assert steps[3] == [6, 6, 4]
    assert steps[4] == steps[5] == [8, 8]


def test_without_an_age_steps_are_whole_from_the_second_batch_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _steps(monkeypatch, step_age=0, step_events=10, batches=3) == [[16], [10, 6], [10, 6]]
