"""`stream bench adaptation` from plan to report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from stream.bench.adaptation.jobs import Job, Places
from stream.bench.adaptation.kept import KEPT, plots_beside, read_kept
from stream.bench.adaptation.plan import FULL, QUICK, planned
from stream.bench.adaptation.progress import Pace, shown_progress
from stream.bench.adaptation.report import Report, make_report
from stream.bench.adaptation.results import gather
from stream.bench.adaptation.runner import forever, run_jobs
from stream.bench.adaptation.terminal import print_report
from stream.bench.adaptation.work import Outcome
from stream.errors import ConfigurationError
from stream.installed.extras import require

__all__ = ["Wanted", "bench_adaptation"]

RUNS: Final = "runs"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the plan is asked for."""

    quick: bool = False
    seeds: int | None = None
    streams: Sequence[str] = ()
    arms: Sequence[str] = ()
    workers: int = 2
    only_plan: bool = False
    """Print how much work it is, and stop."""
    minutes: float | None = None
    """Begin no run after so many minutes; report on what is done by then."""
    kept: Sequence[Path] = ()
    """Run nothing: make the report from these `report.json.gz`, with today's words, verdicts and averages."""
    only_report: bool = False
    """Run nothing: report on what the newest code that ran there has left, even if it has changed since."""


def bench_adaptation(out: Path, wanted: Wanted, console: Console) -> Report | None:
    """Run what is not run yet, then compare, write the report under `out` and print its beginning.

    Traces lie under `out`/runs; a second call goes on where the first was broken off.

    Raises:
        ConfigurationError: an arm is unknown, or nothing is left of the plan.
    """
    if not wanted.only_plan:
        require("plots", "matplotlib", "stream bench adaptation")
    if wanted.kept:
        return _from_kept(out, wanted.kept, console)
    jobs = planned(QUICK if wanted.quick else FULL, wanted.seeds, wanted.streams, wanted.arms)
    if not jobs:
        raise ConfigurationError("no run is left of the plan; check --streams and --arms")
    minutes = sum(job.cost_seconds for job in jobs) / 60
    courses = len({job.course for job in jobs})
    console.print(
        f"{len(jobs)} runs on {courses} streams: about {minutes:.0f} minutes of one core, "
        f"{minutes / max(wanted.workers, 1):.0f} with {max(wanted.workers, 1)} at a time.",
        highlight=False,
    )
    if wanted.only_plan:
        return None
    runs = out / RUNS
    runs.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    if wanted.only_report:
        places = Places.of_the_newest(runs)
        outcomes = [_found(job, places) for job in jobs]
    else:
        places = Places.of_this_code(runs)
        with shown_progress(Pace(jobs, wanted.workers), console) as told:
            outcomes = run_jobs(jobs, places, wanted.workers, told, until=_timer(wanted.minutes))
    seconds = time.monotonic() - started
    results = gather(outcomes, places, jobs)
    kept = sum(outcome.status == "kept" for outcome in outcomes)
    report = make_report(
        results,
        {
            "size": "quick" if wanted.quick else "full",
            "runs": len(jobs),
            "kept_from_an_earlier_call": kept,
            **({} if wanted.only_report else {"seconds": round(seconds), "runs_at_a_time": max(wanted.workers, 1)}),
            "training_minutes_of_one_core": round(results.training_seconds / 60, 1),
            "cores": os.cpu_count() or 1,
            "code": places.code,
        },
    )
    _write(report, out, _plots(report, out), console)
    return report


def _from_kept(out: Path, paths: Sequence[Path], console: Console) -> Report:
    kept = read_kept(paths)
    out.mkdir(parents=True, exist_ok=True)
    report = make_report(kept.results, kept.facts)
    plots = _plots(report, out)
    _write(report, out, [*plots, *plots_beside(paths[0], plots, out)], console)
    return report


def _write(report: Report, out: Path, plots: Sequence[str], console: Console) -> None:
    report.write(out, plots)
    print_report(report, console)
    console.print(f"\n{out / 'report.md'}, {KEPT} and {len(plots)} plots.", highlight=False)


def _timer(minutes: float | None) -> Callable[[], bool]:
    if minutes is None:
        return forever
    ends = time.monotonic() + 60 * minutes
    return lambda: time.monotonic() >= ends


def _found(job: Job, places: Places) -> Outcome:
    found = places.trace(job).exists() and places.facts(job).exists()
    return Outcome(job, "kept") if found else Outcome(job, "skipped", "There is no such run.")


def _plots(report: Report, out: Path) -> list[str]:
    from stream.bench.adaptation.plots import draw_all

    return draw_all(report, out)
