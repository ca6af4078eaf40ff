"""The loss around a schema change, a panel for each family of arms, the default in all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.bench.adaptation.arms import DEFAULT, ORACLE
from stream.bench.adaptation.measures import window_of
from stream.bench.adaptation.plots.style import COLOURS, GREY, label_ends, new_figure, quiet, save
from stream.bench.adaptation.results import Results
from stream.bench.adaptation.windows import sites, trailing

__all__ = ["draw_around"]

_PANELS: Final[Mapping[str, tuple[str, ...]]] = {
    "transfer": ("carry-unfrozen", "replace", "replace-unfrozen", "scratch", "never"),
    "frozen backbones": ("tune-head", "peterrec-serial", "peterrec-parallel", "iak", "iak-deterministic"),
    "Bayes and MLET": ("bayes-output", "bayes-network", "glmix", "carry+mlet"),
    "refits and peers": ("retrain-1k", "retrain-5k", ORACLE, "deep-river", "river-logistic"),
}
_COURSES: Final = ("both_layers", "inputs_replaced_50", "offers_added", "drift_and_change")
_AFTER_WINDOWS: Final = 6


def draw_around(results: Results, directory: Path) -> list[str]:
    """Draw the streams with one change whose loss around it tells most; nothing if none was run."""
    files = []
    for course in results.courses:
        name = course.removeprefix("synthetic:").partition("@")[0]
        if name in _COURSES and results.has(course, DEFAULT):
            files += _draw(results, course, directory, f"around-{name}")
    return files


def _draw(results: Results, course: str, directory: Path, name: str) -> list[str]:
    curves = {arm: curve for arm in results.arms(course) if (curve := _curve(results, course, arm)) is not None}
    panels = {title: [arm for arm in arms if arm in curves] for title, arms in _PANELS.items()}
    panels = {title: arms for title, arms in panels.items() if arms}
    if DEFAULT not in curves or not panels:
        return []
    figure = new_figure(4.3 * min(len(panels), 2), 3.1 * math.ceil(len(panels) / 2))
    grid = figure.subplots(math.ceil(len(panels) / 2), min(len(panels), 2), sharex=True, sharey=True, squeeze=False)
    axes = list(grid.flat)
    tops = []
    for each, (title, arms) in zip(axes, panels.items(), strict=False):
        quiet(each)
        each.axvline(0, color="#b8b8b8", linewidth=1)
        each.set_title(title, fontsize=9, loc="left")
        for number, arm in enumerate([*arms, DEFAULT]):
            x, y = curves[arm]
            colour = GREY if arm == DEFAULT else COLOURS[number]
            each.plot(x, y, color=colour, linewidth=2.2 if arm == DEFAULT else 1.4, zorder=1 if arm == DEFAULT else 2)
            tops.append(float(np.quantile(y, 0.98)))
    low = min(float(y.min()) for _, y in curves.values())
    # One arm that goes far astray must not flatten all others.
    high = min(max(tops), 4 * sorted(tops)[len(tops) // 2] - 3 * low)
    for each, (_, arms) in zip(axes, panels.items(), strict=False):
        each.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        ends = [
            (arm, float(curves[arm][0][-1]), float(curves[arm][1][-1]), GREY if arm == DEFAULT else COLOURS[number])
            for number, arm in enumerate([*arms, DEFAULT])
        ]
        label_ends(each, ends)
    for each in axes[len(panels) :]:
        each.set_visible(False)
    above = "above the truth's, " if _has_truth(results, course) else ""
    figure.supylabel(f"loss {above}nats a pair", fontsize=9)
    figure.supxlabel("events after the change (end of the window)", fontsize=9)
    figure.suptitle(
        f"{course.removeprefix('synthetic:')}: loss around the change, mean over seeds", fontsize=11, x=0.02, ha="left"
    )
    return save(figure, directory, name)


def _has_truth(results: Results, course: str) -> bool:
    seeds = results.runs(course, DEFAULT)
    facts = results.facts(course, min(seeds)) if seeds else None
    return facts is not None and facts.truth is not None


def _curve(results: Results, course: str, arm: str) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Return the windowed loss, less the truth's if it is known, around the first site, averaged over seeds."""
    curves = []
    step = window = 1
    for seed in results.runs(course, arm):
        trace, facts = results.trace(course, arm, seed), results.facts(course, seed)
        if trace is None or facts is None:
            continue
        window = window_of(len(facts.decile))
        facts = facts.beginning(len(trace))
        found = sites(facts.changes, len(trace), window)
        if not found:
            continue
        above = trace.bce_sum if facts.truth is None else trace.bce_sum - facts.truth
        first, end = max(found[0].first - 2 * window, 0), found[0].last + _AFTER_WINDOWS * window
        means = trailing(above[first:end], trace.bce_pairs[first:end], window)
        step = max(1, window // 20)
        curves.append((first + window - found[0].first, means[::step]))
    if not curves:
        return None
    length = min(len(curve) for _, curve in curves)
    mean = np.mean([curve[:length] for _, curve in curves], axis=0)
    return curves[0][0] + step * np.arange(length), mean
