"""The scorer says what the learner says, under every strategy and through every change, and needs no torch for it."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from stream.library import Learner
from stream.network import counts, experts
from stream.publish.snapshot import Snapshot
from stream.records.interaction import Interaction
from stream.scoring import loops
from stream.scoring.of_learner import scorer_of, snapshot_of
from stream.scoring.recommend import best_offers
from stream.scoring.scorer import Scorer
from stream.scoring.why import why
from stream.testing.method import LABELS, SCRIPT, SHAPE
from stream.testing.streams import DAY, FEATURES, OFFERS, apply, events, feature, label, settings
from tests.adaptation.test_contract import STRATEGIES

TOLERANCE = 1e-5


def frozen(snapshot: Snapshot) -> Snapshot:
    """The snapshot with arrays of its own, as a version is read from a file."""
    return Snapshot(
        copy.deepcopy(dict(snapshot.manifest)), {name: array.copy() for name, array in snapshot.arrays.items()}
    )


def states(strategy: str, **more: Any) -> Iterator[tuple[Learner, list[Interaction]]]:
    """A learner on its way through every kind of schema change, each time with events that it has not seen."""
    learner = Learner(settings(strategy, **{**SHAPE, **more}))
    stream_of = iter(events(3000, seed=5, labels=LABELS))
    for step, changes in enumerate([[*FEATURES, *OFFERS], *SCRIPT]):
        apply(learner, *changes)
        for _ in range(12 if step == 0 else 3):
            batch = [next(stream_of) for _ in range(16)]
            yield learner, batch
            learner.learn(learner.encode(batch))


def differences(learner: Learner, scorer: Scorer, batch: Sequence[Interaction]) -> float:
    encoded, own = learner.encode(batch), scorer.encode(batch)
    for name in ("numeric", "rows", "row_event", "row_slot", "row_weight", "pair_event", "pair_slot", "possible"):
        assert np.array_equal(getattr(encoded, name), getattr(own, name), equal_nan=True), name
    predicted, scored = learner.predict(encoded), scorer.score(own)
    by_score = np.abs(predicted.scores - scored.scores).max(initial=0.0)
    return max(float(by_score), float(np.abs(predicted.logits - scored.logits).max(initial=0.0)))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_scores_are_the_learners_through_every_schema_change(strategy: str) -> None:
    scorer = None
    for learner, batch in states(strategy):
        scorer = Scorer(frozen(snapshot_of(learner)), scorer)
        assert differences(learner, scorer, batch) < TOLERANCE
        assert differences(learner, scorer_of(learner), batch) < TOLERANCE


@pytest.mark.parametrize("more", [{"entity_embedding": False}, {"hidden": (12, 12, 8)}, {"vocabulary_capacity": 4}])
def test_scores_are_the_learners_whatever_the_networks_shape(more: dict[str, Any]) -> None:
    scorer = None
    for learner, batch in states("carry", **more):
        scorer = Scorer(frozen(snapshot_of(learner)), scorer)
        assert differences(learner, scorer, batch) < TOLERANCE


def test_the_same_with_tasks_and_with_domains() -> None:
    from stream.adaptation.iak.settings import IakSettings
    from stream.adaptation.peterrec.settings import PeterRecSettings

    for strategy, more in (
        ("peterrec-serial", {"peterrec": PeterRecSettings(task_attribute="group", tasks=4)}),
        ("peterrec-parallel", {"peterrec": PeterRecSettings(task_attribute="group", tasks=4)}),
        ("iak", {"iak": IakSettings(domain_feature="store")}),
    ):
        learner, scorer = Learner(dataclasses.replace(settings(strategy, **SHAPE), **more)), None
        stream_of = iter(events(2000, seed=5, labels=LABELS))
        for step, changes in enumerate([[*FEATURES, *OFFERS], *SCRIPT]):
            apply(learner, *changes)
            for _ in range(20 if step == 0 else 3):
                batch = [next(stream_of) for _ in range(16)]
                scorer = Scorer(frozen(snapshot_of(learner)), scorer)
                assert differences(learner, scorer, batch) < TOLERANCE, strategy
                learner.learn(learner.encode(batch))


def trained(strategy: str = "carry") -> tuple[Learner, list[Interaction]]:
    found = None
    for number, (learner, batch) in enumerate(states(strategy)):
        found = learner, batch
        if number == 20:
            break
    assert found is not None
    return found


def test_a_version_stays_as_it_is_while_the_learner_goes_on() -> None:
    learner, batch = trained()
    scorer = Scorer(frozen(snapshot_of(learner)))
    before = scorer.best(batch, 3)
    for number in range(10):
        learner.learn(learner.encode(events(16, number, 2000)))
        Scorer(snapshot_of(learner), scorer)
    assert scorer.best(batch, 3) == before


def test_many_events_are_scored_as_each_alone() -> None:
    learner, batch = trained()
    scorer = scorer_of(learner)
    together = scorer.best(batch, 3)
    for event, found in zip(batch, together, strict=True):
        [alone] = scorer.best([event], 3)
        assert [one.offer for one in alone] == [one.offer for one in found]
        assert np.allclose([one.score for one in alone], [one.score for one in found], atol=TOLERANCE)


def test_very_many_pairs_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, batch = trained()
    scorer = scorer_of(learner)
    whole = scorer.score(scorer.encode(batch))
    monkeypatch.setattr("stream.scoring.scorer._PAIRS_AT_ONCE", 9)
    parted = scorer.score(scorer.encode(batch))
    assert np.allclose(whole.scores, parted.scores, atol=TOLERANCE)


def test_best_are_the_best_with_ties_by_the_bytes_of_names() -> None:
    learner = Learner(settings())
    names = ["ö", "z", "b", "a", "\U0001f600", "\uffff"]
    apply(learner, feature("x", "numeric"), *(label(name) for name in names), label("lucky"))
    for number in range(40):
        event = Interaction(str(number), "k", number, {"x": 1.0}, ("lucky",))
        learner.learn(learner.encode([event]))
    [found] = scorer_of(learner).best([Interaction("q", None, 50, {"x": 1.0}, ())], 20)
    assert [one.offer for one in found] == ["lucky", *sorted(names, key=str.encode)]
    [some] = scorer_of(learner).best([Interaction("q", None, 50, {"x": 1.0}, ())], 3)
    assert some == found[:3]
    [asked] = scorer_of(learner).best([Interaction("q", None, 50, {}, ("z",), shown=("b", "lucky", "no"))], 9)
    assert [one.offer for one in asked] == ["lucky", "b"]  # a label outside `shown` could not be taken


def test_best_agree_with_sorting_everything() -> None:
    rng = np.random.default_rng(4)
    offsets = np.array([0, 50, 50, 53, 120])
    slots = np.concatenate([rng.permutation(80)[:size] for size in np.diff(offsets)]).astype(np.int64)
    chances = np.round(rng.random(120), 1)  # many ties
    places = rng.permutation(80).astype(np.int64)
    for k in (1, 3, 70):
        found = np.empty((4, k), dtype=np.int64)
        loops.best(offsets, slots, chances, places, k, found)
        for event in range(4):
            pairs = range(offsets[event], offsets[event + 1])
            wanted = sorted(pairs, key=lambda pair: (-chances[pair], places[slots[pair]]))[:k]
            assert [pair for pair in found[event].tolist() if pair >= 0] == wanted


def test_old_names_are_read_as_the_new_ones() -> None:
    learner, _ = trained()
    until = learner.event_time_ms or 0
    apply(learner, {"op": "rename_label", "name": "milk", "to": "oat milk", "alias_until": until + DAY})
    scorer = Scorer(frozen(snapshot_of(learner)))
    old, new = (Interaction("q", "k1", until, {}, (), shown=("bread", name)) for name in ("milk", "oat milk"))
    assert scorer.best([old], 2) == scorer.best([new], 2)
    late = Interaction("q", "k1", until + DAY, {}, (), shown=("bread", "milk"))
    assert [one.offer for one in scorer.best([late], 2)[0]] == ["bread"]


def test_the_librarys_answers_are_the_scorers() -> None:
    learner, batch = trained("glmix")
    for event in batch:
        [found] = scorer_of(learner).best([event], 3)
        assert best_offers(learner, event, 3)["recommendations"] == [[one.offer, one.probability] for one in found]
    learner.learn(learner.encode(batch))
    assert scorer_of(learner).events_trained == learner.events_trained


@pytest.mark.parametrize("strategy", ["carry", "never", "iak+mlet", "peterrec-serial", "glmix"])
def test_the_parts_of_a_score_sum_to_it_and_name_each_input(strategy: str) -> None:
    for number, (learner, batch) in enumerate(states(strategy)):
        if number % 5:
            continue
        scorer = scorer_of(learner)
        for event in batch[:4]:
            [found] = scorer.best([event], 10)
            parts = why(scorer, event, [one.offer for one in found])
            for one, part in zip(found, parts, strict=True):
                assert abs(part.total - one.score) < 1e-4
                assert part.inputs.keys() == learner.network.layout.features.kinds.keys()


def test_what_decides_is_what_is_said_to_decide() -> None:
    """One offer goes with an input, another with a key; the parts say so."""
    learner = Learner(settings())
    apply(learner, feature("store", "categorical"), feature("idle", "numeric"), label("a"), label("b"), label("c"))
    for number in range(600):
        store, key = f"s{number % 2}", f"k{number % 3}"
        taken = [name for name, so in (("a", store == "s1"), ("b", key == "k2")) if so]
        event = Interaction(str(number), key, number * 1000, {"store": store, "idle": number % 7}, tuple(taken))
        learner.learn(learner.encode([event]))
    event = Interaction("q", "k2", 600_000, {"store": "s1", "idle": 3}, ())
    of_a, of_b = why(scorer_of(learner), event, ["a", "b"])
    assert of_a.inputs["store"] > 4 * abs(of_a.inputs["idle"])
    assert of_b.key > 4 * abs(of_b.inputs["idle"])
    assert of_b.key > of_b.inputs["store"]
    nobody = Interaction("q", None, 600_000, {"store": "s1", "idle": 3}, ())
    [anonymous] = why(scorer_of(learner), nobody, ["b"])
    assert anonymous.key == 0.0


def test_nothing_is_live_before_the_first_version_and_nothing_breaks() -> None:
    learner = Learner(settings())
    scorer = Scorer(frozen(snapshot_of(learner)))
    assert scorer.best([Interaction("q", "k", 0, {"x": 1}, ())], 5) == [[]]
    assert scorer.best([], 5) == []


def test_the_constants_are_the_learners() -> None:
    assert loops.BASE_INPUTS == counts.BASE_INPUTS
    assert loops.VALUE_INPUTS == counts.VALUE_INPUTS
    assert loops.STRENGTH_PAIRS == experts._STRENGTH_PAIRS


def test_a_scorer_starts_without_torch() -> None:
    code = "import sys, stream.scoring.scorer, stream.scoring.why; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
