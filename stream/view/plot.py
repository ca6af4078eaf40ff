"""The plot at the end of a run: recall beside the baselines, loss beside the running rate's, what the schema did."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stream.view.history import History, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_learning"]

_MODEL, _COUNTS, _POPULARITY, _LOSS = "#1a6fb5", "#d1751a", "#8a8a8a", "#8b3fa0"
_OFFERS, _FEATURES = "#3c8d5a", "#666666"
_EXPERTS = ("#1a6fb5", "#d1751a", "#3c8d5a", "#8b3fa0", "#c9a227", "#56b4e9", "#8a8a8a")
_WARM_UP, _VERSION = "#f2d06b", "#b8b8b8"


def plot_learning(history: History, path: Path, title: str = "", window_events: int = 1000) -> None:
    """Draw the course of a run as a PNG: recall, loss, live offers and features over the events trained.

    The running rate's loss beside the network's says what a loss is worth: it, too, jumps where many offers come or go,
    for a rate of one in ten costs more a pair than one of one in a hundred. The offers stand behind both for that.
    The weights of what is published tell how much the network matters. Thin lines are schema versions, shaded stretches
    frozen warm-ups; dates of event time stand above.

    Args:
        history: the course; with no point in it the panels stay empty.
        path: the file to write, in a directory that exists.
        title: what stands above it all.
        window_events: the window of the measures, for the caption.
    """
    # Figure without pyplot: no display is looked for, and no figure outlives this call.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 10), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    recall, loss, say, size = figure.subplots(4, 1, sharex=True, height_ratios=(5, 3, 2, 2))
    points = history.points
    for axes in (recall, loss, say, size):
        _mark(axes, history)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
        axes.set_axisbelow(True)

    _line(recall, points, lambda point: point.recall_at_5, "network", _MODEL, 2.0)
    _line(recall, points, lambda point: point.entity_attribute_counts, "entity_attribute_counts", _COUNTS, 1.4)
    _line(recall, points, lambda point: point.popularity, "popularity", _POPULARITY, 1.4)
    recall.set_ylabel(f"recall@5 over the last\n{window_events:,} events with labels")
    recall.set_ylim(bottom=0)
    _line(loss, points, lambda point: point.running_rate_loss, "running rate", _POPULARITY, 1.4)
    _line(loss, points, lambda point: point.loss, "network", _LOSS, 1.6)
    loss.set_ylabel("cross-entropy, nats a pair,\n" + f"over the last {window_events:,} events")
    _focus(loss, [value for point in points for value in (point.loss, point.running_rate_loss) if value is not None])
    _behind(loss, history)
    _weights(say, points)
    _steps(size, history, lambda point: point.labels_live, _OFFERS, 1.6)
    size.set_ylabel("live offers", color=_OFFERS)
    size.set_ylim(bottom=0)
    size.set_xlabel("events trained")
    size.xaxis.set_major_formatter(lambda value, position: f"{value:,.0f}")

    features = size.twinx()
    _steps(features, history, lambda point: point.features_live, _FEATURES, 1.2, "--")
    features.set_ylabel("live features (dashed)", color=_FEATURES)
    features.set_ylim(bottom=0)
    features.spines["top"].set_visible(False)
    _explain(recall, history)
    _dates(recall, points)
    if points:
        size.set_xlim(0, points[-1].events)
    if title:
        figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    figure.savefig(path)


def _weights(axes: Axes, points: Sequence[Point]) -> None:
    """Stack what say each expert has, those with the least at the bottom of the legend."""
    names = list(dict.fromkeys(name for point in points for name in point.weights))
    means = {name: sum(point.weights.get(name, 0.0) for point in points) / len(points) for name in names}
    names.sort(key=lambda name: -means[name])
    if names:
        rows = [[point.weights.get(name, 0.0) for point in points] for name in names]
        axes.stackplot([point.events for point in points], rows, labels=names, colors=_EXPERTS, alpha=0.85)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    axes.set_ylim(0, 1)
    axes.set_ylabel("weight in what\nis published")


def _line(
    axes: Axes,
    points: Sequence[Point],
    value: Callable[[Point], float | None],
    label: str,
    colour: str,
    width: float,
    style: str = "-",
) -> None:
    values = [value(point) for point in points]
    heights = [float("nan") if height is None else height for height in values]
    axes.plot([point.events for point in points], heights, style, label=label, color=colour, linewidth=width)


def _steps(
    axes: Axes, history: History, value: Callable[[Point], int], colour: str, width: float, style: str = "-"
) -> None:
    """Draw what only a schema version changes."""
    events, heights = _stairs(history, value)
    axes.plot(events, heights, style, color=colour, linewidth=width, drawstyle="steps-post")


def _stairs(history: History, value: Callable[[Point], int]) -> tuple[list[int], list[int]]:
    """Return events and heights of what moves at the version that lies between two points."""
    versions = [mark.events for mark in history.marks]
    events: list[int] = []
    heights: list[int] = []
    for point in history.points:
        if heights and value(point) != heights[-1]:
            between = bisect_left(versions, events[-1])
            events.append(versions[between] if between < len(versions) else point.events)
            heights.append(value(point))
        events.append(point.events)
        heights.append(value(point))
    return events, heights


def _behind(axes: Axes, history: History) -> None:
    """Fill the number of live offers behind the losses, on an axis of its own."""
    from matplotlib.patches import Patch

    offers = axes.twinx()
    axes.set_zorder(offers.get_zorder() + 1)
    axes.patch.set_visible(False)
    events, heights = _stairs(history, lambda point: point.labels_live)
    offers.fill_between(events, heights, step="post", color=_OFFERS, alpha=0.13, linewidth=0)
    offers.set_ylim(bottom=0)
    offers.set_ylabel("live offers (shaded)", color=_OFFERS)
    offers.spines["top"].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    handles.append(Patch(color=_OFFERS, alpha=0.2))
    axes.legend(handles, [*labels, "live offers"], loc="upper right", fontsize=9, ncols=3, framealpha=0.9)


def _mark(axes: Axes, history: History) -> None:
    for span in history.spans():
        axes.axvspan(span.start_events, span.end_events, color=_WARM_UP, alpha=0.45, linewidth=0, zorder=0)
    for mark in history.marks:
        axes.axvline(mark.events, color=_VERSION, linewidth=0.7, zorder=0.5)


def _focus(axes: Axes, losses: Sequence[float]) -> None:
    """Let the first predictions of an untrained network run out of the picture, if they would flatten the rest."""
    later = losses[len(losses) // 50 :]
    if later:
        axes.set_ylim(0, max(later) * 1.1 or 1.0)


def _explain(axes: Axes, history: History) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles, labels = axes.get_legend_handles_labels()
    spans, marks = history.spans(), history.marks
    frozen = sum(span.end_events - span.start_events for span in spans)
    handles += [Line2D([], [], color=_VERSION, linewidth=1), Patch(color=_WARM_UP, alpha=0.45)]
    labels += [f"schema version ({len(marks)})", f"frozen warm-up ({len(spans)}, {frozen:,} events)"]
    axes.legend(handles, labels, loc="lower right", fontsize=9, ncols=2, framealpha=0.9)


def _dates(axes: Axes, points: Sequence[Point]) -> None:
    """Write about eight dates of event time above the axes."""
    dated = [point for point in points if point.event_time_ms is not None]
    if len(dated) < 2:
        return
    first, last = dated[0].events, dated[-1].events
    ticks: list[Point] = []
    for step in range(9):
        wanted = first + (last - first) * step / 8
        ticks.append(min(dated, key=lambda point: abs(point.events - wanted)))
    above = axes.secondary_xaxis("top")
    above.set_xticks(
        [tick.events for tick in ticks],
        [datetime.fromtimestamp((tick.event_time_ms or 0) / 1000, UTC).strftime("%d %b %Y") for tick in ticks],
    )
    above.tick_params(length=3, labelsize=8, colors="#555555")
    above.spines["top"].set_visible(False)
