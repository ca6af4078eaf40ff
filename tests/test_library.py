"""A learner is kept in a file: whole or not at all, and it goes on bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stream
from stream.checkpoint import read_checkpoint
from stream.cli import main
from stream.errors import CheckpointCorrupt, CheckpointError, CheckpointMissing, NonFinite
from stream.library import Learner
from stream.testing.streams import FEATURES, OFFERS, apply, events, feature, settings


def trained(strategy: str = "carry") -> Learner:
    learner = Learner(settings(strategy))
    apply(learner, *FEATURES, *OFFERS)
    stream_of = events(96)
    for start in range(0, 96, 16):
        learner.learn(learner.encode(stream_of[start : start + 16]))
    apply(learner, feature("extra", "numeric"))
    return learner


def test_the_library_s_learner_is_the_one_that_others_import() -> None:
    assert stream.Learner is Learner


@pytest.mark.parametrize("strategy", ["carry", "replace"])
def test_what_was_saved_goes_on_bit_for_bit(tmp_path: Path, strategy: str) -> None:
    learner = trained(strategy)
    learner.save(tmp_path / "a.ckpt")
    loaded = Learner.load(str(tmp_path / "a.ckpt"))
    assert type(loaded) is Learner
    assert loaded.settings == learner.settings
    assert loaded.state_digest() == learner.state_digest()
    for one in (learner, loaded):
        one.learn(one.encode(events(32, seed=8)))
    assert loaded.state_digest() == learner.state_digest()


def test_saving_replaces_a_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(b"something else")
    learner = trained()
    learner.save(path)
    learner.learn(learner.encode(events(16, seed=8)))
    learner.save(path)
    assert Learner.load(path).events_trained == 112
    assert [found.name for found in tmp_path.iterdir()] == ["model.ckpt"]


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, learner = tmp_path / "model.ckpt", trained()
    learner.save(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(CheckpointError, match=r"model\.ckpt cannot be written: .*No space left"):
            learner.save(path)
    learner.network.input.bias.weight[0, 0] = float("nan")
    with pytest.raises(NonFinite):
        learner.save(path)
    with pytest.raises(CheckpointError, match="cannot be written"):
        trained().save(tmp_path / "missing" / "model.ckpt")
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["model.ckpt"]


def test_damage_is_noticed_and_absence_said(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    with pytest.raises(CheckpointMissing):
        Learner.load(path)
    trained().save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointCorrupt):
        Learner.load(path)


def test_the_commands_read_what_the_library_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, learner = tmp_path / "model.ckpt", trained()
    learner.save(path)
    assert main(["inspect", str(path), "--json"]) == 0
    inside = json.loads(capsys.readouterr().out)
    assert inside["state_digest"] == learner.state_digest()
    assert inside["implementation"] == learner.network.implementation
    assert (inside["source"], inside["offsets"]) == ("library", {})
    event = tmp_path / "event.jsonl"
    event.write_text('{"id": "1", "key": "k", "ts": 1, "features": {}}\n')
    assert main(["recommend", str(path), "--events", str(event), "--top", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["recommendations"]) == 2


def test_what_a_service_wrote_can_be_loaded(tmp_path: Path) -> None:
    version = {"version": 1, "ts": 0, "changes": [{"op": "add_label", "name": "tea"}]}
    event = {"id": "1", "key": "k", "ts": 1, "features": {}, "labels": ["tea"]}
    (tmp_path / "schema.jsonl").write_text(json.dumps(version) + "\n")
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    files = ["--interactions", str(tmp_path / "events.jsonl"), "--schema", str(tmp_path / "schema.jsonl")]
    kept = tmp_path / "kept"
    assert main(["replay", *files, "--checkpoint", str(kept), "--set", "seed=5"]) == 0
    path = sorted(kept.glob("*.ckpt"))[-1]
    for place in (kept, path):
        learner = Learner.load(place)
        assert (learner.events_trained, learner.settings.seed) == (1, 5)
    assert read_checkpoint(path).number >= 1
