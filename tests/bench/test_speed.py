"""The figures of the speed benchmark: medians of repeats, ratios within a repeat."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.bench.speed import measure as measuring
from stream.bench.speed.figure import Figure
from stream.bench.speed.measure import BARE_STEP, MEMORY, RAW_POLL, measure
from stream.bench.speed.table import speed_json, speed_table
from stream.bench.speed.workload import workloads
from stream.cli import main
from stream.errors import ConfigurationError

BARE = Figure("W1", BARE_STEP, 100, (1.0, 2.0, 4.0))
RAW = Figure("W1", RAW_POLL, 100, (2.0, 4.0, 8.0))
KAFKA = Figure("W1", "Kafka", 100, (4.0, 10.0, 16.0))


def test_a_ratio_is_taken_within_each_repeat_so_that_a_slow_machine_cancels() -> None:
    """The machine halves its speed twice; the ratio of the medians would be 0.2."""
    ratio = KAFKA.ratio_to(BARE)
    assert (ratio.median, ratio.lowest, ratio.highest) == (0.25, 0.2, 0.25)


def test_the_table_gives_median_and_range_and_no_ratio_of_a_reference() -> None:
    rates, ratios, _ = speed_table([BARE, RAW, KAFKA]).split("\n\n")
    assert rates.splitlines()[1].split("  ")[-1].strip() == "50 (25-100)"
    assert "10 (6-25)" in rates.splitlines()[3]
    assert [line.split("  ")[-1].strip() for line in ratios.splitlines()[1:]] == [
        "0.250 (0.200-0.250)",
        "0.500 (0.400-0.500)",
    ]


def test_only_what_learns_from_memory_is_compared_with_other_libraries() -> None:
    ours, peer = Figure("W1", MEMORY, 100, (1.0,), 0.15), Figure("W1", "a peer", 100, (7.0,), 0.2)
    log = Figure("W1", "embedded log", 100, (2.0,))
    found = [json.loads(speed_json([ours, peer, log]))[place]["ratios"] for place in range(3)]
    assert [list(ratios) for ratios in found] == [["a peer"], [], [MEMORY]]
    assert found[0]["a peer"]["median"] == 7.0
    assert "0.20000" in speed_table([ours, peer, log])


def test_a_peer_that_cannot_be_had_is_said_and_the_rest_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> Path:
        raise ConfigurationError("The peer cannot be had here: no network.")

    monkeypatch.setattr("stream.bench.speed.peers.peer_python", absent)
    monkeypatch.setattr(measuring, "from_memory_then", absent)
    said: list[str] = []
    (workload,) = workloads(tmp_path, ("W1",), 64)
    figures = measure(
        workload, tmp_path / "run", repeats=2, say=said.append, logs=False, former=True, peers=["scikit-learn"]
    )
    assert [figure.source for figure in figures] == [BARE_STEP, MEMORY]
    assert sum("is not measured" in line for line in said) == 2, "said once each, not again in each repeat"
    assert figures[1].loss is not None


def test_another_workload_is_no_reference() -> None:
    other = Figure("demo data", "memory", 100, (1.0, 1.0, 1.0))
    assert json.loads(speed_json([BARE, other]))[1]["ratios"] == {}


def test_the_command_measures_each_source_as_often_as_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    assert (
        main(["bench", "speed", "--events", "1024", "--repeats", "2", "--no-kafka", "--no-demo", "--out", str(out)])
        == 0
    )
    figures = json.loads(out.read_text())
    assert [figure["source"] for figure in figures] == [BARE_STEP, "memory", "embedded log"]
    assert all(len(figure["seconds"]) == 2 and figure["events"] == 1024 for figure in figures)
    assert "is so many times" in capsys.readouterr().out


def test_many_offers_are_measured_from_memory_alone(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = ["bench", "speed", "--events", "64", "--repeats", "1", "--no-kafka", "--no-demo", "--large"]
    assert main([*command, "--out", str(out)]) == 0
    found = [(figure["workload"], figure["source"]) for figure in json.loads(out.read_text())]
    assert found[3:] == [
        (name, source)
        for name in ("W2", "300 offers", "1,000 offers", "5,000 offers", "film catalogue")
        for source in (BARE_STEP, "memory")
    ]


def test_no_repeats_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "speed", "--repeats", "0"]) == ConfigurationError.exit_code
    assert "--repeats 0" in capsys.readouterr().err
