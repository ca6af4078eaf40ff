"""The report's tables: all arms over all streams, where the default stands, and each stream by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from stream.bench.adaptation.arms import ARMS, DEFAULT, MAIN, ORACLE
from stream.bench.adaptation.claims.claim import pooled_difference
from stream.bench.adaptation.intervals import Interval
from stream.bench.adaptation.markdown import markdown_table
from stream.bench.adaptation.measures import window_of
from stream.bench.adaptation.overall import Standing
from stream.bench.adaptation.results import Results
from stream.bench.adaptation.stream import STREAMS

__all__ = ["ahead_table", "arms_table", "stream_tables"]

_DASH: Final = "-"
EQUAL_SECONDS: Final = "equal_seconds"


def arms_table(results: Results, found: Sequence[Standing]) -> str:
    """Return every main arm over all streams, with what it does."""
    by_arm = {each.arm.name: each for each in found}
    rows = []
    for name in MAIN:
        each = by_arm.get(name)
        recall = _recall(results, name, each)
        courses = [course for course in results.courses if results.runs(course, name)]
        if not courses:
            continue

        def mean(measure: str, name: str = name, courses: Sequence[str] = courses) -> float:
            known = [value for course in courses if not math.isnan(value := results.mean(course, name, measure))]
            return sum(known) / len(known) if known else float("nan")

        rows.append(
            [
                f"`{name}`",
                ARMS[name].sentence,
                _streams(each, len(courses)),
                "0" if name == DEFAULT else _DASH if each is None else each.loss.text("+.2f", 100, " %"),
                "0" if name == DEFAULT else _interval(recall, "+.4f"),
                _number(mean("recovery_events"), ",.0f"),
                _number(mean("jumps"), ".2f"),
                _number(mean("calibration_error"), ".4f"),
                "1" if name == DEFAULT else _times(each),
                _number(mean("cpu_per_event") * 1e6, ",.0f"),
                _number(mean("cpu_per_frozen_event") * 1e6, ",.0f"),
                _number(mean("parameters_trained"), ",.0f"),
                _number(mean("peak_memory_bytes") / 2**20, ",.0f"),
            ]
        )
    header = [
        *("arm", "what it does", "streams", f"summed loss against {DEFAULT}", "recall@5", "events until back", "jumps"),
        *("calibration error", "training seconds", "CPU µs an event", "frozen", "parameters trained", "peak MiB"),
    ]
    note = (
        f"Summed loss, recall and seconds are paired by seed with `{DEFAULT}` and averaged, with 95 % t-intervals, "
        f"over the streams that tell both apart: *11 of 17* says that on the other six the arm is `{DEFAULT}` by "
        "construction (without a change of the schema `replace`, `scratch`, `never`, the oracle and a missing warm-up "
        "change nothing, nor where one only renames). The other columns are means over an arm's own streams, "
        "so compare them in the tables by stream below. The baselines count and give no probability: they have a "
        "ranking and no loss.\n"
    )
    return markdown_table(header, rows) + "\n" + note


def _streams(each: Standing | None, ran: int) -> str:
    if each is None:
        return str(ran)
    text = f"{len(each.courses)} of {ran}" if each.same_on else str(ran)
    return f"{text} ({each.runs_failed} runs failed)" if each.runs_failed else text


def _recall(results: Results, name: str, each: Standing | None) -> Interval | None:
    if each is not None:
        return each.recall
    return pooled_difference(results, results.compared_on(name, DEFAULT), name, DEFAULT, "recall_at_5")


def ahead_table(results: Results) -> str:
    """Return on which streams the default is ahead of which one-pass arms and peers, and how far from the oracle."""
    rows = []
    for course in results.courses:
        others = [
            arm
            for arm in results.arms(course)
            if arm in MAIN and arm != DEFAULT and ARMS[arm].kind in ("online", "peer", "baseline")
        ]
        if not others or not results.has(course, DEFAULT):
            continue
        same = [arm for arm in others if results.same(course, arm, DEFAULT)]
        cells = []
        for measure, sign in (("loss_sum", 1), ("recall_at_5", -1)):
            by_sign: dict[int, list[str]] = {-1: [], 0: [], 1: []}
            for arm in others:
                effect = results.difference(course, arm, DEFAULT, measure)
                if effect is not None and arm not in same:
                    by_sign[effect.sign * sign].append(arm)
            behind = ", ".join(by_sign[-1]) or "none"
            tied = ", ".join(by_sign[0]) or "none"
            cells += [f"{len(by_sign[1])} of {sum(map(len, by_sign.values()))}", tied, behind]
        oracle = None if results.same(course, DEFAULT, ORACLE) else results.ratio(course, DEFAULT, ORACLE, "loss_sum")
        rows.append([course, *cells, _interval(oracle, "+.2f", 100, " %"), ", ".join(same) or "none"])
    header = [
        *("stream", "ahead of (loss)", "not told apart", "behind"),
        *("ahead of (recall@5)", "not told apart", "behind", "loss against the oracle", "the same by construction"),
    ]
    return markdown_table(header, rows)


def stream_tables(results: Results, course: str) -> str:
    """Return what one stream is, and its arms' measures: over the whole stream, and around changes."""
    stream = course.partition("@")[0]
    source = STREAMS.get(stream)
    arms = [arm for arm in results.arms(course) if arm in MAIN]
    run = next(iter(results.runs(course, arms[0]).values())) if arms else None
    if run is None:
        return f"### {course}\n\nOnly arms of sweeps ran here; see the claims.\n"
    sites = len(run.around)
    what = (
        f"{source.sentence if source else ''} {run.events:,} events; windows of {window_of(run.events)} events; "
        f"{sites} {'change' if sites == 1 else 'changes'} (or runs of changes) with a whole window on both sides.\n"
    )
    text = [f"### {course}\n", what]
    quality: list[tuple[str, str, str]] = [
        ("summed loss", "loss_sum", ",.0f"),
        ("loss a pair", "loss", ".5f"),
        ("recall@5", "recall_at_5", ".4f"),
        ("NDCG@5", "ndcg_at_5", ".4f"),
        ("calibration error", "calibration_error", ".4f"),
        ("above the truth", "excess_over_truth", ".5f"),
        ("above the oracle, summed", "excess_over_oracle_sum", "+,.0f"),
        ("loss a pair at equal seconds", EQUAL_SECONDS, ".5f"),
        ("training seconds", "train_seconds", ".1f"),
        ("peak MiB", "peak_memory_bytes", ",.0f"),
    ]
    text.append(_measures_table(results, course, arms, quality))
    if sites:
        around: list[tuple[str, str, str]] = [
            ("loss before", "loss_before", ".4f"),
            ("at", "loss_at", ".4f"),
            ("after", "loss_after", ".4f"),
            ("recall@5 before", "recall_before", ".3f"),
            ("at", "recall_at", ".3f"),
            ("after", "recall_after", ".3f"),
            ("NDCG@5 before", "ndcg_before", ".3f"),
            ("at", "ndcg_at", ".3f"),
            ("after", "ndcg_after", ".3f"),
            ("events until back", "recovery_events", ",.0f"),
            ("share back", "recovered", ".2f"),
            ("seconds until back", "recovery_seconds", ".2f"),
            ("until at the oracle's", "recovery_to_oracle_events", ",.0f"),
            ("jumps", "jumps", ".1f"),
            ("old offers: loss", "old_loss_at", ".4f"),
            ("recall@5", "old_recall_at", ".3f"),
            ("new offers: loss", "new_loss_at", ".4f"),
            ("recall@5", "new_recall_at", ".3f"),
        ]
        text += ["\nAround changes, means over changes and seeds:\n", _measures_table(results, course, arms, around)]
    return "\n".join(text)


def _measures_table(results: Results, course: str, arms: Sequence[str], columns: Sequence[tuple[str, str, str]]) -> str:
    scales = {"peak_memory_bytes": 2.0**-20}
    known = [
        (title, name, form) for title, name, form in columns if any(_cell(results, course, arm, name) for arm in arms)
    ]
    spread = {"loss_sum", "recall_at_5", "recovery_events"}
    rows = []
    for arm in arms:
        cells = []
        for _, name, form in known:
            found = _cell(results, course, arm, name)
            if found is not None and name in spread and found.half_width is not None:
                cells.append(found.text(form, scales.get(name, 1.0)))
            else:
                cells.append(_DASH if found is None else format(found.mean * scales.get(name, 1.0), form))
        rows.append([f"`{arm}`", *cells])
    return markdown_table(["arm", *(title for title, _, _ in known)], rows)


def _cell(results: Results, course: str, arm: str, name: str) -> Interval | None:
    if name == EQUAL_SECONDS:
        mean = results.equal_seconds.get((course, arm))
        return None if mean is None else Interval(mean, None, 1)
    return results.interval(course, arm, name)


def _interval(found: Interval | None, form: str, scale: float = 1.0, unit: str = "") -> str:
    return _DASH if found is None else found.text(form, scale, unit)


def _times(each: Standing | None) -> str:
    return _DASH if each is None or each.seconds is None else f"x {each.seconds.mean + 1:.2f}"


def _number(value: float, form: str) -> str:
    return _DASH if math.isnan(value) else format(value, form)
