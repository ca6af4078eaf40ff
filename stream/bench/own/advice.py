"""Which strategy to use on the user's stream, by how much and at what cost, every sentence made from a figure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from stream.bench.adaptation.arms import DEFAULT
from stream.bench.adaptation.claims.claim import MARGIN
from stream.bench.adaptation.intervals import Interval, mean_interval
from stream.bench.own.rows import Row

__all__ = ["advice", "chosen"]

_FEWEST_BLOCKS: Final = 5
_CHEAPER: Final = 0.9


def chosen(rows: Sequence[Row]) -> Row:
    """Return the row of the strategy to use: the default, unless another one is surely better.

    Of several without effect one looks good, so what is ahead has to be so with an interval that is wide enough for all
    that were tried. Chosen is the best, or the cheapest of those that are not told apart from it; what is less than
    `MARGIN` ahead has to cost a tenth less than the default, too.
    """
    default = next(row for row in rows if row.arm.name == DEFAULT)
    tried = [row for row in rows if len(row.by_block) >= _FEWEST_BLOCKS]
    ahead = [row for row in tried if _is_surely_ahead(row, len(tried)) and _is_worth_it(row, default)]
    if not ahead:
        return default
    best = min(ahead, key=lambda row: sum(row.by_block.values()))
    level = [row for row in ahead if row is best or not _told_apart(row, best)]
    return min(level, key=lambda row: row.seconds_per_event)


def advice(rows: Sequence[Row]) -> str:
    """Return the advice in sentences."""
    default = next(row for row in rows if row.arm.name == DEFAULT)
    use = chosen(rows)
    text = [*_use(rows, use, default), *_level(rows, use), *_same(rows), *_ranking(rows), *_rate(rows, use)]
    return " ".join(text)


def _use(rows: Sequence[Row], use: Row, default: Row) -> Iterable[str]:
    if use is default:
        yield f"**Keep `{DEFAULT}`**, the default: of what was tried nothing is surely better by enough to change."
        ahead = [row for row in rows if row.loss_against is not None and row.loss_against.mean < 0]
        if ahead:
            closest = min(ahead, key=lambda row: sum(row.by_block.values()))
            why = "which chance may have made"
            tried = sum(len(row.by_block) >= _FEWEST_BLOCKS for row in rows)
            if _is_surely_ahead(closest, tried) and not _is_worth_it(closest, default):
                why = f"less than the {MARGIN:.1%} from which it is worth its cost"
            yield f"Closest comes `{closest.arm.name}`: {_loss(closest)}, {why}."
        return
    times = use.seconds_per_event / default.seconds_per_event
    yield (
        f"**Use `{use.arm.name}`**: its summed loss is {_loss(use)} against `{DEFAULT}`, at {times:.2f} times the CPU "
        f"seconds ({use.seconds_per_event * 1e3:.2f} against {default.seconds_per_event * 1e3:.2f} ms an event)."
    )


def _level(rows: Sequence[Row], use: Row) -> Iterable[str]:
    cheap = [
        row
        for row in rows
        if row.loss_against is not None
        and row is not use
        and row.seconds_per_event < _CHEAPER * use.seconds_per_event
        and (against := _against(row, use)) is not None
        and against.high <= MARGIN
    ]
    if cheap:
        names = ", ".join(
            f"`{row.arm.name}` ({row.seconds_per_event / use.seconds_per_event:.2f} times)" for row in cheap
        )
        yield f"Cheaper, and surely no more than {MARGIN:.1%} behind it: {names}."
    worse = [row for row in rows if row.loss_against is not None and row.loss_against.sign > 0]
    if worse:
        worse.sort(key=lambda row: -sum(row.by_block.values()))
        yield f"Surely worse than `{DEFAULT}`: {', '.join(f'`{row.arm.name}` ({_loss(row)})' for row in worse)}."


def _same(rows: Sequence[Row]) -> Iterable[str]:
    same = [f"`{row.arm.name}`" for row in rows if row.same]
    if same:
        yield (
            f"Here {', '.join(same)} and `{DEFAULT}` are one: what they do differently (at a change of the schema, for "
            "a key) never came about in these events, so nothing can be said of which does it better."
        )


def _ranking(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        if row.arm.kind == "baseline" and row.recall_against is not None and row.recall_against.sign > 0:
            yield (
                f"**Counting alone ranks better**: `{row.arm.name}` has recall@5 {row.recall_at_5:.3f}, "
                f"{row.recall_against.text('+.3f')} against `{DEFAULT}`; it gives no probability."
            )


def _rate(rows: Sequence[Row], use: Row) -> Iterable[str]:
    if math.isnan(use.normalised_entropy):
        return
    if use.normalised_entropy >= 1:
        yield (
            f"**Its loss is {use.normalised_entropy:.3f} of the running rate's: here the network knows no more than "
            "how often offers are taken.**"
        )
    else:
        yield f"Its loss is {use.normalised_entropy:.3f} of the running rate's (normalised entropy; below 1 it helps)."


def _is_surely_ahead(row: Row, tried: int) -> bool:
    found = mean_interval(row.by_block.values(), comparisons=tried)
    return found is not None and found.sign < 0


def _is_worth_it(row: Row, default: Row) -> bool:
    enough = row.loss_against is not None and row.loss_against.mean <= -MARGIN
    return enough or row.seconds_per_event <= _CHEAPER * default.seconds_per_event


def _loss(row: Row) -> str:
    return "-" if row.loss_against is None else row.loss_against.text("+.2f", 100, " %")


def _against(row: Row, other: Row) -> Interval | None:
    if not other.by_block:
        return row.loss_against
    return mean_interval(row.by_block[block] - other.by_block[block] for block in row.by_block)


def _told_apart(row: Row, other: Row) -> bool:
    against = _against(row, other)
    return against is not None and against.sign != 0
