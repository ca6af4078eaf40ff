"""The figures of the speed benchmark: medians of repeats, ratios within a repeat."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.bench.speed import BARE_STEP, RAW_POLL, Figure
from stream.bench.speed_table import speed_json, speed_table
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
    header, bare, raw, kafka = speed_table([BARE, RAW, KAFKA]).splitlines()
    assert header.split("  ")[0] == "workload"
    assert bare.split("  ")[-1].strip() == "50 (25-100)"
    assert raw.split("  ")[-1].strip() == "25 (12-50)"
    assert "10 (6-25)" in kafka
    assert "0.250 (0.200-0.250)" in kafka
    assert kafka.endswith("0.500 (0.400-0.500)")


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
    assert "x bare torch step" in capsys.readouterr().out


def test_many_offers_are_measured_from_memory_alone(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = ["bench", "speed", "--events", "64", "--repeats", "1", "--no-kafka", "--no-demo", "--large"]
    assert main([*command, "--out", str(out)]) == 0
    found = [(figure["workload"], figure["source"]) for figure in json.loads(out.read_text())]
    assert found[3:] == [
        (name, source)
        for name in ("W2", "300 offers", "1,000 offers", "5,000 offers")
        for source in (BARE_STEP, "memory")
    ]


def test_no_repeats_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "speed", "--repeats", "0"]) == ConfigurationError.exit_code
    assert "--repeats 0" in capsys.readouterr().err
