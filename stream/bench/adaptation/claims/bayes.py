"""Paper 3: the posterior so far as the prior of the next update, instead of training on everything again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream.bench.adaptation.arms import ARMS, HALF_LIVES, half_life_arm
from stream.bench.adaptation.claims.claim import (
    BAYES,
    MARGIN,
    Claim,
    Table,
    Verdict,
    compared,
    pooled_ratio,
    streams_text,
    untested,
    why_missing,
    with_all,
)
from stream.bench.adaptation.results import Results
from stream.network.settings import OptimiserSettings

__all__ = ["claims"]

_TIME: Final = "Training time is much shorter than that of periodic retraining at equal accuracy (loss within 0.5 %)"


def claims(results: Results) -> list[Claim]:
    """Return the papers' claims."""
    return [
        *(_against_refits(results, f"retrain-{every}") for every in ("1k", "5k", "20k")),
        compared(
            results,
            BAYES,
            "Full precision is better than the diagonal.",
            "bayes-output",
            "bayes-output-diagonal",
        ),
        compared(results, BAYES, "A Bayesian output layer is better than carry's own.", "bayes-output", "carry"),
        compared(
            results,
            BAYES,
            "On a trunk that stands still the posterior is exact, and better than tuning the head by gradients.",
            "tune-head+bayes-output",
            "tune-head",
        ),
        compared(
            results,
            BAYES,
            "Forgetting absorbs the motion of a trunk that is trained on: better than holding the trunk.",
            "bayes-output",
            "tune-head+bayes-output",
        ),
        compared(results, BAYES, "One running quadratic over the whole network helps.", "bayes-network", "carry"),
        compared(results, BAYES, "Fixed plus random effects are better than fixed alone (GLMix).", "glmix", "carry"),
        _forgetting(results),
    ]


def _against_refits(results: Results, refit: str) -> Claim:
    arms = f"bayes-output against {refit}"
    courses = with_all(results, "bayes-output", refit)
    loss = pooled_ratio(results, courses, "bayes-output", refit, "loss_sum")
    if loss is None:
        return untested(BAYES, f"{_TIME}.", arms, why_missing(results, "bayes-output", refit))
    rows = []
    for course in courses:
        here = results.ratio(course, "bayes-output", refit, "loss_sum")
        times = [
            seconds / results.by_seed(course, "bayes-output", "train_seconds")[seed]
            for seed, seconds in results.by_seed(course, refit, "train_seconds").items()
            if seed in results.by_seed(course, "bayes-output", "train_seconds")
        ]
        if here is None or not times:
            continue
        rows.append([streams_text([course]), here.text("+.2f", 100, " %"), f"{sum(times) / len(times):.1f}"])
    seconds = pooled_ratio(results, courses, "bayes-output", refit, "train_seconds")
    step, apart = OptimiserSettings().step_events, ARMS[refit].every_events
    why = (
        f"The claim compares updates that come equally often. Here one takes a Newton step every {step} events, the "
        f"other a refit every {apart:,}: what these figures show is the price of rare refits in loss and of frequent "
        "steps in seconds, not what a step costs against a refit."
    )
    table = Table(
        f"{arms}, its staleness included",
        ["stream", "summed loss", f"{refit}'s training seconds over bayes-output's"],
        rows,
    )
    text = f"summed loss {loss.text('+.2f', 100, ' %')}"
    if seconds is not None:
        text += f", training seconds {seconds.text('+.0f', 100, ' %')}"
    return Claim(BAYES, f"{_TIME}.", arms, streams_text(courses), text, "cannot be tested here", why, [table])


def _forgetting(results: Results) -> Claim:
    claim = "How fast to forget matters little on a stream that stands still, and much on one that drifts."
    arms = [half_life_arm("bayes-output", events).name for events in HALF_LIVES]
    courses = with_all(results, *arms)
    if not courses:
        return untested(BAYES, claim, f"bayes-output, half-life in {HALF_LIVES}", why_missing(results, *arms))
    base, rows, widest = arms[-1], [], 0.0
    for course in courses:
        effects = [results.ratio(course, arm, base, "loss_sum") for arm in arms]
        widest = max([widest, *(abs(effect.mean) for effect in effects if effect is not None)])
        rows.append(
            [streams_text([course]), *("-" if each is None else each.text("+.2f", 100, " %") for each in effects)]
        )
    header = ["stream", *(f"{events:,}" for events in HALF_LIVES)]
    table = Table(f"summed loss by half-life in events, against {HALF_LIVES[-1]:,}", header, rows)
    text = f"the widest difference between half-lives is {widest:.2%}"
    verdict, why = _forgetting_verdict(results, courses, arms[-1], widest)
    return Claim(BAYES, claim, f"bayes-output, {HALF_LIVES}", streams_text(courses), text, verdict, why, [table])


def _forgetting_verdict(results: Results, courses: Sequence[str], arm: str, widest: float) -> tuple[Verdict, str]:
    """Judge only what streams can tell: they have to be longer than the half-lives, and one has to stand still."""
    longest = max(run.events for course in courses for run in results.runs(course, arm).values())
    if longest < HALF_LIVES[-1]:
        return "cannot be tested here", (
            f"The longest stream has {longest:,} events: half-lives up to {HALF_LIVES[-1]:,} forget next to nothing "
            "within it, and are one arm."
        )
    drifting = [course for course in courses if "drift" in course]
    if len(drifting) in (0, len(courses)):
        return "cannot be tested here", "It takes a stream that drifts and one that stands still."
    return ("seen" if widest > MARGIN else "not seen"), f"Seen where half-lives differ by more than {MARGIN:.1%}."
