"""What a training step costs is kept apart for warm-ups, in the summary and across a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.records.interaction import Interaction
from stream.service.step_times import StepTimes
from stream.testing import MemoryLog
from tests.service.counting_learner import event, version
from tests.service.serving import Run

if TYPE_CHECKING:
    from stream.report import BatchReport


def test_rates_are_sums_over_sums_and_go_on_after_a_restart() -> None:
    first = StepTimes()
    first.add("warm_up", 10, 0.5, 0.25)
    first.add("train", 100, 1.0, 2.0)
    first.add("idle", 7, 1.0, 1.0)
    times = StepTimes(json.loads(json.dumps(first.state())))
    times.add("warm_up", 30, 0.5, 0.75)
    assert times.summary() == {
        "events_per_second_frozen": 40.0,
        "cpu_seconds_per_event_frozen": 0.025,
        "events_per_second_unfrozen": 100.0,
        "cpu_seconds_per_event_unfrozen": 0.02,
    }
    assert first.summary()["events_per_second_frozen"] == 20.0


def test_without_a_step_there_is_no_rate() -> None:
    assert set(StepTimes().summary().values()) == {None}


def test_the_summary_tells_frozen_from_unfrozen_and_a_restart_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    log = MemoryLog()
    log.publish(version(1, 0))
    for index in range(8):
        log.send(event(f"a{index}", index))
    assert rates(timed(Run(log, tmp_path)).run()) == (4.0, 2.0)
    for index in range(12):
        log.send(event(f"b{index}", 10 + index))
    assert rates(Run(log, tmp_path).run()) == (4.0, 16 / 2.0), "the second process takes no time"


def timed(run: Run) -> Run:
    """Let a batch of four take a second inside a warm-up and two outside."""
    learn = run.learner.learn

    def slow(batch: list[Interaction]) -> BatchReport:
        report = learn(batch)
        run.log.clock.sleep(1.0 if report.phase == "warm_up" else 2.0)
        return report

    run.learner.learn = slow  # type: ignore[method-assign]
    return run


def rates(summary: dict[str, Any]) -> tuple[float, float]:
    return summary["events_per_second_frozen"], summary["events_per_second_unfrozen"]
