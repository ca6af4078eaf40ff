"""`stream bench adaptation` on a stream of the user's own, from what lies in files or a log to the advice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from stream.bench.adaptation.arms import BASELINES, DEFAULT, Arm, arm_named
from stream.bench.adaptation.jobs import Course, Job, Places
from stream.bench.adaptation.progress import Pace, shown_progress
from stream.bench.adaptation.runner import forever, run_jobs
from stream.bench.adaptation.trace import Trace
from stream.bench.adaptation.work import Outcome, work_on
from stream.bench.own.blocks import spans
from stream.bench.own.plot import draw_blocks
from stream.bench.own.reading import KeptRange, load_range
from stream.bench.own.report import OwnReport
from stream.bench.own.rows import rows_of
from stream.errors import ConfigurationError

__all__ = ["EVENTS", "QUICK_EVENTS", "WantedOwn", "bench_own"]

EVENTS: Final = 100_000
QUICK_EVENTS: Final = 20_000
_QUICK_MINUTES: Final = 1.5
"""No run is begun after that: the one that is running may take the rest of two minutes."""
_QUICKLY: Final = (DEFAULT, *BASELINES, "carry-unfrozen", "replace", "scratch", "carry+mlet", "glmix", "bayes-output")
_FULLY: Final = (
    *_QUICKLY,
    *("replace-unfrozen", "never", "tune-head", "peterrec-serial", "iak", "bayes-output-diagonal"),
)
_KINDS: Final = ("online", "baseline", "retrain", "oracle")


@dataclass(frozen=True, slots=True)
class WantedOwn:
    """What is asked for of a user's stream."""

    quick: bool = False
    arms: Sequence[str] = ()
    seeds: int = 1
    workers: int = 2
    minutes: float | None = None


def bench_own(kept: KeptRange, out: Path, wanted: WantedOwn, console: Console) -> OwnReport:
    """Run the arms over the kept range, write the report under `out` and print the advice.

    Raises ConfigurationError if an arm is unknown or cannot be run on such a stream, or the default itself fails.
    """
    stream = load_range(kept.directory)
    jobs = _jobs(kept, stream.events, wanted)
    runs = out / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    places = Places.of_this_code(runs)
    until = _timer(_QUICK_MINUTES if wanted.quick and wanted.minutes is None else wanted.minutes)
    with shown_progress(Pace(jobs, wanted.workers), console) as told:
        outcomes = run_jobs(jobs, places, wanted.workers, told, partial(_work, kept.directory), until)
    traces: dict[Arm, list[Trace]] = {}
    missing: dict[str, str] = {}
    by_job = {outcome.job: outcome for outcome in outcomes}
    for job in jobs:
        outcome = by_job[job]
        if outcome.status in ("done", "kept"):
            traces.setdefault(job.arm, []).append(Trace.load(places.trace(job)))
        else:
            missing[job.arm.name] = outcome.why
    for arm in [arm for arm in traces if arm.name in missing]:
        del traces[arm]  # an arm that lost a seed would be flattered by the others
    if DEFAULT in missing:
        raise ConfigurationError(f"`{DEFAULT}` itself has no run here: {missing[DEFAULT]}")
    report = OwnReport(rows_of(traces), kept, len([at for at in stream.changes if at]), wanted.seeds, missing)
    ends = [end for _, end in spans(stream.events)]
    plots = draw_blocks(report.rows, ends, [at for at in stream.changes if at], out)
    report.write(out, plots)
    report.print(console)
    console.print(f"\n{out / 'report.md'}, report.json and {len(plots)} plots.", highlight=False)
    return report


def _jobs(kept: KeptRange, events: int, wanted: WantedOwn) -> list[Job]:
    names = list(dict.fromkeys((DEFAULT, *wanted.arms))) if wanted.arms else _QUICKLY if wanted.quick else _FULLY
    arms = [arm_named(name) for name in names]
    for arm in arms:
        if arm.kind not in _KINDS:
            raise ConfigurationError(f"`{arm.name}` is another library's and runs on the streams of the plan only.")
    # A backbone is pre-trained for a third of so short a stream, as on the streams of the plan.
    settings = {"backbone.pretrain_events": str(max(events // 3, 1)), "iak.phase_events": str(max(events // 15, 1))}
    course = Course(kept.directory.name, None, settings)
    return [Job(course, arm, seed) for seed in range(wanted.seeds) for arm in arms]


def _work(directory: Path, job: Job, trace_path: Path, facts_path: Path) -> Outcome:
    return work_on(lambda: load_range(directory), job, trace_path, facts_path)


def _timer(minutes: float | None) -> Callable[[], bool]:
    if minutes is None:
        return forever
    ends = time.monotonic() + 60 * minutes
    return lambda: time.monotonic() >= ends
