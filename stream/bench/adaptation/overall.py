"""Each main arm against the default over all streams: the figures that the report's first words are made from."""

from __future__ import annotations

from dataclasses import dataclass

from stream.bench.adaptation.arms import ARMS, DEFAULT, MAIN, Arm
from stream.bench.adaptation.claims.claim import pooled_difference, pooled_ratio
from stream.bench.adaptation.intervals import Interval
from stream.bench.adaptation.results import Results

__all__ = ["Standing", "standings"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an arm stands beside the default, paired by seed and averaged over the streams that tell both apart."""

    arm: Arm
    courses: list[str]
    """The streams that the averages are over: both ran, and are not the same there by construction."""
    same_on: list[str]
    """The streams where it is the default by construction: in no average."""
    runs_failed: int
    """Runs that went wrong on streams where the default ran: in no average either, and no praise."""
    loss: Interval
    """Summed prequential loss, relative."""
    recall: Interval | None
    seconds: Interval | None
    """Training seconds, relative."""
    loss_at: Interval | None
    """Loss in the first window after a change, relative; None if no stream has a change to look at."""
    better_on: list[str]
    """The streams where its summed loss is lower, the whole interval below 0."""
    worse_on: list[str]


def standings(results: Results) -> list[Standing]:
    """Return the standing of every main arm but the default that ran where the default did, in the arms' order."""
    found = []
    for name in MAIN:
        ran = [course for course in results.courses if results.has(course, name, DEFAULT)]
        courses = results.compared_on(name, DEFAULT)
        loss = pooled_ratio(results, courses, name, DEFAULT, "loss_sum")
        if name == DEFAULT or loss is None:
            continue
        signs = {}
        for course in courses:
            effect = results.ratio(course, name, DEFAULT, "loss_sum")
            signs[course] = 0 if effect is None else effect.sign
        found.append(
            Standing(
                arm=ARMS[name],
                courses=courses,
                same_on=[course for course in ran if course not in courses],
                runs_failed=sum(results.failed(course, name) for course in results.courses),
                loss=loss,
                recall=pooled_difference(results, courses, name, DEFAULT, "recall_at_5"),
                seconds=pooled_ratio(results, courses, name, DEFAULT, "train_seconds"),
                loss_at=pooled_ratio(results, courses, name, DEFAULT, "loss_at"),
                better_on=[course for course, sign in signs.items() if sign < 0],
                worse_on=[course for course, sign in signs.items() if sign > 0],
            )
        )
    return found
