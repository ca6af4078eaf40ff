"""Each arm's summed loss against the default, over all streams and stream by stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stream.bench.adaptation.arms import DEFAULT
from stream.bench.adaptation.intervals import Interval
from stream.bench.adaptation.overall import Standing
from stream.bench.adaptation.plots.style import FAMILY_COLOURS, GREY, new_figure, quiet, save
from stream.bench.adaptation.results import Results

__all__ = ["draw_standing"]

_FURTHEST_PERCENT: Final = 12.0


def draw_standing(standings: Sequence[Standing], results: Results, directory: Path) -> list[str]:
    """Draw means with intervals, an arm a row; small marks are single streams. Nothing without a second arm."""
    if not standings:
        return []
    ordered = sorted(standings, key=lambda each: -each.loss.mean)
    figure = new_figure(8.6, 1.4 + 0.27 * len(ordered))
    axes = figure.subplots()
    quiet(axes, "x")
    axes.axvline(0, color="#444444", linewidth=1)
    highest = max((each.loss.mean + (each.loss.half_width or 0.0)) * 100 for each in ordered)
    right = min(max(highest, 0.0) * 1.05 + 0.5, _FURTHEST_PERCENT)
    left = min(each.loss.mean * 100 for each in ordered)
    for row, each in enumerate(ordered):
        colour = FAMILY_COLOURS.get(each.arm.family, GREY)
        for course in each.courses:
            one = results.ratio(course, each.arm.name, DEFAULT, "loss_sum")
            if one is not None:
                left = min(left, one.mean * 100)
                if one.mean * 100 <= right:
                    axes.plot(one.mean * 100, row, ".", color=colour, alpha=0.35, markersize=5, zorder=2)
        if each.loss.mean * 100 > right:
            axes.annotate(f"{each.loss.mean:+.0%} →", (right, row), fontsize=8, va="center", ha="right", color=colour)
        else:
            _bar(axes, each.loss, row, colour)
    axes.set_yticks(range(len(ordered)), [each.arm.name for each in ordered], fontsize=8)
    for tick, each in zip(axes.get_yticklabels(), ordered, strict=True):
        tick.set_color(FAMILY_COLOURS.get(each.arm.family, GREY))
    axes.set_xlim(max(left * 1.1 - 0.3, -_FURTHEST_PERCENT), right)
    axes.set_ylim(-0.7, len(ordered) - 0.3)
    axes.set_xlabel(f"summed prequential loss against {DEFAULT}, % (left is better); dots: single streams", fontsize=9)
    figure.suptitle("Every arm against the default, mean and 95 % interval over seeds", fontsize=11, x=0.02, ha="left")
    return save(figure, directory, "arms-against-default")


def _bar(axes: object, interval: Interval, row: int, colour: str) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    half = None if interval.half_width is None else interval.half_width * 100
    axes.errorbar(interval.mean * 100, row, xerr=half, fmt="o", color=colour, markersize=5, capsize=2.5, zorder=3)
