"""The README's blocks run as they stand, section by section, in the order in which a newcomer meets them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stream.broker import LocalBroker

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHELL = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def run_shell(block: str, place: Path, **environment: str) -> str:
    """Run a block in bash as a newcomer would, the installation's commands first in the path; return what it said."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", block],
        cwd=place,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout


def test_the_readme_is_short_and_all_of_its_code_is_run() -> None:
    assert len(TEXT.splitlines()) <= 150
    assert (len(PYTHON), len(SHELL)) == (TEXT.count("```python"), TEXT.count("```sh"))
    assert len(PYTHON) >= 2
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    assert headings[:2] == ["Your own data in five minutes", "Your own Kafka"]
    assert len(SHELL) == 2, "each section of a newcomer's first hour is one block"
    assert not re.search(r"^ {4}(from \w+ import|import|stream) ", TEXT, re.MULTILINE), "indented code is not run"


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.split("\n")[0])
def test_a_block_of_python_runs_as_it_stands(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})


def test_the_library_is_used_in_ten_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = [block for block in PYTHON if "from stream import" in block]
    assert len(block.strip().splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "model.ckpt").exists()
    assert getattr(names["learner"], "events_trained", 0) == 1


@pytest.mark.timeout(600)
def test_your_own_data_and_then_your_own_kafka(tmp_path: Path, kafka_broker: LocalBroker) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    said = run_shell(SHELL[0].replace("9465", port), tmp_path, STREAM_SERVE__PORT=port)
    assert '"recommendations"' in said
    answer = json.loads(said[said.rindex('{"id":""') :])
    assert len(answer["offers"]) == 2
    first, rest = SHELL[1].split("\n", 1)
    assert first.startswith("stream broker"), "the block's first line is the one that another Kafka stands in for"
    (tmp_path / "broker.address").write_text(kafka_broker.bootstrap_servers)
    topics = {f"STREAM_TOPICS__{name}": f"readme-{name}".lower() for name in ("INTERACTIONS", "SCHEMA", "DEAD_LETTERS")}
    said = run_shell(rest, tmp_path, **topics, STREAM_METRICS__PORT="0", STREAM_IDLE_SECONDS="1")
    assert "cocoa" in said
    assert '"events_trained": 3' in (tmp_path / "summary.json").read_text()
