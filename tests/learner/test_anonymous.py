"""An anonymous event is trained without an entity: no row, no counts of a key, and c = 0 in the baseline."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stream.cli import main
from stream.encoding.features import KEY
from stream.learner.core import LearnerCore
from stream.network.counts import BY_KEY
from stream.records.interaction import Interaction
from stream.testing.streams import FEATURES, OFFERS, apply, events, learn, restored, settings, trained


def anonymous(interactions: list[Interaction]) -> list[Interaction]:
    return [dataclasses.replace(event, key=None) for event in interactions]


@pytest.mark.parametrize("strategy", ["carry", "replace", "glmix", "bayes-network", "bayes-output", "iak", "mlet"])
def test_anonymous_events_leave_nothing_of_a_key(strategy: str) -> None:
    learner = trained(strategy, 96)
    network = learner.network
    slot = network.layout.features.categorical.slot(KEY)
    vocabulary = network.layout.rows.vocabularies[slot]
    rows = vocabulary.rows()
    before = {name: network.counts.arrays[name].copy() for name in BY_KEY}
    mass, keys = network.layout.rows.mass[rows].copy(), dict(network.layout.keys.row_of)
    embedded = network.input.rows.weight[rows].clone()
    both = network.pairs.key_offer, network.pairs.key_value
    cells: list[tuple[np.ndarray, ...]] = [
        (cells.names.copy(), cells.weights.copy(), cells.counts.copy()) for cells in both
    ]
    learn(learner, anonymous(events(64, seed=4, first=96)))
    assert dict(network.layout.keys.row_of) == keys
    assert vocabulary.rows() == rows
    assert np.array_equal(network.layout.rows.mass[rows], mass), "not even the row of a missing value is seen"
    assert torch.equal(network.input.rows.weight[rows], embedded)
    for name, count in before.items():
        assert np.array_equal(network.counts.arrays[name], count), name
    for now, arrays in zip(both, cells, strict=True):
        for name, array in zip(("names", "weights", "counts"), arrays, strict=True):
            assert np.array_equal(getattr(now, name), array), name
    assert learner.events_trained == 160
    assert restored(learner).state_digest() == learner.state_digest()


def test_the_model_learns_from_anonymous_events_all_the_same() -> None:
    learner = LearnerCore(settings())
    apply(learner, *FEATURES, *OFFERS)
    reports = learn(learner, anonymous(events(480, seed=2)))
    assert reports[-1].loss < reports[1].loss
    assert len(learner.network.layout.keys) == 0


def test_an_anonymous_event_is_predicted_as_nobody_s_and_not_as_a_rare_key_s() -> None:
    learner = trained("carry", 96)
    one = anonymous(events(1, seed=6))[0]
    [pairs] = {len(learner.encode([one]).rows) - len(learner.encode([dataclasses.replace(one, key="new")]).rows)}
    assert pairs == -1, "a row less than an event whose key is rare"


def test_in_the_baseline_c_is_0_for_an_anonymous_event() -> None:
    """It scores as an event of a key that has never taken anything, and what it takes is nobody's."""
    first, second = LearnerCore(settings()), LearnerCore(settings())
    apply(first, *OFFERS)
    apply(second, *OFFERS)
    stream = events(96, seed=5)
    fresh = [dataclasses.replace(event, key=f"once-{number}") for number, event in enumerate(stream)]
    lines = [[score.entity_attribute_counts for score in report.scores] for report in learn(first, anonymous(stream))]
    others = [[score.entity_attribute_counts for score in report.scores] for report in learn(second, fresh)]
    assert lines == others
    assert first.evaluation._counts.pairs == 0
    assert second.evaluation._counts.pairs > 0


def test_files_and_a_log_take_anonymous_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = {"ts": 1_700_000_000_000, "features": {}, "labels": ["tea"]}
    keys: list[dict[str, object]] = [{}, {"key": None}, {"key": "ann"}]
    lines = [json.dumps({"id": str(number), **plain, **keys[number % 3]}) for number in range(30)]
    (tmp_path / "i.jsonl").write_text("\n".join(lines))
    version = {"version": 1, "ts": 0, "changes": [{"op": "add_label", "name": "tea"}]}
    (tmp_path / "s.jsonl").write_text(json.dumps(version))
    files = ["--interactions", "i.jsonl", "--schema", "s.jsonl"]
    assert main(["replay", *files, "--summary", "files.json"]) == 0
    assert main(["topics", "--create", "--log", "log"]) == 0
    assert main(["produce", *files, "--log", "log"]) == 0
    run = ["run", "--stop-at-end", "--summary", "log.json"]
    for setting in ("log.directory=log", "metrics.enabled=false", "idle_seconds=0.1", "view.style=none"):
        run += ["--set", setting]
    assert main(run) == 0
    for name in ("files.json", "log.json"):
        summary = json.loads((tmp_path / name).read_text())
        assert (summary["events_trained"], summary["events_dead_lettered"]) == (30, 0)
