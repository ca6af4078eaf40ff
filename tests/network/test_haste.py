"""What joins a trained network takes longer steps for a while: it has others to catch up with."""

from __future__ import annotations

import pytest
import torch

from stream.network.table import Table
from stream.testing.streams import apply, feature, label, restored, trained


@pytest.mark.parametrize("compiled", [False, True])
def test_a_late_row_starts_with_steps_three_times_as_long_and_ends_with_equal_ones(compiled: bool) -> None:
    table = Table(2, (3,), method="adam", rate=0.01)
    table.compiled = compiled
    table.hasten([1])
    ratios = []
    for _ in range(3000):
        before = table.weight.clone()
        table.step(torch.ones(2, 3))
        moved = table.weight - before
        ratios.append(float(moved[1, 0] / moved[0, 0]))
    assert ratios[0] == pytest.approx(1 + 2 / (1 + 1 / 30), rel=1e-4)
    assert ratios[-1] == pytest.approx(1.0, abs=0.03)
    table.set(1, 0.0)
    assert float(table.moments["late"][1]) == 0.0, "a freed row is as any other"


@pytest.mark.parametrize("strategy", ["carry", "replace"])
def test_a_feature_added_to_a_trained_network_is_hastened_and_one_of_the_first_version_is_not(strategy: str) -> None:
    learner = trained(strategy, 32)
    features = learner.network.layout.features
    assert not learner.network.input.numeric.moments["late"].any()
    apply(learner, feature("extra", "numeric"), feature("colour", "categorical"), label("jam"))
    for one in (learner, restored(learner)):
        late = one.network.input.numeric.moments["late"]
        assert late[features.slot("extra")] == 1.0
        assert late[features.slot("age")] == (1.0 if strategy == "replace" else 0.0)
        assert one.network.input.projection.moments["late"][features.slot("colour")] == 1.0
        apply(one, feature("more", "numeric"))
        assert one.network.input.numeric.moments["late"][one.network.layout.features.slot("more")] == 1.0
