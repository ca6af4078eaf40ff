"""Which arms run on which streams, how long and from how many seeds: the sizes of the full run and of the quick one.

Sizes are chosen so that the full run takes about eighty minutes of one core. To change them, change the tables here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stream.bench.adaptation.arms import (
    ARMS,
    BASELINES,
    BETAS,
    HALF_LIVES,
    MAIN,
    PATCH_SHARES,
    RATIOS,
    SGD_RATES,
    TRUNK_WIDTH,
    WARMUPS,
    WIDTHS,
    Arm,
    arm_named,
    beta_arm,
    half_life_arm,
    inner_arm,
    patch_arm,
    sgd_arm,
    table_arm,
    warmup_arm,
)
from stream.bench.adaptation.jobs import Course, Job

__all__ = ["FULL", "QUICK", "Group", "planned"]

DEMO: Final = Course("demo")
DEMO_START: Final = Course("demo", 6_000, {"backbone.pretrain_events": "2000", "iak.phase_events": "500"})
MOVIELENS_START: Final = Course("movielens", 5_000, {"backbone.pretrain_events": "1700", "iak.phase_events": "500"})
_DOMAINS: Final = {"eight_domains": "scene", "eight_regions": "region", "eight_periods": "period"}


@dataclass(frozen=True, slots=True)
class Group:
    """Every one of some arms on every one of some courses, from the first so many seeds."""

    courses: Sequence[Course]
    arms: Sequence[str]
    seeds: int


def synthetic(*names: str, events: int) -> list[Course]:
    """Return synthetic streams, on which a backbone is pre-trained for a third of the way."""
    found = []
    for name in names:
        settings = {"backbone.pretrain_events": str(events // 3), "iak.phase_events": str(events // 15)}
        if name in _DOMAINS:
            settings["iak.domain_feature"] = _DOMAINS[name]
        found.append(Course(f"synthetic:{name}", events, settings))
    return found


def _names(arms: Iterable[Arm]) -> list[str]:
    return [arm.name for arm in arms]


_SHORT_SCENARIOS: Final = (
    *("numeric_added", "inputs_replaced_10", "offers_added", "offers_removed", "rename", "drift", "ten_changes"),
    *("eight_regions", "eight_periods", "tasks", "rare_values"),
)
_CHANGE_SCENARIOS: Final = ("both_layers", "inputs_replaced_50")
_ONE_PASS: Final = tuple(name for name in MAIN if ARMS[name].kind == "online")
_PEERS: Final = ("deep-river", "river-logistic")
_CORE: Final = (
    *("carry", "carry-unfrozen", "replace", "scratch", "bayes-output", "glmix", "carry+mlet", "oracle"),
    *BASELINES,
)
_WARMUPS: Final = _names(warmup_arm(strategy, events) for strategy in ("carry", "replace") for events in WARMUPS)
_PATCHES: Final = _names(
    patch_arm(strategy, share, TRUNK_WIDTH)
    for strategy in ("peterrec-serial", "peterrec-parallel")
    for share in PATCH_SHARES
)
_BETAS: Final = _names(map(beta_arm, BETAS))
_HALF_LIVES: Final = _names(half_life_arm("bayes-output", events) for events in HALF_LIVES)
_TABLES: Final = _names(
    [
        *map(table_arm, WIDTHS),
        *(inner_arm(d, ratio) for d in WIDTHS for ratio in RATIOS),
        *(sgd_arm(factored, rate) for factored in (False, True) for rate in SGD_RATES),
    ]
)

FULL: Final = (
    Group([DEMO], ("carry", "carry-unfrozen", "replace", *BASELINES), 5),
    Group([DEMO_START], (*_ONE_PASS, "retrain-1k", "oracle", *_PEERS, *BASELINES), 5),
    Group([MOVIELENS_START], (*_CORE, *_PEERS), 5),
    Group(synthetic(*_SHORT_SCENARIOS, events=3_000), _CORE, 5),
    Group(synthetic("inputs_replaced_50", events=5_000), _CORE, 5),
    Group(
        synthetic("both_layers", "drift_and_change", "eight_domains", events=5_000),
        (*_ONE_PASS, "retrain-1k", "oracle", *BASELINES),
        5,
    ),
    Group(synthetic("both_layers", events=5_000), _PEERS, 5),
    Group(synthetic(*_CHANGE_SCENARIOS, events=5_000), (*_WARMUPS, "replace-unfrozen"), 5),
    Group(synthetic("both_layers", "eight_domains", events=5_000), _BETAS, 5),
    Group(synthetic("drift", events=3_000), ("retrain-1k", *_HALF_LIVES), 5),
    Group(synthetic("drift", events=21_000), ("carry", "bayes-output", "retrain-5k", "retrain-20k", *BASELINES), 5),
    Group(synthetic("tasks", events=3_000), ("tune-head", *_PATCHES), 5),
    Group(synthetic("both_layers", events=5_000), _PATCHES, 5),
    Group(synthetic("rare_values", events=4_000), _TABLES, 5),
)
"""The full run."""

_QUICKLY: Final = tuple(name for name in MAIN if name not in ("deep-river", "retrain-5k", "retrain-20k"))
QUICK: Final = (
    Group([Course("demo", 800, {"backbone.pretrain_events": "250", "iak.phase_events": "100"})], _QUICKLY, 2),
    Group(synthetic("both_layers", "eight_domains", events=1_200), _QUICKLY, 2),
    Group(synthetic("inputs_replaced_50", events=1_200), _WARMUPS[:4], 2),
)
"""A smoke run: nothing can be concluded from its figures. deep-river is left out: its environment takes minutes."""

_SECONDS_PER_EVENT: Final = {"demo": 0.5e-3, "movielens": 0.3e-3}
_SECONDS_PER_SYNTHETIC_EVENT: Final = 0.28e-3
_SECONDS_PER_COUNTED_EVENT: Final = 0.1e-3
_SECONDS_PER_JOB: Final = 0.4
_FACTORS: Final = {"bayes-network": 1.2, "bayes-output": 3.3, "iak": 1.15, "mlet": 1.1}
_SECONDS_PER_PEER: Final = {"deep-river": 25.0, "river-logistic": 10.0}
_REFIT_PASSES: Final = 1.0
_ORACLE_PASSES: Final = 2.0
_ORACLE_APART_EVENTS: Final = 500
_OWN_LENGTH: Final = {"demo": 65_970, "movielens": 49_439}


def planned(
    groups: Sequence[Group],
    seeds: int | None = None,
    streams: Sequence[str] = (),
    arms: Sequence[str] = (),
) -> list[Job]:
    """Return the jobs of some groups, each once: seed by seed, so that a run cut short has few seeds of everything.

    Args:
        groups: `FULL` or `QUICK`.
        seeds: the most seeds of any group; None for as many as it says.
        streams: only these, by the stream's name or the course's; empty for all.
        arms: only these; empty for all.

    Raises:
        ConfigurationError: there is no arm of that name.
    """
    wanted = {arm_named(name).name for name in arms} or ARMS.keys()
    found: dict[Job, None] = {}
    for group in groups:
        for course in group.courses:
            if streams and not {course.stream, course.name, course.stream.partition(":")[2]} & set(streams):
                continue
            for seed in range(group.seeds if seeds is None else min(seeds, group.seeds)):
                jobs = (Job(course, ARMS[name], seed) for name in group.arms if name in wanted)
                found.update((Job(job.course, job.arm, job.seed, _cost(job)), None) for job in jobs)
    return sorted(found, key=lambda job: (job.seed, -_length(job.course), job.course.name))


def _length(course: Course) -> int:
    return course.events or _OWN_LENGTH.get(course.stream, 10_000)


def _cost(job: Job) -> float:
    if job.arm.kind == "peer":
        return _SECONDS_PER_PEER[job.arm.name]
    events = _length(job.course)
    if job.arm.kind == "baseline":
        return _SECONDS_PER_JOB + events * _SECONDS_PER_COUNTED_EVENT
    per_event = _SECONDS_PER_EVENT.get(job.course.stream, _SECONDS_PER_SYNTHETIC_EVENT)
    for part, factor in _FACTORS.items():
        if part in job.arm.name:
            per_event *= factor
    trained = float(events)
    if job.arm.kind == "retrain":
        refits = events // max(job.arm.every_events, 1)
        trained += _REFIT_PASSES * job.arm.every_events * refits * (refits + 1) / 2
    elif job.arm.kind == "oracle":
        # On recorded streams changes come so often that refits are as near as they may be; elsewhere there is one.
        refits = events // _ORACLE_APART_EVENTS if job.course.stream in _SECONDS_PER_EVENT else 1
        trained += _ORACLE_PASSES * refits * events / 2
    return _SECONDS_PER_JOB + trained * per_event


def courses(groups: Sequence[Group]) -> Iterator[Course]:
    """Yield each course of some groups once."""
    yield from dict.fromkeys(course for group in groups for course in group.courses)
