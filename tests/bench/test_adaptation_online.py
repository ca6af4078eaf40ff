"""An online arm's trace is the learner's own account of the pass, and tells old and new offers apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from stream.bench.adaptation.online import arm_settings, run_arm
from stream.bench.adaptation.scoring import Scorer
from stream.bench.adaptation.slices import domains_of, rarity_of, tasks_of
from stream.bench.adaptation.stream import STREAMS, BenchStream, of_json
from stream.bench.adaptation.trace import Trace
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.schema import Version

SMALL = {"network.hidden": "8", "batch_size": "16"}


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.fixture(scope="module")
def stream() -> BenchStream:
    return STREAMS["synthetic:both_layers"](3, 600)


@pytest.fixture(scope="module")
def trace(stream: BenchStream) -> Trace:
    return run_arm(stream, SMALL, 3, quiet)


def test_the_trace_sums_up_to_the_learners_own_summary(stream: BenchStream, trace: Trace) -> None:
    learner = LearnerCore(arm_settings(stream, SMALL | {"evaluation.finite": "true"}, 3))
    for versions, events in stream.batches(16):
        for version in versions:
            learner.apply(version)
        learner.learn(learner.encode(events))
    labelled = np.flatnonzero(~np.isnan(trace.recall))
    kept = labelled[len(labelled) // 5 :]
    model = learner.summary()["model"]
    assert trace.recall[kept].mean() == pytest.approx(model["recall_at_5"])
    assert trace.ndcg[kept].mean() == pytest.approx(model["ndcg_at_5"])
    after = slice(kept[0], None)
    assert trace.bce_sum[after].sum() / trace.bce_pairs[after].sum() == pytest.approx(model["bce"])
    assert trace.events_frozen == learner.summary()["events_frozen"] == trace.frozen.sum() > 0
    assert trace.notes["warmups"] == 1


def test_old_and_new_pairs_are_all_pairs_and_nothing_is_new_before_the_change(
    stream: BenchStream, trace: Trace
) -> None:
    np.testing.assert_array_equal(trace.old_pairs + trace.new_pairs, trace.bce_pairs)
    np.testing.assert_allclose(trace.old_sum + trace.new_sum, trace.bce_sum)
    assert stream.changes == [300]
    assert not trace.new_pairs[:300].any()
    assert (trace.new_pairs[300:] == 7).all()
    assert np.isfinite(trace.new_recall).any()
    assert np.isnan(trace.new_recall[:300]).all()


def test_costs_are_told(trace: Trace) -> None:
    assert 0 < trace.cpu_seconds_frozen < trace.cpu_seconds
    assert trace.seconds[-1] == pytest.approx(trace.train_seconds)
    assert (np.diff(trace.seconds) >= 0).all()
    assert 0 < trace.parameters_trained < trace.parameters
    assert trace.peak_memory_bytes > 50e6


def test_calibration_leaves_out_the_first_fifth(trace: Trace) -> None:
    assert trace.histogram.sum() == trace.bce_pairs[120:].sum()


def test_the_same_seed_gives_the_same_trace(stream: BenchStream, trace: Trace) -> None:
    np.testing.assert_array_equal(run_arm(stream, SMALL, 3, quiet).bce_sum, trace.bce_sum)


def test_a_setting_that_is_none_is_refused(stream: BenchStream) -> None:
    with pytest.raises(ConfigurationError, match="no_such_key"):
        run_arm(stream, {"no_such_key": "1"}, 0, quiet)


def _versions(*changes: Sequence[Mapping[str, object]]) -> list[Version]:
    items = of_json({"version": n, "ts": n, "changes": each} for n, each in enumerate(changes, start=1))
    return [item for item in items if isinstance(item, Version)]


def _stream(*changes: Sequence[Mapping[str, object]], events: int) -> BenchStream:
    interactions = of_json(
        {"id": str(n), "key": "k", "ts": 100 + n, "features": {}, "labels": []} for n in range(events)
    )
    return BenchStream("small", [*_versions(*changes), *interactions])


def test_recall_of_the_old_shows_what_the_new_push_out_of_the_first_five() -> None:
    first = [{"op": "add_label", "name": f"old{n}", "attributes": {"task": "buy"}} for n in range(3)]
    second = [{"op": "add_label", "name": f"new{n}", "attributes": {"task": "redeem"}} for n in range(4)]
    stream = _stream(first, second, [{"op": "rename_label", "name": "new0", "to": "newer0"}], events=1)
    names = ["old0", "old1", "old2", "newer0", "new1", "new2", "new3"]
    scorer = Scorer(stream)
    for version in stream.versions:
        scorer.apply([version], names)
    every = np.ones(7, dtype=bool)
    taken = np.array([1, 1, 1, 1, 0, 0, 0], dtype=bool)
    logit = np.array([9.0, 0.0, -1.0, 5.0, 4.0, 3.0, 2.0])
    scorer.add(np.array([0, 7]), np.arange(7), every, taken, logit)
    trace = scorer.trace
    assert trace.recall[0] == 2 / 4
    assert trace.old_recall[0] == pytest.approx(1 / 3)
    assert trace.new_recall[0] == 1.0
    assert trace.tasks == ["buy", "redeem"]
    assert trace.task_pairs.tolist() == [[3, 4]]
    assert trace.task_sum.sum() == pytest.approx(trace.bce_sum[0])
    assert trace.bce_sum[0] == pytest.approx(np.logaddexp(0, np.where(taken, -logit, logit)).sum())


def test_ties_are_ranked_by_name_whatever_the_slots() -> None:
    stream = _stream([{"op": "add_label", "name": name} for name in "gfedcba"], events=1)
    scorer = Scorer(stream)
    scorer.apply(stream.versions, list("gfedcba"))
    every = np.ones(7, dtype=bool)
    scorer.add(np.array([0, 7]), np.arange(7), every, np.arange(7) == 6, np.zeros(7))
    assert (scorer.trace.recall[0], scorer.trace.ndcg[0]) == (1.0, 1.0)


def test_a_logit_that_is_no_number_is_refused() -> None:
    stream = _stream([{"op": "add_label", "name": "a"}], events=1)
    scorer = Scorer(stream)
    scorer.apply(stream.versions, ["a"])
    with pytest.raises(ValueError, match="not finite"):
        scorer.add(np.array([0, 1]), np.zeros(1, int), np.ones(1, bool), np.ones(1, bool), np.array([np.nan]))


def test_domains_and_rarity_are_read_off_the_stream() -> None:
    changes = [{"op": "add_feature", "name": "where", "kind": "categorical"}]
    values = ["north", None, "south", "north", "north"]
    items = [
        *_versions(changes),
        *of_json(
            {"id": str(n), "key": "k", "ts": n, "features": {"where": value}, "labels": []}
            for n, value in enumerate(values)
        ),
    ]
    stream = BenchStream("small", items, domain="where")
    codes, names = domains_of(stream)
    assert (codes.tolist(), names) == ([0, -1, 1, 0, 0], ["north", "south"])
    assert rarity_of(stream).tolist() == [0, -1, 0, 1, 2]
    assert tasks_of(stream) == []
