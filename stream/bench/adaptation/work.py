"""What a worker does: load a job's stream, run its arm, save the trace; what goes wrong is told, not raised."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from stream.bench.adaptation.baseline import run_baseline
from stream.bench.adaptation.facts import facts_of
from stream.bench.adaptation.jobs import Course, Job
from stream.bench.adaptation.online import run_arm
from stream.bench.adaptation.oracle import run_oracle
from stream.bench.adaptation.peers import run_peer
from stream.bench.adaptation.retrain import run_retrain
from stream.bench.adaptation.stream import BenchStream, stream_named
from stream.bench.adaptation.trace import Trace
from stream.errors import ConfigurationError, StreamError

__all__ = ["PEER_EVENTS", "PEER_SECONDS", "Outcome", "work", "work_on"]

PEER_EVENTS: Final = 4_000
PEER_SECONDS: Final = 120.0
"""How much of a stream a peer sees, whichever is less."""
_WARM_EVENTS: Final = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended; `why` is empty if its trace was saved."""

    job: Job
    status: Literal["done", "kept", "skipped", "failed", "not run"]
    """Run now; found from an earlier run; cannot be (unknown strategy, missing data); went wrong; time was up."""
    why: str = ""
    seconds: float = 0.0


def work(job: Job, trace_path: Path, facts_path: Path) -> Outcome:
    """Run a job in this process and save its trace, and the facts of its stream if they are not there yet."""
    return work_on(lambda: _stream(job.course, job.seed), job, trace_path, facts_path)


def work_on(load: Callable[[], BenchStream], job: Job, trace_path: Path, facts_path: Path) -> Outcome:
    """Do the same on the stream that `load` returns."""
    import time

    started = time.perf_counter()
    try:
        loaded = load()
        if not facts_path.exists():
            facts_of(loaded).save(facts_path)
        _warm(job, loaded)
        _run(job, loaded).save(trace_path)
    except ConfigurationError as error:
        return Outcome(job, "skipped", str(error))
    except StreamError as error:
        return Outcome(job, "failed", str(error))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome(job, "failed", f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})")
    return Outcome(job, "done", seconds=time.perf_counter() - started)


def _warm(job: Job, stream: BenchStream) -> None:
    """Run the arm over the stream's first events: what a process does once (compiling loops) is no arm's cost."""
    if job.arm.kind == "online":
        with suppress(Exception):  # what goes wrong here does so in the run too, where it is told
            run_arm(stream.beginning(_WARM_EVENTS), job.overrides, job.seed, _quiet)


def _stream(course: Course, seed: int) -> BenchStream:
    return _synthetic(course, seed) if course.stream.startswith("synthetic:") else _recorded(course)


@lru_cache(maxsize=1)
def _synthetic(course: Course, seed: int) -> BenchStream:
    return stream_named(course.stream)(seed, course.events)


@lru_cache(maxsize=3)  # dear to load, and the same for every seed
def _recorded(course: Course) -> BenchStream:
    return stream_named(course.stream)(0, course.events)


def _run(job: Job, stream: BenchStream) -> Trace:
    if job.arm.kind == "online":
        return run_arm(stream, job.overrides, job.seed, _quiet)
    if job.arm.kind == "baseline":
        return run_baseline(job.arm.name, stream, job.seed, _quiet)
    if job.arm.kind == "retrain":
        return run_retrain(stream, job.overrides, job.seed, _quiet, every_events=job.arm.every_events)
    if job.arm.kind == "oracle":
        return run_oracle(stream, job.overrides, job.seed, _quiet)
    return run_peer(job.arm.name, stream, job.seed, _quiet, limit_events=PEER_EVENTS, limit_seconds=PEER_SECONDS)


def _quiet(done: int, total: int) -> None:
    """Say nothing of a run's own progress: the run of runs shows its own."""
