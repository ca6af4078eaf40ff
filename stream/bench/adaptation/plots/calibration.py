"""Reliability: of the pairs that were given a probability, how many were taken."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from stream.bench.adaptation.arms import DEFAULT
from stream.bench.adaptation.plots.style import COLOURS, GREY, new_figure, quiet, save
from stream.bench.adaptation.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_reliability"]

_ARMS: Final = (DEFAULT, "replace", "bayes-output", "peterrec-serial", "iak", "carry+mlet")
_COURSES: Final = ("demo", "movielens", "both_layers")


def draw_reliability(results: Results, directory: Path) -> list[str]:
    """Draw observed over predicted rate, on logarithmic axes, for up to three streams; first the longest of each."""
    courses = []
    for name in _COURSES:
        courses += [
            course
            for course in results.courses
            if course.removeprefix("synthetic:").partition("@")[0] == name and results.has(course, DEFAULT)
        ][:1]
    if not courses:
        return []
    figure = new_figure(max(3.6 * len(courses) + 0.4, 5.2), 4.1)
    for number, course in enumerate(courses, 1):
        axes = figure.add_subplot(1, len(courses), number)
        quiet(axes, "both")
        ends = [1.0, 0.0]
        for index, arm in enumerate(arm for arm in _ARMS if results.has(course, arm)):
            runs = list(results.runs(course, arm).values())
            groups = runs[0].reliability  # one seed: its groups are of equal size, another's lie elsewhere
            x = np.array([predicted for predicted, observed, _ in groups if observed > 0])
            y = np.array([observed for _, observed, _ in groups if observed > 0])
            error = results.mean(course, arm, "calibration_error")
            label = f"{arm} ({error:.4f})"
            axes.plot(x, y, "o-", color=COLOURS[index], markersize=3, linewidth=1.2, label=label)
            ends = [min(ends[0], float(x.min()), float(y.min())), max(ends[1], float(x.max()), float(y.max()))]
        axes.plot(ends, ends, color=GREY, linewidth=1, zorder=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        _tick(axes, math.log10(ends[1] / ends[0]) if 0 < ends[0] < ends[1] else 1.0)
        axes.set_title(course.removeprefix("synthetic:"), fontsize=9, loc="left")
        axes.legend(fontsize=7, frameon=False, loc="upper left", title="calibration error", title_fontsize=7)
        axes.set_xlabel("predicted", fontsize=9)
        if number == 1:
            axes.set_ylabel("observed", fontsize=9)
    figure.suptitle("Reliability: on the grey line is right", fontsize=11, x=0.02, ha="left")
    return save(figure, directory, "reliability")


def _tick(axes: Axes, decades: float) -> None:
    """Name rates on logarithmic axes: powers of ten, and what lies between if there are few of them."""
    from matplotlib.ticker import LogLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0)))
        axis.set_major_formatter(lambda value, position: f"{value:g}")
        axis.set_minor_formatter(NullFormatter())
