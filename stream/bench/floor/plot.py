"""The mixture's weights over a stream: how much the network matters there, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stream.bench.adaptation.plots.style import COLOURS, new_figure, quiet, save
from stream.bench.floor.passes import Pass

__all__ = ["draw_weights"]

_NAMES = {
    "rate": "running rate",
    "recent_rate": "recent rate",
    "offer_rate": "offer's rate",
    "recent_offer_rate": "offer's recent rate",
    "key_counts": "key's counts",
    "network_alone": "network without pair part",
    "network": "network",
}


def draw_weights(passes: Sequence[Pass], directory: Path) -> list[str]:
    """Draw the experts' weights of passes that kept their course, a panel each; nothing if none did."""
    shown = [each for each in passes if each.course]
    if not shown:
        return []
    figure = new_figure(8.6, 2.5 * len(shown) + 0.7)
    panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, each in zip(panels, shown, strict=True):
        quiet(axes)
        names = [name for name in _NAMES if name in each.course]
        axes.stackplot(
            each.course["events"],
            np.array([each.course[name] for name in names]),
            labels=[_NAMES[name] for name in names],
            colors=[COLOURS[(place + 1) % len(COLOURS)] for place in range(len(names) - 1)] + [COLOURS[0]],
            linewidth=0,
        )
        axes.set_xscale("log")
        axes.set_xlim(each.course["events"][0], each.course["events"][-1])
        axes.set_ylim(0, 1)
        axes.set_title(each.stream, fontsize=9, loc="left")
        axes.set_ylabel("weight", fontsize=8)
    panels[-1].set_xlabel("events", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper", fontsize=8, frameon=False)
    return save(figure, directory, "weights")
