"""What the sweeps show: warm-up length, table width, patch size, KL weight, half-life."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream.bench.adaptation.arms import (
    BETAS,
    HALF_LIVES,
    PATCH_SHARES,
    RATIOS,
    TRUNK_WIDTH,
    WARMUPS,
    WIDTHS,
    beta_arm,
    half_life_arm,
    inner_arm,
    patch_arm,
    table_arm,
    warmup_arm,
)
from stream.bench.adaptation.claims.claim import pooled_ratio, with_all
from stream.bench.adaptation.intervals import Interval
from stream.bench.adaptation.plots.style import COLOURS, label_ends, new_figure, quiet, save
from stream.bench.adaptation.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_sweeps"]

_Lines = Mapping[str, Sequence[tuple[str, Interval | None]]]
_REFERENCE: Final = 16


def draw_sweeps(results: Results, directory: Path) -> list[str]:
    """Draw a panel for each sweep that was run; nothing if none was."""
    panels = {
        "warm-up length, loss in five windows against none": ("events frozen", _warmups(results, "loss_soon")),
        "warm-up length, summed loss against none": ("events frozen", _warmups(results, "loss_sum")),
        f"MLET, summed loss against a single table of {_REFERENCE}": ("table width d", _tables(results)),
        "patch size, summed loss against carry": ("parameters added to a layer", _patches(results)),
        "IAK, summed loss against beta 0": ("beta", _betas(results)),
        "forgetting, summed loss against the longest": ("half-life, events", _half_lives(results)),
    }
    drawn = {
        title: (label, known, list(dict.fromkeys(tick for points in lines.values() for tick, _ in points)))
        for title, (label, lines) in panels.items()
        if (known := _known(lines))
    }
    if not drawn:
        return []
    columns = min(len(drawn), 3)
    figure = new_figure(4.4 * columns, 3.3 * math.ceil(len(drawn) / columns))
    for number, (title, (label, lines, order)) in enumerate(drawn.items(), 1):
        axes = figure.add_subplot(math.ceil(len(drawn) / columns), columns, number)
        _panel(axes, title, label, lines, order)
    figure.suptitle("Sweeps: mean and 95 % interval over seeds, below 0 is better", fontsize=11, x=0.01, ha="left")
    return save(figure, directory, "sweeps")


def _known(lines: _Lines) -> dict[str, list[tuple[str, Interval]]]:
    kept = {name: [(tick, each) for tick, each in points if each is not None] for name, points in lines.items()}
    return {name: points for name, points in kept.items() if len(points) > 1}


def _panel(
    axes: Axes, title: str, label: str, lines: Mapping[str, Sequence[tuple[str, Interval]]], order: Sequence[str]
) -> None:
    quiet(axes)
    axes.axhline(0, color="#999999", linewidth=1)
    known = {tick for points in lines.values() for tick, _ in points}
    ticks = [tick for tick in order if tick in known]
    ends = []
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        x = [ticks.index(tick) + 0.05 * (number - len(lines) / 2) for tick, _ in points]
        y = [each.mean * 100 for _, each in points]
        half = [0.0 if each.half_width is None else each.half_width * 100 for _, each in points]
        axes.errorbar(x, y, half, fmt="o-", color=colour, markersize=3.5, linewidth=1.3, elinewidth=0.8, capsize=1.5)
        ends.append((name, x[-1], y[-1], colour))
    found = [each for points in lines.values() for _, each in points]
    ends_of = [each.mean * 100 + side * (each.half_width or 0.0) * 100 for each in found for side in (-1, 1)]
    low, high = min(*ends_of, 0.0), max(*ends_of, 0.0)
    axes.set_ylim(low - 0.06 * (high - low) - 0.02, high + 0.06 * (high - low) + 0.02)
    axes.set_xticks(range(len(ticks)), ticks)
    right = max(x for _, x, _, _ in ends)
    label_ends(axes, [(name, right, y, colour) for name, _, y, colour in ends], 7.5)
    axes.set_title(title, fontsize=8.5, loc="left")
    axes.set_xlabel(label, fontsize=8)
    axes.set_ylabel("%", fontsize=8)


def _warmups(results: Results, measure: str) -> _Lines:
    lines = {}
    for strategy in ("replace", "carry"):
        base = warmup_arm(strategy, 0).name
        points = []
        for events in WARMUPS:
            arm = warmup_arm(strategy, events).name
            points.append((f"{events:,}", pooled_ratio(results, with_all(results, arm, base), arm, base, measure)))
        lines[strategy] = points
    return lines


def _tables(results: Results) -> _Lines:
    base = table_arm(_REFERENCE).name

    def point(d: int, arm: str) -> tuple[str, Interval | None]:
        return str(d), pooled_ratio(results, with_all(results, arm, base), arm, base, "loss_sum")

    lines = {"single": [point(d, table_arm(d).name) for d in WIDTHS]}
    return lines | {f"k/d {ratio:g}": [point(d, inner_arm(d, ratio).name) for d in WIDTHS] for ratio in RATIOS}


def _patches(results: Results) -> _Lines:
    lines = {}
    for strategy in ("peterrec-serial", "peterrec-parallel"):
        arms = [(f"{share:.0%}", patch_arm(strategy, share, TRUNK_WIDTH).name) for share in PATCH_SHARES]
        lines[strategy.removeprefix("peterrec-")] = [
            (tick, pooled_ratio(results, with_all(results, arm, "carry"), arm, "carry", "loss_sum"))
            for tick, arm in arms
        ]
    return lines


def _betas(results: Results) -> _Lines:
    base = beta_arm(0.0).name
    return {
        _short(course): [(f"{beta:g}", results.ratio(course, beta_arm(beta).name, base, "loss_sum")) for beta in BETAS]
        for course in with_all(results, base)
    }


def _half_lives(results: Results) -> _Lines:
    base = half_life_arm("bayes-output", HALF_LIVES[-1]).name
    return {
        _short(course): [
            (f"{events:,}", results.ratio(course, half_life_arm("bayes-output", events).name, base, "loss_sum"))
            for events in HALF_LIVES
        ]
        for course in with_all(results, base)
    }


def _short(course: str) -> str:
    return course.removeprefix("synthetic:").partition("@")[0]
