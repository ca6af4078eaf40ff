"""Paper 5: tables trained as a product with a wider inner dimension are as good at a fraction of the width."""

from __future__ import annotations

import math
from typing import Final

from stream.bench.adaptation.arms import RATIOS, SGD_RATES, WIDTHS, inner_arm, sgd_arm, table_arm
from stream.bench.adaptation.claims.claim import (
    MARGIN,
    MLET,
    Claim,
    Table,
    Verdict,
    judged,
    not_worse,
    pooled_ratio,
    streams_text,
    untested,
    why_missing,
    with_all,
)
from stream.bench.adaptation.facts import DECILES
from stream.bench.adaptation.intervals import mean_interval
from stream.bench.adaptation.results import Results

__all__ = ["STEP_TEST", "claims"]

STEP_TEST: Final = "tests/adaptation/test_mlet.py"
_SMALLER: Final = "Factored tables reach a single table's loss at a fraction of its width (4 to 16 times smaller)."
_RARE: Final = "Rare values gain most."
_TIME: Final = "Training takes about a quarter longer."
_STEP: Final = "One SGD step moves the merged table as the formula says."
_REFERENCE_WIDTH: Final = 16
_LEAST_SLOWER: Final = 0.1
_MOST_SLOWER: Final = 0.4


def claims(results: Results) -> list[Claim]:
    """Return the paper's claims."""
    return [_smaller(results), _rare(results), _plain_sgd(results), _time(results), _step()]


def _course(results: Results) -> str | None:
    courses = with_all(results, *(table_arm(d).name for d in WIDTHS), *(inner_arm(d, 4.0).name for d in WIDTHS))
    return courses[0] if courses else None


def _missing(results: Results) -> str:
    return why_missing(results, inner_arm(WIDTHS[0], 4.0).name, table_arm(WIDTHS[0]).name)


def _smaller(results: Results) -> Claim:
    arms = f"d in {WIDTHS}, k/d in {RATIOS}, and single tables"
    course = _course(results)
    if course is None:
        return untested(MLET, _SMALLER, arms, _missing(results))
    rows = []
    for d in WIDTHS:
        names = [table_arm(d).name, *(inner_arm(d, ratio).name for ratio in RATIOS)]
        rows.append([str(d), *(_loss_text(results, course, name) for name in names)])
    matches = []
    for wide in WIDTHS:
        enough = [d for d in WIDTHS if d <= wide and _matches(results, course, d, wide)]
        single = [d for d in WIDTHS if d <= wide and _single_matches(results, course, d, wide)]
        matches.append([str(wide), str(min(single, default=wide)), str(min(enough)) if enough else "none"])
    enough = [d for d in WIDTHS if _matches(results, course, d, _REFERENCE_WIDTH)]
    alone = [d for d in WIDTHS if _single_matches(results, course, d, _REFERENCE_WIDTH)]
    tables = [
        Table("summed loss", ["d", "single", *(f"k/d = {ratio:g}" for ratio in RATIOS)], rows),
        Table(
            f"the smallest d whose loss is surely no more than {MARGIN:.1%} above that of a single table",
            ["single table of", "single", "factored"],
            matches,
        ),
    ]
    smallest, single_smallest = min(enough, default=0), min(alone, default=_REFERENCE_WIDTH)
    seen: Verdict = "seen" if bool(smallest) and smallest * 4 <= single_smallest else "not seen"
    text = (
        f"to match a single table {_REFERENCE_WIDTH} wide, a factored one needs d = "
        f"{smallest or 'more than any tried'}, a single one d = {single_smallest}"
    )
    why = (
        "A quarter of the width that a single table needs is enough."
        if seen == "seen"
        else "A single table as narrow does it too, or no factored one does."
    )
    if single_smallest == WIDTHS[0]:
        seen = "cannot be tested here"
        why = (
            f"The narrowest single table tried, {WIDTHS[0]} wide, is as good as one of {_REFERENCE_WIDTH}: width is "
            "not what this stream is short of, so no factored table could save any."
        )
    return Claim(MLET, _SMALLER, arms, streams_text([course]), text, seen, why, tables)


def _loss_text(results: Results, course: str, arm: str) -> str:
    """Return the mean summed loss; of how many runs, if some went wrong: such a mean compares with no other."""
    found, failed = results.interval(course, arm, "loss_sum"), results.failed(course, arm)
    if found is None:
        return "-"
    text = found.text(",.0f")
    return f"{text} ({found.seeds} of {found.seeds + failed} runs)" if failed else text


def _matches(results: Results, course: str, d: int, wide: int) -> bool:
    return any(_within(results, course, inner_arm(d, ratio).name, wide) for ratio in RATIOS)


def _single_matches(results: Results, course: str, d: int, wide: int) -> bool:
    return d == wide or _within(results, course, table_arm(d).name, wide)


def _within(results: Results, course: str, arm: str, wide: int) -> bool:
    effect = results.ratio(course, arm, table_arm(wide).name, "loss_sum")
    return effect is not None and not_worse(effect, MARGIN)[0] == "seen"


def _rare(results: Results) -> Claim:
    course = _course(results)
    first, second = inner_arm(8, 4.0).name, table_arm(8).name
    if course is None:
        return untested(MLET, _RARE, f"{first} against {second}", _missing(results))
    ours, theirs = results.runs(course, first), results.runs(course, second)
    gains = []
    for decile in range(DECILES):
        by_seed = {
            seed: ours[seed].decile_loss[decile] / theirs[seed].decile_loss[decile] - 1
            for seed in ours.keys() & theirs.keys()
            if not math.isnan(theirs[seed].decile_loss[decile])
        }
        gains.append(by_seed)
    if not all(gains):
        return untested(MLET, _RARE, f"{first} against {second}", "The stream has no categorical values.")
    rows = []
    for decile, by_seed in enumerate(gains):
        found = mean_interval(by_seed.values())
        rows.append([f"{decile + 1}", "-" if found is None else found.text("+.2f", 100, " %")])
    half = DECILES // 2
    effect = mean_interval(
        sum(gain[seed] for gain in gains[:half]) / half - sum(gain[seed] for gain in gains[half:]) / half
        for seed in sorted(set.intersection(*(set(gain) for gain in gains)))
    )
    if effect is None:
        return untested(MLET, _RARE, f"{first} against {second}", "No seed has all deciles.")
    verdict, why = judged(effect)
    table = Table("loss against the single table, by tenth of the events, the rarest first", ["tenth", "loss"], rows)
    text = f"the rarer half less the more frequent half: {effect.text('+.2f', 100, ' %')}"
    return Claim(MLET, _RARE, f"{first} against {second}", streams_text([course]), text, verdict, why, [table])


def _plain_sgd(results: Results) -> Claim:
    """Compare the best of the rates with the best: both are tuned equally."""
    claim = "Trained by plain SGD, for which the formula of a step holds, a factored table beats a single one."
    arms = {factored: [sgd_arm(factored, rate).name for rate in SGD_RATES] for factored in (True, False)}
    courses = with_all(results, *arms[True], *arms[False])
    if not courses:
        return untested(MLET, claim, f"SGD at {SGD_RATES}", why_missing(results, arms[True][0], arms[False][0]))
    course = courses[0]
    first, second = (results.best(course, arms[factored], "loss_sum") for factored in (True, False))
    effect = None if first is None or second is None else results.ratio(course, first, second, "loss_sum")
    if effect is None:
        return untested(MLET, claim, f"SGD at {SGD_RATES}", "At no rate has every seed an end.")
    verdict, why = judged(effect)
    lost = [name for factored in (False, True) for name in arms[factored] if results.failed(course, name)]
    if lost:
        why += f" Not among the best, because not every seed came to an end: {', '.join(lost)}."
    rows = []
    for rate in SGD_RATES:
        names = [sgd_arm(factored, rate).name for factored in (False, True)]
        rows.append([f"{rate:g}", *(_loss_text(results, course, name) for name in names)])
    table = Table("summed loss by the rate of SGD", ["rate", "single", "k/d = 4"], rows)
    text = f"summed loss {effect.text('+.2f', 100, ' %')}, each at its best rate"
    return Claim(MLET, claim, f"{first} against {second}", streams_text([course]), text, verdict, why, [table])


def _time(results: Results) -> Claim:
    course = _course(results)
    first, second = inner_arm(8, 4.0).name, table_arm(8).name
    courses = [] if course is None else [course]
    effect = pooled_ratio(results, courses, first, second, "train_seconds")
    if effect is None or effect.half_width is None:
        return untested(MLET, _TIME, f"{first} against {second}", _missing(results) if effect is None else "One seed.")
    text = f"training seconds {effect.text('+.0f', 100, ' %')}"
    verdict: Verdict = "cannot be tested here"
    why = "The interval lies on both sides of a bound of +10 % to +40 %: too wide to tell."
    if effect.low >= _LEAST_SLOWER and effect.high <= _MOST_SLOWER:
        verdict, why = "seen", "The whole interval lies between +10 % and +40 %."
    elif effect.high < _LEAST_SLOWER or effect.low > _MOST_SLOWER:
        verdict, why = "not seen", "The whole interval lies outside +10 % to +40 %: this network is not the papers'."
    return Claim(MLET, _TIME, f"{first} against {second}", streams_text(courses), text, verdict, why)


def _step() -> Claim:
    why = f"An equality, not a figure: {STEP_TEST} asserts it, row by row."
    return Claim(MLET, _STEP, "one step of a factored table", "none", "equal up to rounding and O(eta^2)", "seen", why)
