"""What an arm costs beside what it loses: training seconds and summed loss, both against the default."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stream.bench.adaptation.arms import DEFAULT
from stream.bench.adaptation.overall import Standing
from stream.bench.adaptation.plots.style import FAMILY_COLOURS, GREY, new_figure, quiet, save, spread_apart

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
    axes.set_xlim(min(ratios) / 1.25, max(ratios) * 2.2)
    heights = [0.0, *(y for _, _, y in points)]
    margin = 0.06 * (max(heights) - min(heights) or 1.0)
    axes.set_ylim(min(heights) - margin, max(heights) + margin)
    names = [(DEFAULT, 1.0, 0.0, "#000000")]
    for each, x, y in points:
        colour = FAMILY_COLOURS.get(each.arm.family, GREY)
        beyond = each.loss.mean * 100 > _FURTHEST_PERCENT
        axes.plot(x, y, "^" if beyond else "o", color=colour, markersize=6)
        names.append((each.arm.name + (f" ({each.loss.mean:+.0%})" if beyond else ""), x, y, colour))
    _label(axes, names)
    axes.set_xticks([tick for tick in (0.5, 1, 2, 5, 10, 20, 50, 100) if min(ratios) / 1.3 <= tick <= max(ratios) * 2])
    axes.xaxis.set_major_formatter(lambda value, position: f"x {value:g}")
    axes.minorticks_off()
    axes.set_xlabel(f"training seconds, {DEFAULT} = 1", fontsize=9)
    axes.set_ylabel(f"summed loss against {DEFAULT}, %", fontsize=9)
    figure.suptitle("Cost and loss: below and to the left is better", fontsize=11, x=0.02, ha="left")
    return save(figure, directory, "cost-and-loss")


def _label(axes: object, names: Sequence[tuple[str, float, float, str]]) -> None:
    """Write each name to the right of its point, moved up or down where names of near points would overlap."""
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    low, high = axes.get_ylim()
    left, right = (math.log(edge) for edge in axes.get_xlim())
    apart, reach = (high - low) * 0.032, (right - left) * 0.26
    groups: list[list[int]] = []
    for index in sorted(range(len(names)), key=lambda index: names[index][2]):
        near = [
            group
            for group in groups
            if any(
                abs(names[other][2] - names[index][2]) < apart * (len(group) + 1)
                and abs(math.log(names[other][1]) - math.log(names[index][1])) < reach
                for other in group
            )
        ]
        merged = [index, *(each for group in near for each in group)]
        groups = [group for group in groups if group not in near] + [merged]
    for group in groups:
        places = spread_apart([names[index][2] for index in group], apart)
        for index, place in zip(group, places, strict=True):
            name, x, y, colour = names[index]
            axes.annotate(
                name,
                (x, y),
                xytext=(x * math.exp((right - left) * 0.022), place),
                textcoords="data",
                fontsize=8,
                color=colour,
                va="center",
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3},
            )
