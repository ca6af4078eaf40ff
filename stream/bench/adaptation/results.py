"""The measures of all runs, by stream, arm and seed, and what comparing them says."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.bench.adaptation.arms import ARMS, DEFAULT, ORACLE
from stream.bench.adaptation.facts import Facts
from stream.bench.adaptation.intervals import Interval, mean_interval, paired_difference, paired_ratio
from stream.bench.adaptation.jobs import Job, Places
from stream.bench.adaptation.measures import Measures, beginning, loss_within_seconds, measure
from stream.bench.adaptation.trace import Trace
from stream.bench.adaptation.work import Outcome

__all__ = ["Missing", "Results", "gather"]

LOWER_IS_BETTER: Final = frozenset(
    {
        *("loss_sum", "loss", "excess_over_truth", "excess_over_oracle_sum", "calibration_error", "train_seconds"),
        *("cpu_per_event", "recovery_events", "recovery_seconds", "jumps", "loss_at", "loss_after", "loss_soon"),
    }
)


@dataclass(frozen=True, slots=True)
class Missing:
    """An arm that was not run on a stream, and why."""

    course: str
    arm: str
    status: str
    why: str
    seeds: int


class Results:
    """What was measured; every comparison is paired by seed."""

    def __init__(
        self,
        measures: Mapping[tuple[str, str], Mapping[int, Measures]],
        missing: Sequence[Missing] = (),
        paths: Mapping[tuple[str, str, int], Path] | None = None,
        facts: Mapping[tuple[str, int], Path] | None = None,
        equal_seconds: Mapping[tuple[str, str], float] | None = None,
        beginnings: Mapping[tuple[str, str, int, int], Measures] | None = None,
    ) -> None:
        self._measures = measures
        self.missing = list(missing)
        self._paths = paths or {}
        self._facts = facts or {}
        self.equal_seconds = dict(equal_seconds or {})
        """By (stream, arm): the loss a pair, mean over seeds, of what an arm gets through in the seconds of the fastest
        one-pass arm there; NaN if it gets through nothing."""
        self.beginnings = dict(beginnings or {})
        """By (stream, arm, seed, events): the measures of a run's first so many events, beside a shorter run."""

    @property
    def courses(self) -> list[str]:
        """The streams on which something was measured, as planned."""
        return list(dict.fromkeys(course for course, _ in self._measures))

    @property
    def training_seconds(self) -> float:
        """The training seconds of all runs together."""
        return sum(run.train_seconds for runs in self._measures.values() for run in runs.values())

    def arms(self, course: str) -> list[str]:
        """Return the arms measured on a stream, in the order of the table of arms."""
        measured = {arm for each, arm in self._measures if each == course}
        return [name for name in ARMS if name in measured]

    def runs(self, course: str, arm: str) -> Mapping[int, Measures]:
        """Return the runs of an arm by seed; empty if there are none."""
        return self._measures.get((course, arm), {})

    def has(self, course: str, *arms: str) -> bool:
        """Return whether every one of these arms was measured there."""
        return all(self.runs(course, arm) for arm in arms)

    def same(self, course: str, first: str, second: str) -> bool:
        """Return whether two arms are one there by construction: what they do differently never came about.

        On a stream without a change of the schema `replace` is `carry`; on one that only renames, too. Then their
        losses and rankings are equal in every seed, which no two arms that differ are.
        """
        ours, theirs = self.runs(course, first), self.runs(course, second)
        shared = ours.keys() & theirs.keys()
        return first != second and bool(shared) and all(_alike(ours[seed], theirs[seed]) for seed in shared)

    def compared_on(self, first: str, second: str) -> list[str]:
        """Return the streams that both ran on and that can tell them apart: not those where they are the same."""
        return [
            course
            for course in self.courses
            if self.has(course, first, second) and not self.same(course, first, second)
        ]

    def failed(self, course: str, arm: str) -> int:
        """Return how many of an arm's runs there went wrong: a mean over the others flatters it."""
        return sum(
            each.seeds for each in self.missing if (each.course, each.arm, each.status) == (course, arm, "failed")
        )

    def by_seed(self, course: str, arm: str, name: str) -> dict[int, float]:
        """Return one measure by seed, if it is finite."""
        values = {seed: run.value(name) for seed, run in self.runs(course, arm).items()}
        return {seed: value for seed, value in values.items() if math.isfinite(value)}

    def interval(self, course: str, arm: str, name: str) -> Interval | None:
        """Return the mean of a measure over the seeds."""
        return mean_interval(self.by_seed(course, arm, name).values())

    def mean(self, course: str, arm: str, name: str) -> float:
        """Return that mean alone; NaN if there is none."""
        found = self.interval(course, arm, name)
        return float("nan") if found is None else found.mean

    def pairs(self, course: str, first: str, second: str, name: str) -> dict[int, tuple[float, float]]:
        """Return a measure of both by seed, over the events that both saw: a peer may have seen fewer."""
        ours, theirs = self.runs(course, first), self.runs(course, second)
        found = {}
        for seed in sorted(ours.keys() & theirs.keys()):
            both = [
                self.beginnings.get((course, arm, seed, other.events)) if other.events < run.events else run
                for arm, run, other in ((first, ours[seed], theirs[seed]), (second, theirs[seed], ours[seed]))
            ]
            if both[0] is not None and both[1] is not None:
                values = both[0].value(name), both[1].value(name)
                if all(map(math.isfinite, values)):
                    found[seed] = values
        return found

    def difference(self, course: str, first: str, second: str, name: str) -> Interval | None:
        """Return a measure of `first` less that of `second`, paired by seed."""
        found = self.pairs(course, first, second, name)
        return paired_difference(
            {seed: ours for seed, (ours, _) in found.items()}, {seed: theirs for seed, (_, theirs) in found.items()}
        )

    def ratio(self, course: str, first: str, second: str, name: str) -> Interval | None:
        """Return by which share a measure of `first` is above that of `second`, paired by seed."""
        found = self.pairs(course, first, second, name)
        return paired_ratio(
            {seed: ours for seed, (ours, _) in found.items()}, {seed: theirs for seed, (_, theirs) in found.items()}
        )

    def best(self, course: str, arms: Iterable[str], name: str) -> str | None:
        """Return the arm with the best mean of those that have it from every seed; None if none has.

        Seeds differ more than arms do. An arm that lost its worst seed would else win by the loss.
        """
        by_arm = {arm: self.by_seed(course, arm, name) for arm in arms}
        seeds = {seed for arm in by_arm for seed in self.runs(course, arm)}
        known = [arm for arm, found in by_arm.items() if found and found.keys() == seeds]
        if not known:
            return None
        choose = min if name in LOWER_IS_BETTER else max
        return choose(known, key=lambda arm: self.mean(course, arm, name))

    def trace(self, course: str, arm: str, seed: int) -> Trace | None:
        """Load a run's whole trace; None if it was not run."""
        path = self._paths.get((course, arm, seed))
        return None if path is None else Trace.load(path)

    def facts(self, course: str, seed: int) -> Facts | None:
        """Load a stream's facts; None if no run needed it."""
        path = self._facts.get((course, seed))
        return None if path is None else Facts.load(path)


def gather(outcomes: Sequence[Outcome], places: Places, order: Sequence[Job]) -> Results:
    """Measure every run that has a trace; the streams stand in the order of the plan."""
    ended = {(o.job.course.name, o.job.arm.name, o.job.seed): o for o in outcomes}
    runs: dict[tuple[str, int], list[Job]] = defaultdict(list)
    lost: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for job in order:
        outcome = ended.get((job.course.name, job.arm.name, job.seed))
        if outcome is not None and outcome.status in ("done", "kept"):
            runs[job.course.name, job.seed].append(job)
        else:
            status, why = ("not run", "") if outcome is None else (outcome.status, outcome.why)
            lost[job.course.name, job.arm.name, status, why] += 1
    measures: dict[tuple[str, str], dict[int, Measures]] = defaultdict(dict)
    within: dict[tuple[str, str], list[float]] = defaultdict(list)
    paths: dict[tuple[str, str, int], Path] = {}
    facts_paths: dict[tuple[str, int], Path] = {}
    beginnings: dict[tuple[str, str, int, int], Measures] = {}
    for (course, seed), jobs in runs.items():
        facts_paths[course, seed] = places.facts(jobs[0])
        facts = Facts.load(facts_paths[course, seed])
        traces = {job.arm.name: Trace.load(places.trace(job)) for job in jobs}
        for job in jobs:
            name = job.arm.name
            paths[course, name, seed] = places.trace(job)
            measures[course, name][seed] = measure(traces[name], facts, traces.get(ORACLE))
        for events in {len(trace) for trace in traces.values()}:
            if DEFAULT in traces and events < len(traces[DEFAULT]):
                part = beginning(traces[DEFAULT], events)
                beginnings[course, DEFAULT, seed, events] = measure(part, facts, traces.get(ORACLE))
        online = [job.arm.name for job in jobs if job.arm.kind == "online"]
        budget = min((measures[course, name][seed].train_seconds for name in online), default=math.nan)
        for name in traces:
            within[course, name].append(loss_within_seconds(traces[name], budget)[0])
    missing = [Missing(course, arm, status, why, count) for (course, arm, status, why), count in lost.items()]
    means = {place: found.mean for place, losses in within.items() if (found := mean_interval(losses)) is not None}
    return Results(measures, missing, paths, facts_paths, means, beginnings)


def _alike(ours: Measures, theirs: Measures) -> bool:
    return all(
        (first := ours.value(name)) == (second := theirs.value(name)) or (math.isnan(first) and math.isnan(second))
        for name in ("events", "loss_sum", "recall_at_5", "ndcg_at_5")
    )
