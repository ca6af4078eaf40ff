"""A claim of a paper, what was compared for it, and the verdict; and the comparisons that the claims share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from stream.bench.adaptation.intervals import Interval, mean_interval
from stream.bench.adaptation.results import Results

__all__ = [
    "BAYES",
    "IAK",
    "MARGIN",
    "MLET",
    "PETERREC",
    "TRANSFER",
    "Claim",
    "Table",
    "Verdict",
    "best_of",
    "compared",
    "judged",
    "left_out",
    "not_worse",
    "pooled_by_seed",
    "pooled_difference",
    "pooled_ratio",
    "streams_text",
    "untested",
    "why_missing",
    "with_all",
]

Verdict = Literal["seen", "not seen", "cannot be tested here"]

TRANSFER: Final = "Suleymanzade and Abdullayeva 2024 (transfer adaptation)"
IAK: Final = "IAK, arXiv 2501.14268"
BAYES: Final = "Incremental learning at LinkedIn, arXiv 2108.13299; Lambda Learner, arXiv 2010.05154"
PETERREC: Final = "PeterRec, arXiv 2001.04253"
MLET: Final = "MLET, arXiv 2309.15881"

MARGIN: Final = 0.005
"""A summed loss no more than this share above another counts as good as it."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a claim: what was swept."""

    title: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim and what became of it.

    Attributes:
        paper: whose claim.
        claim: what it says, as far as it can be read.
        arms: what was compared with what.
        stream: on what.
        effect: the difference in words and numbers, with its interval.
        verdict: whether it was seen.
        because: why so, or why it cannot be told.
        tables: what was swept.
    """

    paper: str
    claim: str
    arms: str
    stream: str
    effect: str
    verdict: Verdict
    because: str
    tables: list[Table] = field(default_factory=list)


def untested(paper: str, claim: str, arms: str, because: str) -> Claim:
    """Return a claim of which nothing can be said."""
    return Claim(paper, claim, arms, "-", "-", "cannot be tested here", because)


def with_all(results: Results, *arms: str) -> list[str]:
    """Return the streams on which every one of these arms was measured."""
    return [course for course in results.courses if results.has(course, *arms)]


def pooled_ratio(results: Results, courses: Sequence[str], first: str, second: str, name: str) -> Interval | None:
    """Return by which share a measure of `first` is above that of `second`, averaged over streams, then over seeds.

    Streams on which both are the same by construction are left out: they would water the difference down.
    """
    return _pooled(results, courses, first, second, name, ratio=True)


def pooled_difference(results: Results, courses: Sequence[str], first: str, second: str, name: str) -> Interval | None:
    """Return the difference likewise."""
    return _pooled(results, courses, first, second, name, ratio=False)


def pooled_by_seed(results: Results, courses: Sequence[str], first: str, second: str, name: str) -> dict[int, float]:
    """Return `pooled_ratio` seed by seed."""
    return _by_seed(results, courses, first, second, name, ratio=True)


def best_of(effects: Mapping[str, Mapping[int, float]]) -> tuple[str, Interval] | None:
    """Return the arm with the lowest mean of those that have every seed, with an interval as wide as a choice asks for.

    The lowest of several means is low by chance, too; the interval allows for as many comparisons as there were arms.
    `effects` are by arm, then by seed. None if no arm has every seed.
    """
    seeds = {seed for found in effects.values() for seed in found}
    whole = {arm: found for arm, found in effects.items() if found and found.keys() == seeds}
    if not whole:
        return None
    best = min(whole, key=lambda arm: sum(whole[arm].values()))
    found = mean_interval(whole[best].values(), comparisons=len(effects))
    return None if found is None else (best, found)


def _pooled(
    results: Results, courses: Sequence[str], first: str, second: str, name: str, *, ratio: bool
) -> Interval | None:
    return mean_interval(_by_seed(results, courses, first, second, name, ratio=ratio).values())


def _by_seed(
    results: Results, courses: Sequence[str], first: str, second: str, name: str, *, ratio: bool
) -> dict[int, float]:
    by_course = []
    for course in courses:
        if results.same(course, first, second):
            continue  # a difference of 0 by construction says nothing of either
        found = {
            seed: ours / theirs - 1 if ratio else ours - theirs
            for seed, (ours, theirs) in results.pairs(course, first, second, name).items()
            if theirs or not ratio
        }
        if found:  # a measure may not be defined on a stream: no change, no recovery
            by_course.append(found)
    if not by_course:
        return {}
    seeds = sorted(set.intersection(*(set(found) for found in by_course)))
    return {seed: sum(found[seed] for found in by_course) / len(by_course) for seed in seeds}


def judged(effect: Interval, *, lower_is_better: bool = True) -> tuple[Verdict, str]:
    """Return the verdict that an effect's interval gives, with the reason."""
    if effect.half_width is None:
        return "cannot be tested here", "One seed has no interval."
    sign = -effect.sign if lower_is_better else effect.sign
    if sign > 0:
        return "seen", "The whole interval lies on the claim's side of 0."
    if sign < 0:
        return "not seen", "The whole interval lies on the other side of 0: it does harm here."
    return "not seen", "The interval contains 0."


def not_worse(effect: Interval, margin: float) -> tuple[Verdict, str]:
    """Return whether a relative loss is shown to be at most `margin` above the other's."""
    if effect.half_width is None:
        return "cannot be tested here", "One seed has no interval."
    if effect.high <= margin:
        return "seen", f"The whole interval lies below +{margin:.1%}."
    if effect.low < margin:
        return "cannot be tested here", f"The interval lies on both sides of +{margin:.1%}: too wide to tell."
    return "not seen", f"The whole interval lies above +{margin:.1%}."


def compared(
    results: Results, paper: str, claim: str, first: str, second: str, *, margin: float | None = None
) -> Claim:
    """Return a claim about two arms' summed losses on every stream that both ran on.

    With a `margin` the claim is that `first` is no more than that share worse, else that it is better. Below it, the
    streams one by one, because a mean over streams hides much. A run of `first` that went wrong counts against it.
    """
    courses = results.compared_on(first, second)
    arms = f"{first} against {second}"
    effect = pooled_ratio(results, courses, first, second, "loss_sum")
    if effect is None:
        return untested(paper, claim, arms, why_missing(results, first, second))
    verdict, why = judged(effect) if margin is None else not_worse(effect, margin)
    lost = sum(results.failed(course, first) for course in courses)
    if lost:
        why += f" {lost} of its runs went wrong, which these means leave out."
        verdict = "not seen" if verdict == "seen" else verdict
    why += left_out(results, first, second)
    rows = []
    for course in courses:
        loss = results.ratio(course, first, second, "loss_sum")
        recall = results.difference(course, first, second, "recall_at_5")
        seconds = results.ratio(course, first, second, "train_seconds")
        cells = (
            "-" if loss is None else loss.text("+.2f", 100, " %"),
            "-" if recall is None else recall.text("+.4f"),
            "-" if seconds is None else seconds.text("+.0f", 100, " %"),
        )
        rows.append([streams_text([course]), *cells])
    table = Table(f"{arms}, stream by stream", ["stream", "summed loss", "recall@5", "training seconds"], rows)
    text = f"summed loss {effect.text('+.2f', 100, ' %')}"
    return Claim(paper, claim, arms, streams_text(courses), text, verdict, why, [table])


def left_out(results: Results, first: str, second: str) -> str:
    """Return the sentence that names the streams on which two arms are the same, empty if there is none."""
    same = [course for course in with_all(results, first, second) if results.same(course, first, second)]
    return f" Left out, because both are the same there by construction: {streams_text(same)}." if same else ""


def why_missing(results: Results, *arms: str) -> str:
    """Return why arms cannot be compared: what was noted of their runs."""
    notes = {f"{missing.arm}: {missing.why}" for missing in results.missing if missing.arm in arms and missing.why}
    if notes:
        return " ".join(sorted(notes))
    both = bool(with_all(results, *arms))
    return "On every stream that has runs of both they are the same." if both else "No stream has runs of both."


def streams_text(courses: Sequence[str]) -> str:
    """Return the streams in a few words."""
    return ", ".join(course.removeprefix("synthetic:") for course in courses)
