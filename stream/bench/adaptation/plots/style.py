"""What the plots share: colours that the colour-blind tell apart, quiet axes, PNG and SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream.bench.adaptation.arms import ARMS, DEFAULT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "FAMILY_COLOURS", "label_ends", "new_figure", "place_labels", "quiet", "save", "spread_apart"]

# Okabe and Ito's palette ("Color Universal Design", 2008), its yellow left out: too light on white.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY: Final = "#8a8a8a"
FAMILY_COLOURS: Final = {
    "transfer": "#0072B2",
    "PeterRec": "#009E73",
    "IAK": "#CC79A7",
    "Bayes": "#D55E00",
    "MLET": "#E69F00",
    "combined": "#56B4E9",
    "refits": "#000000",
    "peers": "#7a5230",
    "counts": "#5a5a5a",
    "controls": GREY,
}


def new_figure(width: float, height: float) -> Figure:
    """Return a figure with a canvas; without pyplot, no display is looked for and none outlives its use."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def quiet(axes: Axes, grid: str = "y") -> None:
    """Take away what says nothing."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, length=3)
    if grid in ("x", "y", "both"):
        axes.grid(axis=grid, color="#e4e4e4", linewidth=0.6)  # type: ignore[arg-type]


def save(figure: Figure, directory: Path, name: str) -> list[str]:
    """Write the figure as PNG and SVG; the SVG is the same for the same figure."""
    import matplotlib

    files = [f"{name}.png", f"{name}.svg"]
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(directory / files[0])
        figure.savefig(directory / files[1], metadata={"Date": None})
    return files


def colour_of(arm: str) -> str:
    """Return the colour of an arm's family; black for the default, which stands apart."""
    return "#000000" if arm == DEFAULT else FAMILY_COLOURS.get(ARMS[arm].family, GREY)


def spread_apart(heights: Sequence[float], apart: float) -> list[float]:
    """Return heights in the same order, moved as little as need be so that none is closer than `apart` to the next."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    moved = list(heights)
    for _ in range(200):
        clash = False
        for below, above in pairwise(order):
            lack = apart - (moved[above] - moved[below])
            if lack > 1e-9 * max(apart, 1e-12):
                moved[below] -= lack / 2
                moved[above] += lack / 2
                clash = True
        if not clash:
            break
    return moved


def label_ends(axes: Axes, ends: Sequence[tuple[str, float, float, str]], size: float = 8) -> None:
    """Write (name, x, y, colour) beside the ends of lines, apart from each other, in the margin to the right."""
    if not ends:
        return
    low, high = axes.get_ylim()
    places = spread_apart([min(max(y, low), high) for _, _, y, _ in ends], (high - low) * 0.062 * size / 8)
    for (name, x, _, colour), y in zip(ends, places, strict=True):
        axes.annotate(
            name,
            (x, y),
            xytext=(4, 0),
            textcoords="offset points",
            color=colour,
            fontsize=size,
            va="center",
            annotation_clip=False,
        )


def place_labels(axes: Axes, points: Sequence[tuple[str, float, float, str]], size: float = 8) -> None:
    """Write (name, x, y, colour) near each point so that no name lies on another or on a point; a thin line leads back.

    The axes have to be laid out. Each name takes the first free place of a growing ring around its point.
    """
    scale = 72.0 / axes.figure.dpi
    centres = [axes.transData.transform((x, y)) * scale for _, x, y, _ in points]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in centres]
    edges = axes.get_window_extent()
    left, bottom, right, top = (edge * scale for edge in (edges.x0, edges.y0, edges.x1, edges.y1))
    for (name, *at, colour), (x, y) in sorted(zip(points, centres, strict=True), key=lambda each: -each[1][1]):
        width, height = 0.56 * size * len(name), 1.15 * size
        for radius in (9.0, 14.0, 20.0, 28.0, 38.0, 50.0, 64.0, 80.0, 100.0):
            turns = (math.pi * turn / 8 for turn in (0, 1, -1, 2, -2, 8, 7, -7, 6, -6, 3, -3, 5, -5, 4, -4))
            boxes = [
                _beside(x + radius * math.cos(turn), y + radius * math.sin(turn), x, width, height) for turn in turns
            ]
            free = [
                box
                for box in boxes
                if left <= box[0] and box[2] <= right and bottom <= box[1] and box[3] <= top and not _hits(box, taken)
            ]
            if free:
                break
        else:
            free = boxes[:1]
        box = free[0]
        taken.append(box)
        axes.annotate(
            name,
            (at[0], at[1]),
            xytext=(box[0] - x, box[1] - y),
            textcoords="offset points",
            fontsize=size,
            color=colour,
            ha="left",
            va="bottom",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 3},
        )


Box = tuple[float, float, float, float]


def _beside(x: float, y: float, point: float, width: float, height: float) -> Box:
    first = x if x >= point else x - width
    return first, y - height / 2, first + width, y + height / 2


def _hits(box: Box, others: Sequence[Box]) -> bool:
    return any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in others)
