"""How each strategy fared against the default, block by block of the user's stream."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from stream.bench.adaptation.arms import DEFAULT
from stream.bench.adaptation.plots.style import COLOURS, label_ends, new_figure, quiet, save
from stream.bench.own.rows import Row

__all__ = ["draw_blocks"]


def draw_blocks(rows: Sequence[Row], ends: Sequence[int], changes: Sequence[int], directory: Path) -> list[str]:
    """Draw the loss gained or lost so far, as a share of the default's; nothing if nothing differs.

    `ends` are the events at which blocks end, `changes` those before which the schema changed.
    """
    shown = [row for row in rows if row.by_block]
    if not shown:
        return []
    figure = new_figure(8.6, 4.4)
    axes = figure.subplots()
    quiet(axes)
    for change in changes:
        axes.axvline(change, color="#d9d9d9", linewidth=0.8, zorder=0)
    axes.axhline(0, color="#444444", linewidth=1)
    labels = []
    for number, row in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        so_far = [100 * total / len(row.by_block) for total in accumulate(row.by_block.values())]
        axes.plot(ends, so_far, "o-", color=colour, markersize=3, linewidth=1.3)
        labels.append((row.arm.name, float(ends[-1]), so_far[-1], colour))
    label_ends(axes, labels)
    axes.set_xlabel("events (grey: schema changes)", fontsize=9)
    axes.set_ylabel(f"loss against {DEFAULT} so far, % of the whole", fontsize=9)
    figure.suptitle("Below 0 is better than the default", fontsize=11, x=0.02, ha="left")
    return save(figure, directory, "against-default")
