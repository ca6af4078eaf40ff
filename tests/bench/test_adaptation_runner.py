"""Runs leave files: what is there is not run again, what goes wrong stays one job's own affair."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stream.bench.adaptation.arms import ARMS, DEFAULT, MAIN, Arm, arm_named, patch_arm, warmup_arm
from stream.bench.adaptation.jobs import Course, Job, Places
from stream.bench.adaptation.plan import FULL, QUICK, planned
from stream.bench.adaptation.progress import Pace
from stream.bench.adaptation.runner import run_jobs
from stream.bench.adaptation.trace import Trace
from stream.bench.adaptation.work import Outcome
from stream.errors import ConfigurationError
from stream.settings.learner import LearnerSettings

COURSE = Course("synthetic:both_layers", 600)


def online(name: str, **overrides: str) -> Arm:
    return Arm(name, "transfer", "online", {"strategy": "carry", **overrides}, "")


def ignore(outcome: Outcome) -> None:
    pass


def leave_or_die(job: Job, trace_path: Path, facts_path: Path) -> Outcome:
    if job.arm.name == "dies":
        os._exit(1)
    if job.arm.name == "fails":
        return Outcome(job, "failed", "so it does")
    trace_path.touch()
    facts_path.touch()
    return Outcome(job, "done")


def test_what_was_run_is_kept_and_what_failed_is_tried_again(tmp_path: Path) -> None:
    jobs = [Job(COURSE, online(name), 0) for name in ("one", "fails", "two")]
    first = run_jobs(jobs, Places(tmp_path, "c0de"), 0, ignore, leave_or_die)
    assert [outcome.status for outcome in first] == ["done", "failed", "done"]
    again = run_jobs(jobs, Places(tmp_path, "c0de"), 0, ignore, leave_or_die)
    assert {outcome.job.arm.name: outcome.status for outcome in again} == {
        "one": "kept",
        "two": "kept",
        "fails": "failed",
    }


@pytest.mark.parametrize("workers", [0, 1])
def test_no_job_is_begun_once_time_is_up(tmp_path: Path, workers: int) -> None:
    jobs = [Job(COURSE, online(name), 0) for name in ("one", "two", "three", "four")]
    ended: list[Outcome] = []
    outcomes = run_jobs(
        jobs, Places(tmp_path, "c0de"), workers, ended.append, leave_or_die, until=lambda: len(ended) >= 2
    )
    assert [outcome.status for outcome in outcomes] == ["done", "done", "not run", "not run"]


def test_a_worker_that_dies_takes_only_its_own_job_with_it(tmp_path: Path) -> None:
    jobs = [Job(COURSE, online(name), 0) for name in ("one", "dies", "two", "three")]
    ended = {
        outcome.job.arm.name: outcome for outcome in run_jobs(jobs, Places(tmp_path, "c0de"), 1, ignore, leave_or_die)
    }
    assert {name: outcome.status for name, outcome in ended.items()} == {
        "one": "done",
        "dies": "failed",
        "two": "done",
        "three": "done",
    }
    assert "died" in ended["dies"].why


def test_a_file_is_named_by_all_that_made_it(tmp_path: Path) -> None:
    base = Job(COURSE, online("one"), 0)
    others = [
        Job(COURSE, online("one"), 1),
        Job(COURSE, online("one", batch_size="32"), 0),
        Job(Course("synthetic:both_layers", 700), online("one"), 0),
        Job(Course("synthetic:rename", 600), online("one"), 0),
        Job(Course("synthetic:both_layers", 600, {"batch_size": "16"}), online("one"), 0),
        Job(COURSE, Arm("one", "transfer", "retrain", {"strategy": "carry"}, "", 1000), 0),
    ]
    places = Places.of_this_code(tmp_path)
    assert len({places.trace(job) for job in (base, *others)}) == 1 + len(others)
    assert places.trace(Job(COURSE, online("one"), 0, cost_seconds=7)) == places.trace(base)
    assert Places(tmp_path, "other").trace(base) != places.trace(base)


def test_the_newest_code_that_ran_is_found_by_its_files(tmp_path: Path) -> None:
    job = Job(COURSE, online("one"), 0)
    with pytest.raises(ConfigurationError, match="no run"):
        Places.of_the_newest(tmp_path)
    for age, code in enumerate(("new", "old")):
        for path in (Places(tmp_path, code).trace(job), Places(tmp_path, code).facts(job)):
            path.touch()
            os.utime(path, (1000 - age, 1000 - age))
    assert Places.of_the_newest(tmp_path) == Places(tmp_path, "new")


@pytest.mark.parametrize(
    ("arm", "why"),
    [
        (Arm("odd", "transfer", "online", {"strategy": "no-such"}, ""), "no-such"),
        (online("odd", no_such_setting="1"), "no_such_setting"),
    ],
)
def test_an_arm_that_cannot_be_is_skipped_with_its_reason(tmp_path: Path, arm: Arm, why: str) -> None:
    (outcome,) = run_jobs([Job(COURSE, arm, 0)], Places(tmp_path, "c0de"), 0, ignore)
    assert outcome.status == "skipped"
    assert why in outcome.why


def test_a_run_in_a_worker_is_the_run_in_this_process(tmp_path: Path) -> None:
    job = Job(COURSE, ARMS["carry"], 0)
    for place, workers in ((tmp_path / "here", 0), (tmp_path / "there", 1)):
        (outcome,) = run_jobs([job], Places(place, "c0de"), workers, ignore)
        assert outcome.status == "done", outcome.why
    here, there = (Trace.load(Places(tmp_path / place, "c0de").trace(job)) for place in ("here", "there"))
    assert len(here) == 600
    assert here.bce_sum.tobytes() == there.bce_sum.tobytes()


def test_the_plan_has_every_job_once_and_every_main_arm_somewhere() -> None:
    for groups, left_out in ((FULL, set()), (QUICK, {"deep-river", "retrain-5k", "retrain-20k"})):
        jobs = planned(groups)
        assert len(set(jobs)) == len(jobs)
        assert {job.arm.name for job in jobs} >= set(MAIN) - left_out
    assert min(group.seeds for group in FULL) >= 5
    only = planned(FULL, seeds=2, streams=["both_layers"], arms=["carry", "replace"])
    assert {(job.course.stream, job.arm.name, job.seed) for job in only} == {
        ("synthetic:both_layers", arm, seed) for arm in ("carry", "replace") for seed in (0, 1)
    }
    with pytest.raises(ConfigurationError, match="no arm 'nothing'"):
        planned(FULL, arms=["nothing"])


def test_what_the_others_are_compared_with_is_the_default_of_the_settings() -> None:
    assert ARMS[DEFAULT].overrides == {"strategy": LearnerSettings().strategy}


def test_the_arms_of_the_sweeps_are_what_they_are_called() -> None:
    # 5 % of a square layer of 128 with biases, 826 parameters, are nearest at a bottleneck of 3: 771 + 128.
    assert patch_arm("peterrec-serial", 0.05, 128).overrides["peterrec.bottleneck"] == "3"
    assert warmup_arm("replace", 0).overrides == {"strategy": "replace-unfrozen"}
    assert warmup_arm("replace", 256).overrides["warmup.max_events"] == "256"
    assert arm_named("mlet d=8 k/d=0.5").overrides["mlet.inner"] == "4"


def test_time_left_goes_by_the_speed_of_what_was_run_not_of_what_was_kept() -> None:
    now = 0.0
    jobs = [Job(COURSE, online(str(number)), 0, cost_seconds=10.0) for number in range(4)]
    pace = Pace(jobs, workers=2, clock=lambda: now)
    assert pace.seconds_left == pytest.approx(20)
    pace.add(Outcome(jobs[0], "kept"))
    assert (pace.share, pace.seconds_left) == pytest.approx((0.25, 15))
    now = 30.0
    pace.add(Outcome(jobs[1], "done"))
    assert (pace.share, pace.seconds_left, pace.runs_left) == pytest.approx((0.5, 60, 2))
    assert pace.text() == "50% done, 2 runs to go, about 60 s left"
