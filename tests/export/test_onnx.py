"""What onnxruntime makes of the exported graph is what the learner says, under every strategy, encoded by the JSON."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load_file

from stream.cli import main
from stream.errors import ConfigurationError
from stream.export.feeds import feeds_of
from stream.export.graph import graph_of
from stream.library import Learner
from stream.records.interaction import Interaction
from stream.scoring.of_learner import scorer_of
from stream.testing.streams import FEATURES, OFFERS, apply, events, settings
from tests.adaptation.test_contract import STRATEGIES
from tests.scoring.test_scorer import states, trained

onnxruntime.set_default_logger_severity(3)  # it would rather have the mixture's weights fixed


def run(graph: bytes, feeds: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    return tuple(onnxruntime.InferenceSession(graph).run(["score", "probability", "logit"], feeds))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_scores_are_the_learners(strategy: str) -> None:
    for number, (learner, batch) in enumerate(states(strategy)):
        if number % 8:
            continue
        scorer = scorer_of(learner)
        score, probability, logit = run(graph_of(scorer).SerializeToString(), feeds_of(scorer, batch))
        predicted = learner.predict(learner.encode(batch))
        assert np.abs(score - predicted.scores).max(initial=0.0) < 1e-5
        assert np.abs(logit - predicted.logits).max(initial=0.0) < 1e-5
        assert np.abs(probability - 1.0 / (1.0 + np.exp(-predicted.scores))).max(initial=0.0) < 1e-6


def test_scores_are_the_learners_with_tasks() -> None:
    from stream.adaptation.peterrec.settings import PeterRecSettings

    made = dataclasses.replace(settings("peterrec-serial"), peterrec=PeterRecSettings(task_attribute="group", tasks=4))
    learner = Learner(made)
    apply(learner, *FEATURES, *OFFERS)
    for number in range(20):
        learner.learn(learner.encode(events(16, number)))
    scorer, batch = scorer_of(learner), events(16, 99)
    score, _, _ = run(graph_of(scorer).SerializeToString(), feeds_of(scorer, batch))
    assert np.abs(score - learner.predict(learner.encode(batch)).scores).max() < 1e-5


def text(value: Any) -> str | None:
    if value is None or isinstance(value, list):
        return None
    return value if isinstance(value, str) else json.dumps(value)


def encoded(told: dict[str, Any], batch: Sequence[Interaction]) -> dict[str, np.ndarray]:
    """Encode events by what the JSON says alone."""
    numeric = np.full((len(batch), len(told["numeric"])), math.nan)
    rows: list[tuple[int, int, int, float]] = []
    for place, event in enumerate(batch):
        for column, name in enumerate(told["numeric"]):
            value = event.features.get(name)
            if isinstance(value, (int, float)):
                numeric[place, column] = float(value)
        for name, feature in told["categorical"].items():
            value = event.features.get(name)
            known, slot = feature["values"], feature["slot"]
            if feature["kind"] == "multi_categorical":
                listed = [value] if isinstance(value, str) else value
                if not isinstance(listed, list) or any(item is None for item in listed):
                    rows.append((place, slot, feature["missing"], 1.0))
                    continue
                distinct = list(dict.fromkeys(text(item) for item in listed))
                weight = 1.0 / math.sqrt(len(distinct) or 1)
                rows += [(place, slot, known.get(item, feature["rare"]), weight) for item in distinct]
                continue
            if feature["kind"] == "boolean":
                value = bool(value) if isinstance(value, (bool, int, float)) and value in (0, 1) else None
            written = text(value)
            rows.append(
                (place, slot, feature["missing"] if written is None else known.get(written, feature["rare"]), 1.0)
            )
        if told["key"] and event.key is not None:
            rows.append((place, told["key"]["slot"], told["key"]["values"].get(event.key, told["key"]["rare"]), 1.0))
    return {
        "numeric": numeric,
        "row": np.array([row for _, _, row, _ in rows]),
        "row_event": np.array([place for place, _, _, _ in rows]),
        "row_slot": np.array([slot for _, slot, _, _ in rows]),
        "row_weight": np.array([weight for *_, weight in rows], dtype=np.float32),
    }


@pytest.mark.parametrize("strategy", ["carry", "carry+mlet"])
def test_the_command_writes_a_graph_and_how_to_encode_for_it(
    strategy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner = Learner(settings(strategy))
    apply(learner, *FEATURES, *OFFERS)
    for number in range(12):
        learner.learn(learner.encode(events(16, number)))
    learner.save(tmp_path / "model.ckpt")
    assert main(["export", str(tmp_path / "model.ckpt"), "--onnx", str(tmp_path / "model.onnx")]) == 0
    assert "model.json" in capsys.readouterr().out
    told = json.loads((tmp_path / "model.json").read_text())
    batch = events(32, 77)
    feeds = feeds_of(scorer_of(learner), batch)
    score, _, _ = run((tmp_path / "model.onnx").read_bytes(), {**feeds, **encoded(told, batch)})
    assert np.abs(score - learner.predict(learner.encode(batch)).scores).max() < 1e-5
    assert {entry["slot"] for entry in told["offers"].values()} == set(feeds["pair_offer"].tolist())
    assert len(told["counts"]) == feeds["counts"].shape[1]
    assert load_file(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"\w"):  # MLET's tables are merged: there is no factor left to feed
        onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes()).run(["score"], {"factor": feeds["cells"]})


def test_the_mixtures_weights_may_be_newer_than_the_graph() -> None:
    learner, batch = trained()
    scorer = scorer_of(learner)
    feeds = feeds_of(scorer, batch)
    graph = graph_of(scorer).SerializeToString()
    alone = np.array([0.0] * 6 + [1.0])
    score, _, logit = run(graph, {**feeds, "shares": alone})
    assert np.abs(score - np.clip(logit, -20.7, 20.7)).max() < 1e-5


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    learner, _ = trained("iak")
    scorer = copy.copy(scorer_of(learner))
    kernels: dict[str, Any] = {"slot_of_row": [[3, 0]], "common": None, "states": {}, "domain_slot": 1}
    scorer.manifest = {**scorer.manifest, "trunk": {**scorer.manifest["trunk"], "kernels": kernels}}
    with pytest.raises(ConfigurationError, match="domain"):
        graph_of(scorer)
    learner.save(tmp_path / "m.ckpt")
    assert main(["export", str(tmp_path / "m.ckpt"), "--onnx", str(tmp_path / "m.bin")]) == 2
