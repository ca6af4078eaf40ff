"""What somebody meets who knows nothing yet: the version, the commands, an example of each, a word at once."""

from __future__ import annotations

import os
import pkgutil
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stream
from stream.cli import build_parser, command_names, main
from stream.cli.commands import bench


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert stream.__version__ == version("stream-learner")
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"stream {stream.__version__}\n"
    assert dir(stream) == sorted(stream.__all__)
    assert {"Learner", "__version__", "parse_version"} <= set(dir(stream))


def test_stream_alone_prints_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n    {name}" in printed for name in command_names())


@pytest.mark.parametrize("name", command_names())
def test_each_command_s_help_has_an_example_that_it_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Example: "))
    import shlex

    program, *arguments = shlex.split(line.removeprefix("Example: ").partition(" > ")[0])
    assert (program, arguments[0]) == ("stream", name)
    assert build_parser().parse_args(arguments).command == name


ACTIONS = [
    *(f"schema {action}" for action in ("show", "publish", "diff", "history")),
    *(f"dead-letters {action}" for action in ("list", "show", "resend")),
    *(f"bench {module.name}" for module in pkgutil.iter_modules(bench.__path__)),
]


@pytest.mark.parametrize("words", ACTIONS)
def test_each_action_s_help_has_one_too(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*words.split(), "--help"])
    said = capsys.readouterr().out.splitlines()
    example = next(line for line in said if line.startswith("Example: stream ")).removeprefix("Example: stream ")
    assert example.startswith(words)
    build_parser().parse_args(example.split())


@pytest.mark.parametrize("command", ["run", "replay", "recommend"])
def test_what_loads_for_seconds_says_so_before_it_imports_anything_slow(command: str, tmp_path: Path) -> None:
    """On a terminal the first bytes come before torch is looked for, which this child cannot import."""
    code = (
        f"import sys; sys.modules['torch'] = None\nfrom stream.cli import main\nmain({[command, *_needed(command)]!r})"
    )
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    said = b""
    deadline = time.monotonic() + 120
    while b"\n" not in said and time.monotonic() < deadline:
        said += os.read(ours, 100)
    child.wait()
    os.close(ours)
    assert said.startswith(f"stream {command}: loading ...".encode())


def _needed(command: str) -> list[str]:
    return {"run": [], "replay": ["--interactions", "i", "--schema", "s"], "recommend": ["c"]}[command]
