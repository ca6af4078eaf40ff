"""What needs no takeover is found out before it, so that a start that cannot succeed leaves a healthy learner alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stream.adaptation import METHODS, Seat
from stream.cli import main
from stream.errors import CheckpointCorrupt, CheckpointError, ConfigurationError
from stream.testing import MemoryLog
from tests.service.counting_learner import CountingLearner, event, version
from tests.service.serving import Run

CHANGES = [name for name, entry in METHODS.items() if entry.seat is Seat.CHANGE]


def served(tmp_path: Path) -> tuple[MemoryLog, Path]:
    """Return a log that a learner has read, and a copy of that learner's directory."""
    log = MemoryLog()
    log.publish(version(1, 0))
    for index in range(20):
        log.send(event(f"e{index}", index))
    Run(log, tmp_path / "first").run()
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    return log, tmp_path / "copy"


@pytest.mark.parametrize("error", [KeyError("replace"), ValueError("shape"), AssertionError(), RuntimeError("torch")])
def test_an_exception_of_the_restored_model_is_a_sentence_and_fences_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    log, copy = served(tmp_path)
    epoch = log.epoch

    def failing(self: Any, tree: Any = None) -> None:
        if tree is not None:
            raise error

    monkeypatch.setattr(CountingLearner, "__init__", failing)
    with pytest.raises(CheckpointCorrupt, match="does not hold what this program writes"):
        Run(log, copy)
    assert log.epoch == epoch


def test_outputs_and_room_are_looked_at_before_the_takeover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, copy = served(tmp_path)
    epoch = log.epoch
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        Run(log, copy, predictions=tmp_path / "nowhere" / "p.jsonl")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1 << 40, 1 << 40, 10))
    with pytest.raises(CheckpointError, match="has room for 10 bytes"):
        Run(log, copy)
    assert log.epoch == epoch


def test_the_predictions_are_cut_back_only_after_the_takeover(tmp_path: Path) -> None:
    log, copy = served(tmp_path)
    written = tmp_path / "p.jsonl"
    written.write_bytes(b"what another learner writes")
    with pytest.raises(ConfigurationError):
        Run(log, copy, "seed=5", predictions=written)
    assert written.read_bytes() == b"what another learner writes"


def files_in(place: Path) -> list[str]:
    events = [{"id": str(n), "key": "ann", "ts": n, "features": {"x": n}, "labels": ["tea"]} for n in (1, 2, 3, 14)]
    changes = (
        [{"op": "add_feature", "name": "x", "kind": "numeric"}, {"op": "add_label", "name": "tea"}],
        [{"op": "add_label", "name": "rice"}, {"op": "add_feature", "name": "y", "kind": "numeric"}],
    )
    versions = [{"version": n + 1, "ts": 2 * n, "changes": made} for n, made in enumerate(changes)]
    (place / "i.jsonl").write_text("".join(json.dumps(line) + "\n" for line in events), encoding="utf-8")
    (place / "s.jsonl").write_text("".join(json.dumps(line) + "\n" for line in versions), encoding="utf-8")
    return ["replay", "--interactions", str(place / "i.jsonl"), "--schema", str(place / "s.jsonl")]


@pytest.mark.parametrize("before", CHANGES)
def test_a_replay_goes_on_under_any_strategy_that_differs_in_what_a_change_does(tmp_path: Path, before: str) -> None:
    arguments = [*files_in(tmp_path), "--summary", str(tmp_path / "out.json"), "--set", "network.hidden=8"]
    assert main([*arguments, "--checkpoint", str(tmp_path / "c"), "--set", f"strategy={before}"]) == 0
    for after in CHANGES:
        shutil.copytree(tmp_path / "c", tmp_path / after)
        assert main([*arguments, "--checkpoint", str(tmp_path / after), "--set", f"strategy={after}"]) == 0
        summary = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
        assert (summary["events_trained"], summary["strategy"]) == (4, after)


def test_a_replay_under_another_method_is_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*files_in(tmp_path), "--checkpoint", str(tmp_path / "c"), "--set", "network.hidden=8"]
    assert main(arguments) == 0
    before = (tmp_path / "c" / "commit.json").read_bytes()
    assert main([*arguments, "--set", "strategy=bayes-output"]) == ConfigurationError.exit_code
    assert "strategy = 'bayes-output' (it was 'carry'; what a schema change does is free)" in capsys.readouterr().err
    assert (tmp_path / "c" / "commit.json").read_bytes() == before
