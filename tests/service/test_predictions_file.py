"""The predictions file holds each trained event of the surviving model once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from stream.errors import ConfigurationError
from stream.service import start
from stream.service.pace import Pace
from stream.service.predictions import PredictionsFile
from stream.testing import MemoryLog
from tests.service.counting_learner import event, version
from tests.service.serving import Run


@dataclass
class Line:
    text: str

    def to_json(self) -> str:
        return self.text


def test_lines_reach_the_file_with_a_checkpoint_only(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    file = PredictionsFile(path)
    file.append([Line("a"), Line("é")])
    assert path.read_bytes() == b""
    file.write()
    file.committed()
    file.append([Line("lost with the process")])
    file.close()
    assert path.read_text() == "a\né\n"


def test_what_was_written_for_a_checkpoint_that_does_not_count_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    file = PredictionsFile(path)
    file.append([Line("a")])
    file.write()
    file.committed()
    file.append([Line("b")])
    file.write()
    file.roll_back()
    assert (path.read_text(), file.length_bytes) == ("a\n", 2)
    file.close()


def test_a_resumed_run_cuts_back_to_its_checkpoint_and_a_new_one_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("a\nb\n")
    PredictionsFile(path, 2).close()
    assert path.read_text() == "a\n"
    PredictionsFile(path).close()
    assert path.read_text() == ""


def test_a_file_that_lacks_lines_is_not_the_one_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run that is resumed"):
        PredictionsFile(tmp_path / "p.jsonl", 10)


def test_many_bytes_of_lines_bring_the_checkpoint_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def commits(directory: Path) -> int:
        log = MemoryLog(1)
        log.publish(version(1, 0))
        for index in range(40):
            log.send(event(f"e{index}", index))
        Run(log, directory, "checkpoint.every_seconds=9999", predictions=directory / "p.jsonl").run()
        assert len((directory / "p.jsonl").read_text().splitlines()) == 40
        return len(log.commits)

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    usual = commits(tmp_path / "a")
    size = (tmp_path / "a" / "p.jsonl").stat().st_size
    monkeypatch.setattr(start, "Pace", lambda **kept: Pace(**kept, predictions_bytes=size // 4))
    assert commits(tmp_path / "b") >= usual + 2
