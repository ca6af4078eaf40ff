"""The bench of the answers: it finds what is wrong, and its page says what it found."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.bench.serve import fresh, swaps
from stream.bench.serve.asking import percentile
from stream.bench.serve.catalogue import measure_catalogue
from stream.bench.serve.made import first_changes, made_event
from stream.bench.serve.report import page
from stream.bench.serve.versions import new_learner, parsed
from stream.cli import main

pytestmark = pytest.mark.xdist_group("serving")


def test_events_are_learned_as_they_are_made() -> None:
    learner = new_learner(first_changes(5))
    batch = learner.encode([parsed(made_event(number, number, 5)) for number in range(32)])
    assert batch.labels_dropped == batch.unknown_features == batch.mistyped_values == 0
    assert learner.learn(batch).events == 32


def test_percentiles() -> None:
    values = [float(number) for number in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)


def test_an_event_is_reflected_by_the_first_answer_that_knows_it() -> None:
    sent = [100_000, 101_000, 102_000]
    answers = [(100.5, 99_000, 1), (101.25, 101_000, 2), (103.0, 101_000, 2), (110.0, 103_000, 3)]
    assert fresh._latencies(sent, answers, 99.0) == [1.25, 0.25, 8.0]
    assert fresh._latencies([*sent, 109_000], answers, 101.5) == [8.0]  # asked too shortly before the end, or before


def test_an_answer_that_mixes_is_found() -> None:
    assert not swaps._mixed({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0})
    assert swaps._mixed({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.1})
    assert swaps._mixed({"a": 1.0, "b": 2.0}, {"a": 1.0})


@pytest.mark.timeout(240)
def test_a_short_run_of_swaps_and_of_a_small_catalogue(tmp_path: Path) -> None:
    found = swaps.measure_swaps(tmp_path / "swaps", 3.0)
    assert (found["errors"], found["mixed"]) == (0, 0)
    assert found["swaps"] >= 2
    size = measure_catalogue(tmp_path / "offers", 30, 0.5)
    assert size["requests"] >= 20
    machine = {"cpus": 2, "python": "3", "system": "here"}
    load = {"load_before_and_after": [0.0, 1.0]}
    text = page({"machine": machine, "swaps": {**found, **load}, "offers": {"sizes": [size], **load}})
    assert "0 errors, 0 that mix versions" in text
    assert "| 30 |" in text


def test_an_unknown_part_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "serve", "--out", str(tmp_path), "--parts", "nothing"]) == 2
    assert "fresh, offers, swaps" in capsys.readouterr().err
