"""Paper 4: small patches in a frozen pre-trained network do as well as tuning all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from stream.bench.adaptation.arms import PATCH_SHARES, TRUNK_WIDTH, patch_arm
from stream.bench.adaptation.claims.claim import (
    MARGIN,
    PETERREC,
    Claim,
    Table,
    Verdict,
    compared,
    not_worse,
    pooled_ratio,
    streams_text,
    untested,
    why_missing,
    with_all,
)
from stream.bench.adaptation.intervals import mean_interval
from stream.bench.adaptation.results import Results

__all__ = ["claims"]

_ROOM: Final = 4 * MARGIN
"""What tuning everything has to gain over tuning the head before a margin of `MARGIN` can tell anything apart."""
_AS_GOOD: Final = "Patches are as good as tuning everything (within 0.5 %)."
_TASKS: Final = "A task that is added with its own patches costs the tasks before it nothing."


def claims(results: Results) -> list[Claim]:
    """Return the paper's claims, for patches behind the layers and beside them."""
    found = []
    for strategy in ("peterrec-serial", "peterrec-parallel"):
        as_good = compared(results, PETERREC, _AS_GOOD, strategy, "carry", margin=MARGIN)
        found.append(_with_room(as_good, results, with_all(results, strategy, "carry", "tune-head")))
        found.append(compared(results, PETERREC, "Patches are better than tuning the head.", strategy, "tune-head"))
        found.append(_sizes(results, strategy))
    found.append(_tasks(results))
    return found


def _sizes(results: Results, strategy: str) -> Claim:
    claim = "A few per cent of added parameters are enough: as good as tuning everything (within 0.5 %)."
    rows, smallest = [], None
    courses: list[str] = []
    for share in PATCH_SHARES:
        arm = patch_arm(strategy, share, TRUNK_WIDTH)
        here = with_all(results, arm.name, "carry", "tune-head")
        whole = pooled_ratio(results, here, arm.name, "carry", "loss_sum")
        head = pooled_ratio(results, here, arm.name, "tune-head", "loss_sum")
        if whole is None or head is None:
            continue
        courses = here
        figures = next(iter(results.runs(here[0], arm.name).values())).notes.get("figures", {})
        patched = figures.get("peterrec_patch_parameters")
        size = "-" if patched is None else f"{patched:,.0f}"
        rows.append([f"{share:.0%}", size, whole.text("+.2f", 100, " %"), head.text("+.2f", 100, " %")])
        if smallest is None and not_worse(whole, MARGIN)[0] == "seen":
            smallest = share
    if not rows:
        first = patch_arm(strategy, PATCH_SHARES[0], TRUNK_WIDTH).name
        return untested(PETERREC, claim, strategy, why_missing(results, first, "carry", "tune-head"))
    header = ["added to a trunk layer", "parameters of the patches", "against carry (all)", "against tune-head"]
    table = Table(f"{strategy}: summed loss by size of the patch", header, rows)
    text = "no size reaches it" if smallest is None else f"the smallest that does adds {smallest:.0%} to a layer"
    verdict: Verdict = "not seen" if smallest is None else "seen"
    why = (
        "In a square layer a patch is dearer than in the paper's convolutions (methods: 13 % at a bottleneck of h/16)."
    )
    found = Claim(PETERREC, claim, f"{strategy}, 5 to 25 %", streams_text(courses), text, verdict, why, [table])
    return _with_room(found, results, courses)


def _with_room(claim: Claim, results: Results, courses: Sequence[str]) -> Claim:
    """Return the claim, without a verdict where tuning everything itself gains too little over tuning the head."""
    room = pooled_ratio(results, courses, "tune-head", "carry", "loss_sum")
    if claim.verdict == "cannot be tested here" or room is None or room.mean >= _ROOM:
        return claim
    because = (
        f"Too small to tell: the head alone comes within {room.text('.2f', 100, ' %')} of tuning everything, so that a "
        f"margin of {MARGIN:.1%} is much of all that patches could gain; and a backbone that stood still after a third "
        "of so short a stream is not the papers' pre-trained one."
    )
    return replace(claim, verdict="cannot be tested here", because=because)


def _tasks(results: Results) -> Claim:
    arms = [
        "carry",
        "tune-head",
        "peterrec-serial 10%",
        "peterrec-parallel 10%",
        "peterrec-serial",
        "peterrec-parallel",
    ]
    courses = [
        course
        for course in with_all(results, "carry")
        if any(run.task_loss for run in results.runs(course, "carry").values())
    ]
    patched = [arm for arm in arms[2:] if courses and results.has(courses[0], arm)]
    if not courses or not patched:
        return untested(PETERREC, _TASKS, "peterrec, carry", "No stream with tasks has runs of both.")
    course = courses[0]
    names = list(next(iter(results.runs(course, "carry").values())).task_loss)
    rows = []
    for arm in [arm for arm in arms if results.has(course, arm)]:
        runs = results.runs(course, arm).values()
        by_task = [mean_interval(run.task_loss.get(name, float("nan")) for run in runs) for name in names]
        old = results.interval(course, arm, "old_loss_at")
        rows.append([arm, *("-" if each is None else each.text() for each in (*by_task, old))])
    arm = patched[0]
    effect = results.ratio(course, arm, "carry", "old_loss_at")
    if effect is None:
        return untested(PETERREC, _TASKS, f"{arm}, carry", "The loss of the old offers is not known there.")
    header = ["arm", *(f"task {name}" for name in names), "old offers just after the change"]
    table = Table(f"loss per pair by task, {streams_text([course])}", header, rows)
    text = f"loss of the old offers just after the new task came, {arm} against carry: {effect.text('+.2f', 100, ' %')}"
    why = (
        "This compares a trunk that stands still with carry's, which goes on learning, not a stream with the task "
        "and the same one without it, which is what its arrival costs. That no byte of the others' parameters and no "
        "bit of their logits changes when it comes is asserted by the contract tests."
    )
    return Claim(
        PETERREC,
        _TASKS,
        f"{arm} against carry",
        streams_text([course]),
        text,
        "cannot be tested here",
        why,
        [table],
    )
