"""What an arm costs beside what it loses: training seconds and summed loss, both against the default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stream.bench.adaptation.arms import DEFAULT
from stream.bench.adaptation.overall import Standing
from stream.bench.adaptation.plots.style import FAMILY_COLOURS, GREY, new_figure, place_labels, quiet, save

__all__ = ["draw_cost"]

_FURTHEST_PERCENT: Final = 12.0


def draw_cost(standings: Sequence[Standing], directory: Path) -> list[str]:
    """Draw arms as points, cheap to the left and good at the bottom. Nothing without a second arm."""
    points = [
        (each, each.seconds.mean + 1, min(each.loss.mean * 100, _FURTHEST_PERCENT))
        for each in standings
        if each.seconds is not None and each.seconds.mean > -1
    ]
    if not points:
        return []
    figure = new_figure(8.6, 5.6)
    axes = figure.subplots()
    quiet(axes, "both")
    axes.set_xscale("log")
    axes.axhline(0, color="#bbbbbb", linewidth=1, zorder=0)
    axes.axvline(1, color="#bbbbbb", linewidth=1, zorder=0)
    axes.plot(1, 0, "D", color="#000000", markersize=7)
    ratios = [1.0, *(x for _, x, _ in points)]
    axes.set_xlim(min(ratios) / 1.25, max(ratios) * 1.5)
    heights = [0.0, *(y for _, _, y in points)]
    axes.set_yscale("symlog", linthresh=1.0, linscale=1.2)  # most arms are within one per cent, some far outside
    axes.set_ylim(min(heights) * 1.3 - 0.3, max(heights) * 1.3 + 0.3)
    ticks = (-20, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10)
    axes.set_yticks([tick for tick in ticks if min(heights) * 1.3 - 0.3 <= tick <= max(heights) * 1.3 + 0.3])
    axes.yaxis.set_major_formatter(lambda value, position: f"{value:+g}" if value else "0")
    names = [(DEFAULT, 1.0, 0.0, "#000000")]
    for each, x, y in points:
        colour = FAMILY_COLOURS.get(each.arm.family, GREY)
        beyond = each.loss.mean * 100 > _FURTHEST_PERCENT
        axes.plot(x, y, "^" if beyond else "o", color=colour, markersize=6)
        names.append((each.arm.name + (f" ({each.loss.mean:+.0%})" if beyond else ""), x, y, colour))
    axes.set_xticks([tick for tick in (0.5, 1, 2, 5, 10, 20, 50, 100) if min(ratios) / 1.3 <= tick <= max(ratios) * 2])
    axes.xaxis.set_major_formatter(lambda value, position: f"x {value:g}")
    axes.minorticks_off()
    axes.set_xlabel(f"training seconds, {DEFAULT} = 1", fontsize=9)
    axes.set_ylabel(f"summed loss against {DEFAULT}, %", fontsize=9)
    figure.suptitle("Cost and loss: below and to the left is better", fontsize=11, x=0.02, ha="left")
    figure.draw_without_rendering()  # lays the axes out; labels are placed in what they are then
    place_labels(axes, names)
    return save(figure, directory, "cost-and-loss")
