"""`stream recommend`: what a checkpoint's model would offer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.cli import main
from stream.errors import InvalidInteraction
from stream.learner.core import LearnerCore
from stream.records.interaction import decode_interaction
from stream.schema import parse_version
from stream.scoring.recommend import recommend
from stream.settings.learner import LearnerSettings

VERSION = {
    "version": 1,
    "ts": 0,
    "changes": [
        {"op": "add_feature", "name": "x", "kind": "numeric"},
        *({"op": "add_label", "name": name, "attributes": {"kind": name[0]}} for name in ("a1", "a2", "b1")),
    ],
}


def _event(number: int, label: str) -> dict[str, object]:
    return {"id": str(number), "key": "k", "ts": number, "features": {"x": number % 3}, "labels": [label]}


def test_the_best_offers_come_first_with_probabilities_and_the_model_stays_as_it_is() -> None:
    """Offers outside `shown` are left out; labels may be absent; nothing of the learner changes."""
    learner = LearnerCore(LearnerSettings(batch_size=8))
    learner.apply(parse_version(json.dumps(VERSION).encode()))
    for start in range(0, 64, 8):
        events = [decode_interaction(json.dumps(_event(start + i, "a2")).encode()) for i in range(8)]
        learner.learn(learner.encode(events))
    before = learner.state_digest()
    event = _event(99, "a2") | {"shown": {"kind": ["a"]}}
    del event["labels"]
    found = recommend(learner, json.dumps(event).encode(), 5)
    names = [name for name, _ in found["recommendations"]]
    assert names == ["a2", "a1"]
    assert 1 > found["recommendations"][0][1] > found["recommendations"][1][1] > 0
    assert found["schema_version"] == 1
    assert learner.state_digest() == before


def test_without_labels_no_byte_of_the_event_is_read_otherwise() -> None:
    """An integer beyond 64 bits was read as a float, deep nesting was a traceback, a repeated key passed."""
    learner = LearnerCore(LearnerSettings(batch_size=8))
    changes = [
        {"op": "add_feature", "name": "u", "kind": "categorical"},
        *({"op": "add_label", "name": name} for name in "ab"),
    ]
    learner.apply(parse_version(json.dumps({"version": 1, "ts": 0, "changes": changes}).encode()))
    users = (2**64 + 1, 2**64 + 5)
    for start in range(0, 160, 8):
        plain = [
            {"id": str(i), "key": "k", "ts": i, "features": {"u": users[i % 2]}, "labels": ["ab"[i % 2]]}
            for i in range(start, start + 8)
        ]
        learner.learn(learner.encode([decode_interaction(json.dumps(event).encode()) for event in plain]))
    for user in users:
        asked = {"id": "q", "key": "k", "ts": 5000, "features": {"u": user}}
        with_labels = recommend(learner, json.dumps(asked | {"labels": []}).encode(), 2)
        assert recommend(learner, json.dumps(asked).encode(), 2) == with_labels
    whole = b'{"id":"q","key":"k","ts":1,"features":{}'
    deep = whole + b',"extra":' + b"[" * 300 + b"]" * 300 + b"}"
    assert len(recommend(learner, deep, 2)["recommendations"]) == 2
    for wrong in (whole + b',"id":"r"}', whole.replace(b'"id":"q",', b"") + b"}", b"[]", b"{"):
        with pytest.raises(InvalidInteraction):
            recommend(learner, wrong, 2)


def test_a_replayed_checkpoint_recommends_and_can_be_inspected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: replay files, keep a checkpoint, look into it, score an event with it."""
    monkeypatch.chdir(tmp_path)
    interactions, schema = tmp_path / "i.jsonl", tmp_path / "s.jsonl"
    interactions.write_text("".join(json.dumps(_event(i, "b1")) + "\n" for i in range(40)))
    schema.write_text(json.dumps(VERSION) + "\n")
    files = ["--interactions", str(interactions), "--schema", str(schema), "--checkpoint", "kept"]
    assert main(["replay", *files, "--summary", "summary.json"]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["events_trained"] == 40
    capsys.readouterr()
    [checkpoint] = sorted((tmp_path / "kept").glob("checkpoint-*"))[-1:]
    assert main(["inspect", str(checkpoint), "--json"]) == 0
    inspected = json.loads(capsys.readouterr().out)
    assert inspected["state_digest"] == summary["state_digest"]
    assert inspected["ids_digest"] == summary["ids_digest"]
    assert main(["recommend", str(checkpoint), "--events", str(interactions), "--top", "1"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 40
    assert {line["recommendations"][0][0] for line in lines} == {"b1"}
    assert main(["recommend", str(checkpoint), "--events", str(interactions), "--represent"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in lines] == [str(number) for number in range(40)]
    assert {line["key"] for line in lines} == {"k"}
    assert {len(line["representation"]) for line in lines} == {LearnerSettings().network.hidden[-1]}
    assert lines[0]["representation"] == lines[3]["representation"] != lines[1]["representation"]
