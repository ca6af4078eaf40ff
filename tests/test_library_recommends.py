"""`learner.recommend` from a dict: the answers of `stream recommend`, and errors that name the member."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.cli import main
from stream.errors import InvalidInteraction
from stream.library import Learner
from stream.testing.streams import FEATURES, OFFERS, apply, events, settings


@pytest.fixture(scope="module")
def learner() -> Learner:
    learner = Learner(settings())
    apply(learner, *FEATURES, *OFFERS)
    stream_of = events(64)
    for start in range(0, 64, 16):
        learner.learn(learner.encode(stream_of[start : start + 16]))
    return learner


def test_names_and_probabilities_are_those_of_the_command(
    learner: Learner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner.save(tmp_path / "model.ckpt")
    whole: dict[str, Any] = {
        "id": "q",
        "key": "k1",
        "ts": learner.event_time_ms,
        "features": events(1, seed=9)[0].features,
    }
    (tmp_path / "events.jsonl").write_text(json.dumps(whole) + "\n")
    assert (
        main(["recommend", str(tmp_path / "model.ckpt"), "--events", str(tmp_path / "events.jsonl"), "--top", "3"]) == 0
    )
    [said] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    before = learner.state_digest()
    found = learner.recommend({"features": whole["features"], "key": "k1"}, k=3)
    assert [list(pair) for pair in found] == said["recommendations"]
    assert len(found) == 3
    assert all(0 < probability < 1 for _, probability in found)
    assert learner.state_digest() == before


def test_shown_is_heeded_and_nothing_but_features_is_required(learner: Learner) -> None:
    names = [name for name, _ in learner.recommend({"features": {}}, k=1000)]
    assert set(names) == set(learner.schema.labels)
    assert [name for name, _ in learner.recommend({"features": {}, "shown": names[1:2]})] == names[1:2]
    assert learner.recommend({"features": {}, "shown": []}) == []


def test_numpys_values_are_the_numbers_that_they_are(learner: Learner) -> None:
    numeric = next(name for name, kind in learner.schema.features.items() if kind == "numeric")
    plain = learner.recommend({"features": {numeric: 0.5}, "key": "k1"})
    assert learner.recommend({"features": {numeric: np.float64(0.5)}, "key": "k1"}) == plain
    assert learner.recommend({"features": {numeric: np.array(0.5)}, "key": "k1"}) == plain


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({}, "features is missing"),
        ({"features": [1]}, "features is a list"),
        ({"features": {}, "key": 7}, "key is the number 7"),
        ({"features": {}, "shown": "tea"}, "shown is a string"),
        ({"features": {"x": math.nan}}, "JSON"),
        ({"features": {"x": {1, 2}}}, "a set is none of its values"),
        ({"features": {"x": "\ud800"}}, "surrogate"),
        ({"features": {"x": 10**400}}, "no finite number"),
    ],
)
def test_what_is_wrong_is_said(learner: Learner, event: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInteraction, match=said):
        learner.recommend(event)


def test_nothing_asked_for_is_refused(learner: Learner) -> None:
    with pytest.raises(ValueError, match="k is 0"):
        learner.recommend({"features": {}}, k=0)
