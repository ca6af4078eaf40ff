"""How many events after a change the loss is back, an arm a bar, for the streams with changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stream.bench.adaptation.arms import ARMS, MAIN
from stream.bench.adaptation.plots.style import colour_of, new_figure, quiet, save
from stream.bench.adaptation.results import Results

__all__ = ["draw_recovery"]

_COURSES: Final = (
    *("numeric_added", "inputs_replaced_10", "inputs_replaced_50", "offers_added", "offers_removed", "both_layers"),
    *("drift_and_change", "ten_changes", "demo"),
)
_MOST_PANELS: Final = 6


def draw_recovery(results: Results, directory: Path) -> list[str]:
    """Draw up to six streams side by side; a hollow bar is of runs that mostly were not back before the end."""
    courses = []
    for name in _COURSES:
        courses += [
            course
            for course in results.courses
            if course.removeprefix("synthetic:").partition("@")[0] == name
            and any(results.interval(course, arm, "recovery_events") for arm in results.arms(course) if arm in MAIN)
        ][:1]
    courses = courses[:_MOST_PANELS]
    if not courses:
        return []
    arms = [arm for arm in MAIN if any(results.runs(course, arm) for course in courses)]
    figure = new_figure(2.0 + 1.75 * len(courses), 1.3 + 0.24 * len(arms))
    panels = figure.subplots(1, len(courses), sharey=True, squeeze=False)[0]
    for axes, course in zip(panels, courses, strict=True):
        quiet(axes, "x")
        for row, arm in enumerate(arms):
            found = results.interval(course, arm, "recovery_events")
            if found is None:
                continue
            back = results.mean(course, arm, "recovered") >= 0.5
            colour = colour_of(arm)
            axes.barh(row, found.mean, 0.68, color=colour if back else "none", edgecolor=colour, linewidth=1.2)
            if found.half_width is not None:
                axes.errorbar(found.mean, row, xerr=found.half_width, color="#555555", linewidth=0.8, capsize=1.5)
        axes.set_title(course.removeprefix("synthetic:").partition("@")[0].replace("_", " "), fontsize=8.5)
        longest = max(
            (found.mean for arm in arms if (found := results.interval(course, arm, "recovery_events"))), default=0
        )
        axes.set_xlim(
            0, longest * 1.45 or 1.0
        )  # an interval may run out of the picture; the bars may not be lost in it
        axes.set_yticks(range(len(arms)), [ARMS[arm].name for arm in arms], fontsize=8)
    panels[0].invert_yaxis()
    figure.supxlabel("events until the loss is back (hollow: mostly not before the next change or the end)", fontsize=9)
    figure.suptitle("Recovery after a change, mean and 95 % interval", fontsize=11, x=0.02, ha="left")
    return save(figure, directory, "recovery")
