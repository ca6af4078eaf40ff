"""The compiled loops against the plain passes: the same logits, counts and weights, up to rounding."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from stream.adaptation.transfer.settings import WarmupSettings
from stream.learner.core import LearnerCore
from stream.network.compiled import chosen
from stream.testing.streams import FEATURES, OFFERS, apply, events, feature, label, learn, settings
from tests.network.dense import dense, dense_counts

LABELS = ["soap", "milk", "bread", "tea", "jam", "leek"]


def _run(strategy: str, kernels: str, **network: Any) -> tuple[LearnerCore, list[np.ndarray]]:
    """Train over two changes, one of which starts a warm-up and the other a task."""
    warmup = WarmupSettings(max_events=48, window_events=24)
    wanted = settings(strategy, kernels=kernels, hidden=(12, 12), warmup=warmup, **network)
    rates = dataclasses.replace(wanted.optimiser, embedding_rate=0.05)
    learner = LearnerCore(dataclasses.replace(wanted, optimiser=rates))
    apply(learner, *FEATURES, *OFFERS)
    found = [report.logits for report in learn(learner, events(240, 1))]
    apply(learner, label("jam", group="g1", task="other"), feature("colour", "categorical"))
    found += [report.logits for report in learn(learner, events(96, 2, 1000, LABELS))]
    apply(learner, label("leek", task="other"), {"op": "remove_label", "name": "milk"})
    found += [report.logits for report in learn(learner, events(96, 3, 2000, LABELS))]
    return learner, found


@pytest.mark.parametrize("strategy", ["carry", "replace", "never", "peterrec-serial", "bayes-output+glmix", "mlet"])
def test_a_run_by_compiled_loops_is_one_by_plain_passes_up_to_rounding(strategy: str) -> None:
    plain, expected = _run(strategy, "plain")
    compiled, found = _run(strategy, "auto")
    assert compiled.network.implementation == "compiled"
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert np.allclose(ours, theirs, rtol=2e-3, atol=2e-3), number
    for name, counts in plain.network.counts.arrays.items():
        other = compiled.network.counts.arrays[name]
        assert np.allclose(other, counts, rtol=1e-4, atol=1e-4), name
    for (name, table), (_, other_table) in zip(
        plain.network.pairs.pair_tables(), compiled.network.pairs.pair_tables(), strict=True
    ):
        assert table.used == other_table.used > 0, name
        for kind in ("weight", "squares"):
            assert np.allclose(dense(other_table, kind), dense(table, kind), rtol=1e-2, atol=2e-3), (name, kind)
        for place in range(table.counts.shape[1]):
            ours, theirs = dense_counts(other_table, place), dense_counts(table, place)
            assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-4), (name, place)


def test_one_step_s_weights_are_those_of_the_plain_one_to_a_millionth() -> None:
    both = []
    for kernels in ("plain", "auto"):
        learner = LearnerCore(settings(kernels=kernels, hidden=(12, 12)))
        apply(learner, *FEATURES, *OFFERS)
        learn(learner, events(16, 1))
        both.append(learner)
    for (name, part), (_, other) in zip(*(learner.network.parts() for learner in both), strict=True):
        for (table_name, table), (_, other_table) in zip(part.tables(), other.tables(), strict=True):
            assert np.allclose(table.weight, other_table.weight, rtol=1e-5, atol=1e-6), (name, table_name)


def test_the_plain_passes_are_used_where_they_are_asked_for_and_on_another_device() -> None:
    assert chosen("plain", "cpu") == chosen("auto", "cuda") == "plain"
    assert chosen("auto", "cpu") == "compiled"
