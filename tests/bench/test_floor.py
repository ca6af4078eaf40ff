"""The benchmark of the floor: what a pass says, the streams it makes, the cases of units, and the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stream.bench.floor.command import Wanted, bench_floor
from stream.bench.floor.made import MADE, Made
from stream.bench.floor.passes import Pass, pass_over
from stream.bench.floor.results import FILE, Against, Results
from stream.bench.floor.tables import summary_lines, units_table
from stream.bench.floor.units import UNITS, plain
from stream.errors import ConfigurationError
from stream.records.interaction import Interaction

SMALL = Made(0.1, 5, 3, 1.0)


def test_the_made_streams_span_what_they_promise() -> None:
    assert len(MADE) == 30
    assert len({made.name for made in MADE}) == 30
    assert (min(made.rate for made in MADE), max(made.rate for made in MADE)) == (0.0005, 0.5)
    assert {1, 1000} <= {made.offers for made in MADE}
    assert any(made.shown == made.offers == 1000 for made in MADE)
    assert any(made.jump for made in MADE)
    assert {bool(made.signal) for made in MADE} == {True, False}


def test_a_made_stream_has_its_rate_before_and_after_its_jump() -> None:
    made = Made(0.02, 8, 8, jump=0.2)
    events = [item for item in made.stream(3).items if isinstance(item, Interaction)]
    half = len(events) // 2
    for rate, some in ((0.02, events[:half]), (0.2, events[half:])):
        found = sum(len(event.labels) for event in some) / (8 * len(some))
        assert found == pytest.approx(rate, abs=4 * (rate / (8 * len(some))) ** 0.5)
    assert made.stream(3, 0.1).events == made.events // 10
    assert [event.id for event in events] == [f"e{place}" for place in range(made.events)]


def test_a_pass_adds_up_what_the_learner_says_it_lost() -> None:
    stream = SMALL.stream(1, 0.05)
    found = pass_over(stream, 1, course=True)
    assert found.events == stream.events
    assert found.pairs == 3 * stream.events
    labels = sum(len(item.labels) for item in stream.items if isinstance(item, Interaction))
    assert found.taken == labels
    assert found.excess == pytest.approx(found.published - min(found.experts.values()))
    assert found.published <= found.experts[found.best] + found.bound
    assert sum(row[1] for row in found.tenths) <= labels
    assert [len(course) for course in found.course.values()] == [len(found.course["events"])] * 8
    shares = np.array([course for name, course in found.course.items() if name != "events"])
    assert shares.sum(0) == pytest.approx(1.0, abs=1e-3)


def example(**changed: object) -> Pass:
    tenths = [[100.0, 105.0, 3.0], [100.0, 120.0, 8.0], [100.0, 120.0, 15.0]]
    experts = {"rate": 1000.0, "network": 1030.0}
    late = {"published": 0.1, "network": 0.11}
    made = Pass("s", 0, 10, 100, 5, 1004.0, experts, 9.0, late, tenths)
    return replace(made, **changed)  # type: ignore[arg-type]


def test_tenths_are_off_past_both_bounds_and_an_excess_past_its_allowance_is_named() -> None:
    assert example().astray == 1
    assert example().allowed == pytest.approx(8.0)
    assert example().network_excess == pytest.approx(0.03)
    good, bad = summary_lines(Results({}, [example()])), summary_lines(Results({}, [example(published=1009.0)]))
    assert good[0].endswith("1 of 1 streams, from each of 1 seeds.")
    assert bad[0].endswith("0 of 1 streams, from each of 1 seeds; not s.")
    assert good[1].endswith("0 of 1 streams; not s.")


def test_the_cases_change_what_they_name_and_nothing_else() -> None:
    stream = plain(2, 0.02)
    before = [item for item in stream.items if isinstance(item, Interaction)]
    for case in UNITS:
        for changed in case.pair(stream):
            after = [item for item in changed.items if isinstance(item, Interaction)]
            assert [event.labels for event in after] == [event.labels for event in before]
            assert all(np.isfinite(event.weight) for event in after)
            assert all(event.features["c"] == was.features["c"] for event, was in zip(after, before, strict=True))
        assert (case.inputs is None) or (case.weights is None)
    over_mean = next(case for case in UNITS if "over their mean" in case.name).pair(stream)[1]
    assert np.mean([item.weight for item in over_mean.items if isinstance(item, Interaction)]) == pytest.approx(1.0)


def test_a_case_that_is_worse_than_promised_is_named() -> None:
    each = [Against("c", 0, 1.0, {"published": 1.02, "network": 1.0}, {"published": 1.0, "network": 1.0})]
    results = Results({}, units=each)
    assert summary_lines(results) == ["What should not matter does not: 1 cases; not c."]
    assert units_table(results)[-1].startswith("| c | +2.00 | +2.00 | +0.00 |")


def test_one_command_writes_page_and_results_and_makes_them_anew(tmp_path: Path) -> None:
    said: list[str] = []
    wanted = Wanted(seeds=2, only=("rate 0.5, 3 of", "rate 0.3, all 1"), share=0.02)
    results = bench_floor(tmp_path, wanted, (), said.append)
    assert [each.seed for each in results.passes] == [0, 1, 0, 1]
    page = (tmp_path / "report.md").read_text()
    assert "rate 0.5, 3 of 10, signal" in page
    kept = (tmp_path / FILE).read_bytes()
    again = bench_floor(tmp_path / "again", Wanted(), (tmp_path / FILE,), said.append)
    assert again == results
    assert (tmp_path / "again" / FILE).read_bytes() == kept
    assert json.dumps(again.made_of) == json.dumps({"seeds": 2, "share": 0.02})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        bench_floor(tmp_path / "again", Wanted(), (tmp_path / "report.md",), said.append)
    with pytest.raises(ConfigurationError, match="begins with nothing"):
        bench_floor(tmp_path / "again", Wanted(only=("nothing",)), (), said.append)
