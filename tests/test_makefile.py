"""The Makefile's targets call commands that exist, with arguments that they take."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from stream.cli import build_parser

ROOT = Path(__file__).parent.parent
# These tests may run under `make test`, whose own variables must not reach the make that is tried here.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def recipe(*arguments: str) -> list[str]:
    """Return the words of the last line that `make` would run."""
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    output = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    return shlex.split(output.splitlines()[-1])


def test_demo_without_variables_leaves_the_defaults_to_the_command() -> None:
    assert recipe("demo") == [".venv/bin/stream", "demo"]


@pytest.mark.parametrize("broker", ["localhost:9092", "embedded"])
def test_demo_hands_its_variables_to_the_command(broker: str) -> None:
    words = recipe("demo", "EVENTS=10000", "STRATEGY=replace", "SEED=3", f"BROKER={broker}")
    assert words[0] == ".venv/bin/stream"
    args = build_parser().parse_args(words[1:])
    assert (args.command, args.events, args.strategy, args.seed) == ("demo", 10000, "replace", "3")
    assert broker in (args.bootstrap_servers, args.broker)


def test_bench_calls_a_command_that_exists() -> None:
    words = recipe("bench")
    assert build_parser().parse_args(words[1:]).command == "bench"


def test_an_installation_without_a_python_that_is_new_enough_says_so() -> None:
    command = ["make", "setup", "PYTHON=", "INSTALLED=build/never", "VENV=build/never"]
    result = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "No Python 3.11 or newer was found. Install one, or name one" in result.stderr
