"""Paper 1: replace a layer, train it alone with all else frozen, then unfreeze: steadier, faster, cheaper."""

from __future__ import annotations

from typing import Final

from stream.bench.adaptation.arms import WARMUPS, warmup_arm
from stream.bench.adaptation.claims.claim import (
    TRANSFER,
    Claim,
    Table,
    best_of,
    judged,
    pooled_by_seed,
    pooled_difference,
    pooled_ratio,
    streams_text,
    untested,
    with_all,
)
from stream.bench.adaptation.intervals import mean_interval
from stream.bench.adaptation.results import Results

__all__ = ["claims"]

_STEADY: Final = "The loss falls more steadily after a change with the frozen phase than without"
_FAST: Final = "The model learns faster after a change with the frozen phase than without"
_CHEAP: Final = "The frozen phase saves processing time"
_KEEP: Final = "Keeping the trained layers beats starting anew"


def claims(results: Results) -> list[Claim]:
    """Return the paper's claims, each once for the paper's `replace` and once for `carry`."""
    found = []
    for strategy in ("replace", "carry"):
        found += [*_steady(results, strategy), _fast(results, strategy), _cheap(results, strategy)]
    found.append(_keeps(results))
    found += [_lengths(results, strategy) for strategy in ("replace", "carry")]
    return found


def _changing(results: Results, *arms: str) -> list[str]:
    """Return the streams with a change on which the first of some arms is none of the others by construction."""
    return [
        course
        for course in with_all(results, *arms)
        if any(run.around for run in results.runs(course, arms[0]).values())
        and not any(results.same(course, arms[0], arm) for arm in arms[1:])
    ]


def _steady(results: Results, strategy: str) -> list[Claim]:
    frozen, loose = strategy, f"{strategy}-unfrozen"
    courses = _changing(results, frozen, loose)
    found = []
    for name, what, unit in (
        ("jumps", "upward jumps of the block loss a change", ""),
        ("spread_after", "standard deviation of the loss's steps after a change", " nats a pair"),
    ):
        effect = pooled_difference(results, courses, frozen, loose, name)
        if effect is None:
            found.append(untested(TRANSFER, f"{_STEADY} ({what}).", f"{frozen}, {loose}", "Neither ran on a change."))
            continue
        verdict, why = judged(effect)
        text = f"{what}: {effect.text('+.4f', unit=unit)}"
        arms = f"{frozen} less {loose}"
        found.append(Claim(TRANSFER, f"{_STEADY} ({what}).", arms, streams_text(courses), text, verdict, why))
    return found


def _fast(results: Results, strategy: str) -> Claim:
    frozen, loose = strategy, f"{strategy}-unfrozen"
    courses = _changing(results, frozen, loose)
    at = pooled_ratio(results, courses, frozen, loose, "loss_soon")
    back = pooled_difference(results, courses, frozen, loose, "recovery_events")
    whole = pooled_ratio(results, courses, frozen, loose, "loss_sum")
    if at is None or back is None or whole is None:
        return untested(TRANSFER, f"{_FAST}.", f"{frozen}, {loose}", "Neither ran on a change.")
    verdict, why = judged(at)
    text = (
        f"loss in the five windows after a change {at.text('+.2f', 100, ' %')}; events until it is back "
        f"{back.text('+.0f')}; summed loss of the whole stream {whole.text('+.2f', 100, ' %')}"
    )
    return Claim(
        TRANSFER, f"{_FAST}.", f"{frozen} against {loose}", streams_text(courses), text, verdict, f"Five windows: {why}"
    )


def _cheap(results: Results, strategy: str) -> Claim:
    courses = _changing(results, strategy, f"{strategy}-unfrozen")
    ratios = []
    for course in courses:
        for seed, frozen in results.by_seed(course, strategy, "cpu_per_frozen_event").items():
            loose = results.by_seed(course, strategy, "cpu_per_event").get(seed)
            if loose:
                ratios.append((seed, frozen / loose - 1))
    seeds = sorted({seed for seed, _ in ratios})
    means = {seed: [ratio for each, ratio in ratios if each == seed] for seed in seeds}
    effect = mean_interval(sum(values) / len(values) for values in means.values())
    whole = pooled_ratio(results, courses, strategy, f"{strategy}-unfrozen", "train_seconds")
    if effect is None or whole is None:
        return untested(TRANSFER, f"{_CHEAP}.", strategy, "No event was trained frozen.")
    verdict, why = judged(effect)
    text = (
        f"CPU seconds of a frozen event against an unfrozen one {effect.text('+.0f', 100, ' %')}; training seconds "
        f"of the whole stream {whole.text('+.1f', 100, ' %')}"
    )
    why = f"Per frozen event: {why} Warm-ups are short, so the whole stream hardly feels it."
    return Claim(TRANSFER, f"{_CHEAP}.", f"{strategy}: frozen, unfrozen", streams_text(courses), text, verdict, why)


def _keeps(results: Results) -> Claim:
    courses = _changing(results, "replace", "scratch")
    effect = pooled_ratio(results, courses, "replace", "scratch", "loss_sum")
    if effect is None:
        return untested(TRANSFER, f"{_KEEP}.", "replace, scratch", "Neither ran on a change.")
    verdict, why = judged(effect)
    text = f"summed loss {effect.text('+.2f', 100, ' %')}"
    carry = pooled_ratio(results, _changing(results, "replace", "carry"), "carry", "replace", "loss_sum")
    if carry is not None:
        text += f"; carry against replace {carry.text('+.2f', 100, ' %')}"
    return Claim(TRANSFER, f"{_KEEP}.", "replace against scratch", streams_text(courses), text, verdict, why)


def _lengths(results: Results, strategy: str) -> Claim:
    arms = {events: warmup_arm(strategy, events).name for events in WARMUPS}
    base = arms[0]
    courses = _changing(results, base, *[arms[events] for events in WARMUPS[1:2]])
    claim = "Some length of the frozen phase is better than none."
    rows, by_length = [], {}
    for events, arm in arms.items():
        here = [course for course in courses if results.has(course, arm)]
        whole = pooled_ratio(results, here, arm, base, "loss_sum")
        at = pooled_ratio(results, here, arm, base, "loss_soon")
        jumps = pooled_difference(results, here, arm, base, "jumps")
        back = pooled_difference(results, here, arm, base, "recovery_events")
        seconds = pooled_ratio(results, here, arm, base, "train_seconds")
        if whole is None or at is None or jumps is None or back is None or seconds is None:
            continue
        if events:
            by_length[f"{events:,}"] = pooled_by_seed(results, here, arm, base, "loss_soon")
        rows.append(
            [
                f"{events:,}",
                whole.text("+.2f", 100, " %"),
                at.text("+.2f", 100, " %"),
                jumps.text("+.2f"),
                back.text("+.0f"),
                seconds.text("+.1f", 100, " %"),
            ]
        )
    best = best_of(by_length)
    if best is None:
        because = "One seed has no interval." if by_length else "The sweep was not run."
        return untested(TRANSFER, claim, f"{strategy}, lengths {WARMUPS}", because)
    name, effect = best
    verdict, why = judged(effect)
    header = ["events frozen", "summed loss", "loss in five windows", "jumps", "events until back", "seconds"]
    table = Table(f"{strategy}: length of the warm-up against none, paired by seed", header, rows)
    text = f"best of the lengths, {name} events: loss in the five windows after {effect.text('+.2f', 100, ' %')}"
    why += " The interval allows for the choice: the best of several is low by chance, too."
    return Claim(TRANSFER, claim, f"{strategy}, lengths {WARMUPS}", streams_text(courses), text, verdict, why, [table])
