"""A learner's state is one that its program writes, whichever way of running wrote it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream.learner.core import LearnerCore
from stream.service.restore import learner_of
from stream.settings.learner import LearnerSettings


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_a_service_and_a_finite_pass_go_on_from_each_other(before: bool, after: bool) -> None:
    settings = LearnerSettings()

    def finite(wanted: bool) -> LearnerSettings:
        return replace(settings, evaluation=replace(settings.evaluation, finite=wanted))

    state = LearnerCore(finite(before)).state()
    restored = learner_of(state, finite(after), LearnerCore)
    assert restored.state_digest() == LearnerCore(finite(before)).state_digest()
