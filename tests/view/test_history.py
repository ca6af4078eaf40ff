from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stream.observe import Step
from stream.records.reasons import WarmupEnd
from stream.report import SchemaReport, WarmupReport
from stream.view.history import History, WarmupSpan
from stream.view.plot import plot_learning
from stream.view.reliability import plot_reliability, wilson_interval
from tests.metrics.scripted_run import Clock, Script, batch, window


def scripted_history(steps: int) -> History:
    history = History()
    script = Script(history, Clock())
    for _ in range(steps):
        script.step()
    return history


def test_every_version_that_took_effect_is_marked_where_it_did_and_no_other() -> None:
    history = scripted_history(120)
    assert [mark.version for mark in history.marks] == [2, 3, 4, 5, 6]  # the one at step 65 was rejected
    assert [mark.events for mark in history.marks] == [step * 64 for step in (5, 25, 45, 85, 105)]


def test_a_warm_up_spans_the_events_trained_inside_it() -> None:
    spans = scripted_history(120).spans()
    assert spans[0] == WarmupSpan(5 * 64, 5 * 64 + 768, "flattened")
    assert len(spans) == 5


def test_a_warm_up_that_still_runs_ends_for_now_with_the_last_event() -> None:
    assert scripted_history(28).spans()[-1] == WarmupSpan(25 * 64, 28 * 64, None)


def test_a_run_that_was_restored_inside_a_warm_up_knows_its_part_of_it() -> None:
    history = History()
    history.trained(Step(batch(phase="warm_up", events_trained_total=1064), 0.01))
    assert history.spans() == [WarmupSpan(1000, 1064, None)]
    ended = WarmupReport(3, 5000, WarmupEnd.BOUND, 10)
    history.trained(Step(batch(events_trained_total=1128, warmup_ended=ended), 0.01))
    assert history.spans() == [WarmupSpan(1000, 1128, "bound")]


def test_the_last_point_is_where_the_run_ended() -> None:
    history = History(every_events=1000)
    for step in range(1, 21):
        history.trained(Step(batch(events_trained_total=step * 64), 0.01))
    assert [point.events for point in history.points] == [64, 1088]
    for _ in range(2):
        history.stopped({})
        assert [point.events for point in history.points] == [64, 1088, 1280]


def test_a_duplicate_is_no_mark() -> None:
    history = History()
    history.schema_changed(SchemaReport(1, (), duplicate=True), 0.0)
    assert history.marks == []


def test_an_endless_run_is_kept_in_bounded_memory_and_still_covers_all_of_it() -> None:
    history = History(every_events=64, max_points=50, max_marks=3)
    for step in range(1, 2001):
        history.trained(Step(batch(events_trained_total=step * 64), 0.01))
        history.schema_changed(SchemaReport(step, ()), 0.0)
    events = [point.events for point in history.points]
    assert len(events) <= 50
    assert events[0] == 64
    assert events == sorted(set(events))
    gaps = [later - earlier for earlier, later in pairwise(events)]
    assert max(gaps) <= 2 * min(gaps)
    assert events[-1] > 2000 * 64 - max(gaps)
    assert [mark.version for mark in history.marks] == [1998, 1999, 2000]


def test_the_points_hold_the_windows_measures_of_network_and_baselines() -> None:
    history = History()
    history.trained(Step(batch(window=window(0.4), events_trained_total=64), 0.01))
    (point,) = history.points
    assert (point.recall_at_5, point.popularity, point.entity_attribute_counts) == (0.4, 0.32, 0.39)
    history = History()
    history.trained(Step(batch(window=window(None), events_trained_total=64), 0.01))
    assert history.points[0].recall_at_5 is None
    assert history.points[0].popularity is None


def test_the_plot_is_a_picture_of_any_history_the_empty_one_included(tmp_path: Path) -> None:
    pictures = []
    for name, steps in (("empty", 0), ("long", 120)):
        path = tmp_path / f"{name}.png"
        plot_learning(scripted_history(steps), path, "a title")
        pictures.append(path.read_bytes())
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert len(set(pictures)) == 2


def test_points_carry_the_running_rates_loss_and_the_plot_shows_it(tmp_path: Path) -> None:
    history = scripted_history(60)
    assert {point.running_rate_loss for point in history.points} == {0.6}
    plot_learning(history, tmp_path / "with.png")
    history.points = [replace(point, running_rate_loss=None) for point in history.points]
    plot_learning(history, tmp_path / "without.png")
    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "without.png").read_bytes()


def test_calibration_is_a_picture_too_whatever_was_taken(tmp_path: Path) -> None:
    groups = [
        {"predicted": 0.0001, "observed": 0.0, "pairs": 5000},
        {"predicted": 0.02, "observed": 0.03, "pairs": 4000},
        {"predicted": 0.6, "observed": 1.0, "pairs": 3},
    ]
    pictures = []
    for chosen in ([], groups[:1], groups):
        plot_reliability(chosen, tmp_path / "reliability.png", "a title")
        pictures.append((tmp_path / "reliability.png").read_bytes())
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert len(set(pictures)) == 3


def test_an_interval_holds_the_rate_and_narrows_with_the_pairs() -> None:
    rate = np.array([0.0, 0.01, 1.0])
    low, high = wilson_interval(rate, np.array([100.0, 100.0, 100.0]))
    assert (low <= rate + 1e-12).all()
    assert (rate <= high + 1e-12).all()
    assert high[0] == pytest.approx(0.0370, abs=1e-4)
    narrow = wilson_interval(rate, np.array([1e6, 1e6, 1e6]))
    assert (narrow[1] - narrow[0] < (high - low) / 50).all()
