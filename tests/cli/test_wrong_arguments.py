"""Whatever a command is given, it ends with a sentence and a code, never with a traceback or with something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from stream import Learner, LearnerSettings
from stream.cli import main
from stream.errors import ConfigurationError, LogError
from stream.log.embedded import EmbeddedTopic
from stream.network.settings import NetworkSettings

CHANGE = '{"op":"add_label","name":"z"}'
REPLAY = "replay --interactions events.jsonl --schema schema.jsonl --set network.hidden=4"

WRONG = [
    (f"{REPLAY} --set network.hidden=[]", ConfigurationError, "has no layer"),
    (f"{REPLAY} --set threads=100000", ConfigurationError, "too large"),
    (f"{REPLAY} --dead-letters directory", LogError, "cannot be written"),
    (f"{REPLAY} --summary directory/none/summary.json", ConfigurationError, "make it first"),
    (f"{REPLAY} --predictions directory", ConfigurationError, "cannot be opened"),
    ("replay --interactions directory --schema schema.jsonl", ConfigurationError, "cannot be read"),
    (f"schema publish --log log --ts 99999999999999999999 --change {CHANGE}", ConfigurationError, "the field ts"),
    ("schema publish --log log --ts 5 deep.json", ConfigurationError, "is not JSON"),
    ("topics --log events.jsonl --create", LogError, "cannot be written"),
    ("topics --log other --create --partitions 0", ConfigurationError, "at least 1"),
    ("produce --log log --interactions events.jsonl --rate inf", ConfigurationError, "is no rate"),
    ("produce --log log --journey --events -3", ConfigurationError, "no number of events"),
    ("broker --port 99999", ConfigurationError, "no such port"),
    ("bench speed --out none/figures.json", ConfigurationError, "make it first"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a small stream, an empty log, and files that are none of these."""
    monkeypatch.chdir(tmp_path)
    events = [{"id": f"e{at}", "key": "k", "ts": at, "features": {}, "labels": ["x"]} for at in range(40)]
    Path("events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    changes = [{"op": "add_label", "name": name} for name in ("x", "y")]
    Path("schema.jsonl").write_text(json.dumps({"version": 1, "ts": 0, "changes": changes}) + "\n")
    Path("deep.json").write_text("[" * 100_000)
    Path("directory").mkdir()
    for topic in ("interactions", "feature-schema"):
        EmbeddedTopic.create(Path("log"), topic)
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("line", "error", "sentence"), WRONG, ids=[line for line, _, _ in WRONG])
def test_it_is_refused_with_a_sentence(
    line: str, error: type[ConfigurationError | LogError], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == error.exit_code
    said = capsys.readouterr().err
    assert said.startswith(f"stream {line.split()[0]}: ")
    assert sentence in said
    assert EmbeddedTopic(Path("log"), "feature-schema").path(0).stat().st_size == 0, "nothing was published"


@pytest.mark.usefixtures("here")
def test_a_model_that_the_library_saved_is_not_gone_on_from(capsys: pytest.CaptureFixture[str]) -> None:
    Learner(LearnerSettings(network=NetworkSettings(hidden=(4,)))).save("directory/checkpoint-000000000001.ckpt")
    assert main([*REPLAY.split(), "--checkpoint", "directory"]) == ConfigurationError.exit_code
    assert "has no offsets" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_here_is_a_wrong_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*REPLAY.split(), "--set", "device=cuda"]) == ConfigurationError.exit_code
    assert "torch finds none here" in capsys.readouterr().err
