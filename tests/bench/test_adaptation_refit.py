"""A refit sees the past under today's schema, without what could not have been; the arms that refit do so when due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from stream.bench.adaptation.online import arm_settings, run_arm
from stream.bench.adaptation.oracle import run_oracle
from stream.bench.adaptation.past import Past
from stream.bench.adaptation.refit import Refitted
from stream.bench.adaptation.retrain import run_retrain
from stream.bench.adaptation.stream import STREAMS, BenchStream, of_json
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.schema import Kind, Schema, Version

SMALL = {"network.hidden": "8", "batch_size": "20"}


def quiet(done: int, total: int) -> None:
    assert done <= total


def version(number: int, *changes: Mapping[str, Any]) -> Version:
    (made,) = of_json([{"version": number, "ts": number, "changes": list(changes)}])
    assert isinstance(made, Version)
    return made


def event(features: Mapping[str, Any], labels: Sequence[str], **more: Any) -> Interaction:
    (made,) = of_json([{"id": "e", "key": "k", "ts": 1, "features": features, "labels": list(labels), **more}])
    assert isinstance(made, Interaction)
    return made


def offer(name: str, place: str) -> dict[str, Any]:
    return {"op": "add_label", "name": name, "attributes": {"place": place}}


@pytest.fixture
def past() -> Past:
    """Two names that stay (one renamed), one that leaves, one that leaves and comes back, one that comes."""
    past = Past()
    features = [{"op": "add_feature", "name": name, "kind": "numeric"} for name in ("stays", "old", "gone", "back")]
    past.apply(version(1, *features, offer("a", "x"), offer("b", "x"), offer("c", "y")))
    values = {"stays": 1, "old": 2, "gone": 3, "back": 4}
    past.add(
        [
            event(values, ["a", "b"]),
            event(values, ["a"], shown={"place": ["x"]}),
            event(values, ["c"], shown=["c", "a", "nothing"]),
        ]
    )
    past.apply(
        version(
            2,
            {"op": "rename_feature", "name": "old", "to": "new"},
            {"op": "remove_feature", "name": "gone"},
            {"op": "remove_feature", "name": "back"},
            {"op": "rename_label", "name": "a", "to": "z"},
            {"op": "remove_label", "name": "b"},
            {"op": "update_label", "name": "z", "attributes": {"place": "y"}},
        )
    )
    past.apply(
        version(3, {"op": "add_feature", "name": "back", "kind": "categorical"}, offer("b", "x"), offer("d", "x"))
    )
    past.add([event({"stays": 5, "new": 6, "back": "v"}, ["z", "d"])])
    return past


def test_the_past_is_told_in_todays_names_without_what_has_left(past: Past) -> None:
    told = past.told_today()
    assert told[0].features == {"stays": 1, "new": 2}
    assert told[0].labels == ("z",)  # the b that was taken is not the b that is live now
    assert told[3].features == {"stays": 5, "new": 6, "back": "v"}
    assert told[3].labels == ("z", "d")


def test_what_came_later_was_not_possible_then(past: Past) -> None:
    told = past.told_today()
    assert [each.shown if each.shown is None else set(each.shown) for each in told] == [
        {"z", "c"},
        {"z"},
        {"z", "c"},
        None,
    ]


def test_the_first_version_of_a_new_learner_is_todays_schema(past: Past) -> None:
    schema = Schema.empty().apply(past.creating_version())
    assert schema.features == {"stays": Kind.NUMERIC, "new": Kind.NUMERIC, "back": Kind.CATEGORICAL}
    assert schema.labels == past.schema.labels


def test_events_before_a_first_version_are_refused() -> None:
    with pytest.raises(ValueError, match="no version"):
        Past().add([event({}, [])])


@pytest.fixture(scope="module")
def stream() -> BenchStream:
    return STREAMS["synthetic:both_layers"](1, 400)


def test_without_changes_a_refit_of_one_epoch_is_the_online_learner_itself() -> None:
    stream = STREAMS["synthetic:stationary"](1, 200)
    settings = arm_settings(stream, SMALL, 1)
    arm, learner = Refitted(settings), LearnerCore(settings)
    for versions, events in stream.batches(settings.batch_size):
        for each in versions:
            arm.apply(each)
            learner.apply(each)
        arm.past.add(events)
        learner.learn(learner.encode(events))
    arm.refit(1)
    events = arm.past.told_today()
    theirs, ours = (each.predict(each.encode(events)).logits for each in (learner, arm.learner))
    np.testing.assert_array_equal(ours, theirs)


def test_replay_moves_weights_and_nothing_that_is_counted(stream: BenchStream) -> None:
    settings = arm_settings(stream, SMALL, 1)
    learner = LearnerCore(settings)
    versions, events = next(stream.batches(20))
    for each in versions:
        learner.apply(each)
    batch = learner.encode(events)
    counts = learner.count_inputs(batch)
    learner.learn(batch)
    before, weights = dict(learner.named_state()), learner.predict(batch).logits
    again = learner.encode(events)
    learner.replay(again, counts)
    assert not np.array_equal(learner.predict(batch).logits, weights)
    for name, value in learner.named_state():
        if not name.startswith("network/") or "/counts" in name or "/vocabulary" in name or "statistics" in name:
            np.testing.assert_equal(value, before[name], err_msg=name)


def test_replay_reads_the_counts_that_it_is_given(stream: BenchStream) -> None:
    settings = arm_settings(stream, SMALL, 1)
    states = []
    for scale in (0.0, 1.0):
        learner = LearnerCore(settings)
        versions, events = next(stream.batches(20))
        for each in versions:
            learner.apply(each)
        batch = learner.encode(events)
        counts = learner.count_inputs(batch)
        learner.learn(batch)
        learner.replay(batch, counts * scale)
        states.append(torch.from_numpy(learner.predict(batch).logits))
    assert not torch.equal(*states)


def test_a_retraining_arm_stands_still_between_refits() -> None:
    stream = STREAMS["synthetic:stationary"](1, 300)
    stream = BenchStream("small", [*stream.items, *stream.items[1:]])  # every event once more, at another time
    trace = run_retrain(stream, SMALL, 1, quiet, every_events=400)
    assert trace.notes == {"epochs": 2, "refits": 1, "events_refitted": 800, "every_events": 400}
    np.testing.assert_array_equal(trace.bce_sum[:100], trace.bce_sum[300:400])
    assert trace.bce_sum[400:].sum() < trace.bce_sum[100:300].sum()


def test_a_retraining_arm_measures_new_offers_too(stream: BenchStream) -> None:
    trace = run_retrain(stream, SMALL, 1, quiet, every_events=100)
    assert trace.notes["refits"] == 3
    assert (trace.new_pairs[200:] == 7).all()
    assert trace.parameters > 0


def test_the_oracle_refits_at_a_change_and_is_the_default_arm_before_it(stream: BenchStream) -> None:
    oracle, online = run_oracle(stream, SMALL, 1, quiet, apart_events=50), run_arm(stream, SMALL, 1, quiet)
    assert oracle.notes["refits"] == 1
    assert oracle.notes["events_refitted"] == 400
    np.testing.assert_array_equal(oracle.bce_sum[:200], online.bce_sum[:200])
    assert not np.array_equal(oracle.bce_sum[200:], online.bce_sum[200:])
    assert oracle.events_frozen == 0 < online.events_frozen


def test_changes_close_together_share_a_refit_and_renames_have_none() -> None:
    ten = STREAMS["synthetic:ten_changes"](1, 400)
    assert run_oracle(ten, SMALL, 1, quiet, apart_events=100, epochs=1).notes["refits"] == 2
    renames = STREAMS["synthetic:rename"](1, 400)
    assert run_oracle(renames, SMALL, 1, quiet, apart_events=100).notes["refits"] == 0
