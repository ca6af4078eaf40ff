"""Every command helps whoever asks, and every failure ends in its sentence and its exit code."""

import argparse
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from stream import errors
from stream.cli import build_parser, command_names, main
from stream.cli.commands import strategies

SLOW_IMPORTS = {"torch", "kafka", "pandas", "river", "scipy", "matplotlib", "numpy", "prometheus_client", "rich"}


# Part 8 of the contract, with the arguments that it names.
CONTRACT = [
    "run --config F --stop-at-end --summary F --predictions F --set seed=1",
    "config",
    "topics",
    "produce",
    "schema show",
    "schema publish F --ts 1",
    "schema publish F --at-once",
    "schema diff 1 2",
    "dead-letters list",
    "dead-letters show 0:17 --json",
    "dead-letters resend --dry-run --reason not_json --limit 5 --yes",
    "schema-of interaction",
    "replay --interactions F --schema F --config F --checkpoint D --summary F --predictions F --set idle_seconds=1",
    "recommend C",
    "inspect C --json",
    "merge C OUT",
    "factorise C OUT --inner 32",
    "models list --directory D",
    "models show 3",
    "models promote",
    "models rollback 3 --reason R",
    "check --interactions F --schema F --json",
    "check",
    "serve D",
    "export C --onnx M",
    "broker",
    "compile",
    "strategies",
    "files deploy --to D",
    "bench speed",
    "bench checkpoint --megabytes 12 76",
    "bench latency --seconds 5",
    "demo",
]


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


def test_the_module_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "stream", "--help"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("usage: stream ")
    for name in command_names():
        assert re.search(rf"^    {name}\s", result.stdout, re.MULTILINE), name


def test_the_command_line_needs_nothing_slow_to_explain_itself() -> None:
    code = f"import stream.cli, sys; stream.cli.build_parser(); print({SLOW_IMPORTS} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("name", command_names())
def test_a_command_helps_with_the_first_line_of_its_module(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    documentation = importlib.import_module(f"stream.cli.commands.{name.replace('-', '_')}").__doc__ or ""
    first_line = documentation.partition("\n")[0]
    assert first_line.endswith((".", ":", ","))
    assert first_line in capsys.readouterr().out


@pytest.mark.parametrize("line", CONTRACT)
def test_the_command_lines_of_the_contract_are_understood(line: str) -> None:
    args = build_parser().parse_args(line.split())
    assert args.command == line.split()[0]


def test_the_commands_are_these() -> None:
    assert set(command_names()) == {line.split()[0] for line in CONTRACT}


def test_every_argument_of_every_command_has_help() -> None:
    silent = [
        f"{parser.prog}: {action.option_strings or action.dest}"
        for parser in parsers(build_parser())
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction) and not action.help
    ]
    assert silent == []


def test_a_command_that_does_not_exist_is_refused_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rnu"])
    assert ended.value.code == 2
    assert "config" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.StreamError)],
)
def test_an_error_ends_a_command_with_its_sentence_and_its_exit_code(
    error: type[errors.StreamError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise error.__new__(error, "the sentence")

    monkeypatch.setattr(strategies, "run", fail)
    assert main(["strategies"]) == error.exit_code
    captured = capsys.readouterr()
    assert captured.err == "stream strategies: the sentence\n"
    assert captured.out == ""


def test_an_error_of_the_program_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(strategies, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["strategies"])


def test_a_disk_that_refuses_ends_a_command_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(strategies, "run", fail)
    assert main(["strategies"]) == errors.LogError.exit_code
    assert "No space left on device: 'somewhere'" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["torch", "numpy", "python"])
def test_too_little_memory_ends_a_command_with_a_sentence(
    library: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: argparse.Namespace) -> int:
        if library == "torch":
            torch.empty(1 << 55)
        if library == "numpy":
            np.zeros(1 << 55)
        raise MemoryError

    monkeypatch.setattr(strategies, "run", fail)
    assert main(["strategies"]) == errors.StreamError.exit_code
    said = capsys.readouterr().err
    assert said.startswith("stream strategies: not enough memory: ")
    assert "network.pair_cells" in said


def test_the_keyboard_ends_a_command_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(strategies, "run", interrupted)
    assert main(["strategies"]) == 130


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = [sys.executable, "-m", "stream", "config"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 141


def test_strategies_are_listed_with_a_name_and_a_sentence_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split(maxsplit=1)[0] for line in lines]
    assert {"carry", "replace"} <= set(names)
    assert len(set(names)) == len(names)
    assert all(line.split(maxsplit=1)[1].endswith(".") for line in lines)


def test_the_documented_table_of_exit_codes_is_that_of_the_errors() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    told = {int(line.split("|")[1]) for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.StreamError)]
    assert {kind.exit_code for kind in kinds} <= told
