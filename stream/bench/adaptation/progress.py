"""How far a run of many jobs is, and how long the rest will take: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console

from stream.bench.adaptation.jobs import Job
from stream.bench.adaptation.work import Outcome

__all__ = ["Pace", "shown_progress"]

_LINE_EVERY_SECONDS: Final = 20.0


class Pace:
    """How much of the expected work is done; what was kept from an earlier run does not count as speed."""

    def __init__(self, jobs: Sequence[Job], workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total_seconds = sum(job.cost_seconds for job in jobs)
        """Of one core, as expected before the start."""
        self.runs_left = len(jobs)
        self._run = self._past = 0.0
        self._workers = max(workers, 1)
        self._clock = clock
        self._started = clock()

    def add(self, outcome: Outcome) -> None:
        """Take in the end of a job."""
        self.runs_left -= 1
        self._past += outcome.job.cost_seconds
        if outcome.status == "done":
            self._run += outcome.job.cost_seconds

    @property
    def share(self) -> float:
        """The share of the expected work that is behind us."""
        return self._past / self.total_seconds if self.total_seconds else 1.0

    @property
    def seconds_left(self) -> float:
        """What the rest will take at the speed so far, or as expected if nothing was run yet."""
        rest = self.total_seconds - self._past
        if not self._run:
            return rest / self._workers
        return rest * (self._clock() - self._started) / self._run

    def text(self) -> str:
        """Return where things stand, in a few words."""
        return f"{self.share:.0%} done, {self.runs_left} runs to go, about {_spell(self.seconds_left)} left"


@contextmanager
def shown_progress(pace: Pace, console: Console) -> Iterator[Callable[[Outcome], None]]:
    """Show a run's progress while inside; call what is yielded at the end of each job."""
    if not console.is_terminal:
        said = time.monotonic()

        def line(outcome: Outcome) -> None:
            nonlocal said
            pace.add(outcome)
            if outcome.status == "failed":
                console.print(_complaint(outcome), markup=False, highlight=False)
            if outcome.status == "done" and time.monotonic() - said >= _LINE_EVERY_SECONDS:
                said = time.monotonic()
                console.print(pace.text(), markup=False, highlight=False)

        yield line
        return

    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(BarColumn(), TextColumn("{task.description}", markup=False), console=console) as bar:
        task = bar.add_task(pace.text(), total=pace.total_seconds)

        def advance(outcome: Outcome) -> None:
            pace.add(outcome)
            if outcome.status == "failed":
                bar.console.print(_complaint(outcome), markup=False, highlight=False)
            last = f" ({outcome.job.arm.name} on {outcome.job.course.name})"
            bar.update(task, completed=pace.share * pace.total_seconds, description=pace.text() + last)

        yield advance


def _complaint(outcome: Outcome) -> str:
    return f"failed: {outcome.job.arm.name} on {outcome.job.course.name}, seed {outcome.job.seed}: {outcome.why}"


def _spell(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
