"""`stream config` writes what there is to set, and shows what is set."""

import tomllib
from pathlib import Path

import pytest

from stream.cli import main
from stream.settings.load import load
from stream.settings.root import Settings
from stream.settings.show import commented_toml


def test_it_prints_the_commented_defaults_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAM_SEED", "9")
    assert main(["config"]) == 0
    assert capsys.readouterr().out == commented_toml(Settings)


def test_the_file_that_it_writes_gives_the_defaults_and_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "stream.toml"
    assert main(["config", "--output", str(path)]) == 0
    assert load(Settings, path) == Settings()
    path.write_text("mine")
    assert main(["config", "--output", str(path)]) == 2
    assert path.read_text() == "mine"
    assert capsys.readouterr().err == f"stream config: {path} cannot be written: File exists. Name another file.\n"


def test_it_shows_the_values_in_force_of_all_layers_with_secrets_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "stream.toml"
    path.write_text('seed = 1\n[kafka.options]\nsasl_plain_password = "hunter2"\n')
    monkeypatch.setenv("STREAM_CHECKPOINT__KEEP", "7")
    assert main(["config", "--config", str(path), "--set", "strategy=replace"]) == 0
    shown = tomllib.loads(capsys.readouterr().out)
    assert (shown["seed"], shown["strategy"], shown["checkpoint"]["keep"]) == (1, "replace", 7)
    assert shown["kafka"]["options"] == {"sasl_plain_password": "********"}


def test_a_wrong_setting_ends_it_with_code_2_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--set", "checkpoint.keep=0"]) == 2
    assert capsys.readouterr().err == (
        "stream config: checkpoint.keep = 0 is too small. Use a number at least 1. "
        "It was set by --set checkpoint.keep.\n"
    )
