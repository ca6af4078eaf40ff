"""Run jobs in worker processes; each leaves a file, so that a run that was broken off goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from stream.bench.adaptation.jobs import Job, Places
from stream.bench.adaptation.work import Outcome, work

__all__ = ["forever", "run_jobs"]

Told = Callable[[Outcome], None]
Work = Callable[[Job, Path, Path], Outcome]
Until = Callable[[], bool]


def forever() -> bool:
    """Say that time is never up."""
    return False


def run_jobs(
    jobs: Sequence[Job], places: Places, workers: int, told: Told, do: Work = work, until: Until = forever
) -> list[Outcome]:
    """Run every job whose trace is not there yet, `workers` at a time, and return how each ended, in no order.

    No job is begun any more once `until` says that time is up. Files are named here, not in the workers: code that
    changes meanwhile must not change the names. With `workers` = 0 everything runs in this process. A worker that dies
    (out of memory, say) takes the jobs that it and its siblings were at with it: these count as failed, and the rest
    goes on in new workers. `told` hears of each end, in this process.
    """
    outcomes: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        told(outcome)

    pending: list[Job] = []
    for job in jobs:
        if places.trace(job).exists() and places.facts(job).exists():
            note(Outcome(job, "kept"))
        else:
            pending.append(job)
    if workers < 1:
        while pending and not until():
            job = pending.pop(0)
            note(do(job, places.trace(job), places.facts(job)))
    while pending and not until():
        pending = _run_until_broken(pending, places, workers, note, do, until)
    for job in pending:
        note(Outcome(job, "not run", "The time was up."))
    return outcomes


def _run_until_broken(
    jobs: Sequence[Job], places: Places, workers: int, note: Told, do: Work, until: Until
) -> list[Job]:
    """Run jobs in one pool and return those that a worker's death left undone; at least one has ended."""
    waiting = list(jobs)
    running: dict[Future[Outcome], Job] = {}
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        while running or (waiting and not until()):
            # No more is handed over than is running, so that a broken pool takes no more with it.
            while waiting and len(running) < workers and not until():
                job = waiting.pop(0)
                running[pool.submit(do, job, places.trace(job), places.facts(job))] = job
            if not running:
                break
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                job = running.pop(future)
                note(future.result())
    except BrokenProcessPool:
        for lost in (job, *running.values()):
            note(Outcome(lost, "failed", "its worker process died; it may have run out of memory"))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return waiting
