"""The plot of calibration: how often what was predicted at some probability was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["plot_reliability", "wilson_interval"]

_MODEL, _IDEAL = "#1a6fb5", "#8a8a8a"
_CONFIDENT = 1.96


def plot_reliability(groups: Sequence[Mapping[str, Any]], path: Path, title: str = "") -> None:
    """Draw the observed rate over the mean predicted probability of each group as a PNG, both axes logarithmic.

    On the diagonal predictions are calibrated. The bars are Wilson's 95 % intervals (1927) as if pairs were
    independent; those of one event are not, so they are rather too short. A group of which nothing was taken has a bar
    alone.

    Args:
        groups: `predicted`, `observed` and `pairs` of each, as in the summary; without any the axes stay empty.
        path: the file to write, in a directory that exists.
        title: what stands above it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log", xlabel="mean predicted probability", ylabel="observed rate")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    predicted, observed, pairs = (np.array([group[name] for group in groups], dtype=float) for name in _COLUMNS)
    if len(groups):
        low, high = wilson_interval(observed, pairs)
        lowest = min(predicted.min(), observed[observed > 0].min(initial=1.0))
        reach = np.array([0.5 * lowest, 1.5 * max(predicted.max(), high.max())])
        axes.plot(reach, reach, "--", color=_IDEAL, linewidth=1.2, label="calibrated")
        axes.vlines(predicted, np.maximum(low, reach[0]), high, color=_MODEL, linewidth=1.4, alpha=0.6)
        some = observed > 0
        axes.plot(predicted[some], observed[some], "o-", color=_MODEL, markersize=5, linewidth=1.0, label="network")
        axes.set(xlim=reach, ylim=reach)
        axes.set_aspect("equal")
        axes.legend(loc="upper left", fontsize=9)
        axes.set_xlabel(
            f"mean predicted probability ({len(groups)} groups of {pairs.min():,.0f} to {pairs.max():,.0f} pairs)"
        )
    if title:
        figure.suptitle(title, fontsize=10, x=0.02, ha="left")
    figure.savefig(path)


_COLUMNS = ("predicted", "observed", "pairs")


def wilson_interval(rate: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of the 95 % interval for a rate observed over so many trials."""
    square = _CONFIDENT**2
    middle = (rate + square / (2 * size)) / (1 + square / size)
    half = _CONFIDENT * np.sqrt(rate * (1 - rate) / size + square / (4 * size**2)) / (1 + square / size)
    return middle - half, middle + half
