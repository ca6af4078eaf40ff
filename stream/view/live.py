"""The live view: rate, lag, loss and recall beside the baselines, redrawn in place while the learner runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stream.observe import Poll, Step
from stream.report import SchemaReport
from stream.view.history import History
from stream.view.lines import duration
from stream.view.sparkline import Values, bounds, sparkline
from stream.view.status import Status

__all__ = ["LiveView", "draw"]

_WIDEST, _BORDERS = 120, 4
_NAMES, _VALUES, _GAP = 25, 9, 2
"""Columns of a measure's name and of its value, and between two columns; its course has what is left."""
_PHASES = {"warm_up": ("warm-up", "bold yellow"), "train": ("training", "green"), "idle": ("idle", "dim")}


class LiveView(Status):
    """Redraws itself on `console` from the service's own calls; no thread of its own. Use it as a `with` block.

    Args:
        console: where to draw; it should be a terminal.
        refresh_seconds: redraws at most this often.
        expected_events: how many events there will be, if that is known.
    """

    def __init__(self, console: Console, refresh_seconds: float = 0.25, expected_events: int | None = None) -> None:
        super().__init__(expected_events)
        self._history = History()
        self._refresh_seconds = refresh_seconds
        self._drawn_seconds = float("-inf")
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def polled(self, poll: Poll) -> None:
        """Redraw if that is due."""
        super().polled(poll)
        if poll.at_monotonic_seconds - self._drawn_seconds >= self._refresh_seconds:
            self._drawn_seconds = poll.at_monotonic_seconds
            self._redraw()

    def trained(self, step: Step) -> None:
        """Add to the series."""
        super().trained(step)
        self._history.trained(step)

    def schema_changed(self, report: SchemaReport, seconds: float) -> None:
        """Redraw at once: what changed is what one watches for."""
        super().schema_changed(report, seconds)
        self._history.schema_changed(report, seconds)
        self._redraw()

    def stopped(self, summary: Mapping[str, Any]) -> None:
        """Draw the last state, which stays on the screen."""
        self._redraw()

    def _redraw(self) -> None:
        self._live.update(draw(self, self._history, self._live.console.width), refresh=True)


def draw(status: Status, history: History, width: int = 100) -> RenderableType:
    """Return the view of this state for a terminal of so many columns."""
    title = f"stream: {status.strategy} on {status.source}" if status.source else "stream: starting"
    parts: list[RenderableType] = []
    if status.done is not None:
        parts.append(_progress(status))
    width = min(width, _WIDEST)
    inside = width - _BORDERS
    parts += [_series(status, history, inside), Text(), _facts(status, inside), Text(), _changes(status)]
    return Panel(Group(*parts), title=title, title_align="left", border_style="cyan", width=width)


def _progress(status: Status) -> Table:
    done, left = status.done or 0.0, status.seconds_left
    row = Table.grid(expand=True, padding=(0, 1))
    row.add_column(ratio=1)
    row.add_column(justify="right", no_wrap=True)
    text = f"{status.events:,} of {status.expected_events:,} events, {done:.0%}"
    row.add_row(
        ProgressBar(total=1.0, completed=done), text + (f", about {duration(left)} left" if left is not None else "")
    )
    return row


def _series(status: Status, history: History, width: int) -> Table:
    """Return a row a measure: its name, its value now, and its course if that has room. Recalls share one scale."""
    width -= _NAMES + _VALUES + 2 * _GAP
    table = Table.grid(padding=(0, _GAP))
    table.add_column(style="bold", width=_NAMES, no_wrap=True)
    table.add_column(justify="right", width=_VALUES, no_wrap=True)
    if width > 0:
        table.add_column(no_wrap=True)

    def add(name: str, value: str, values: Values, style: str, scale: tuple[float, float] | None = None) -> None:
        named = Text(name, style if scale else "")
        table.add_row(named, value, *([Text(sparkline(values, width, scale), style)] if width > 0 else []))

    points = history.points
    losses = [point.loss for point in points]
    add("events/s", _number(status.rate, ",.0f"), status.rates, "cyan")
    add("lag", _number(status.lag, ",.0f"), status.lags, "cyan")
    add("loss (nats a pair)", _number(_last(losses), ".4f"), losses, "magenta")
    rates = [point.running_rate_loss for point in points]
    add("  running rate", _number(_last(rates), ".4f"), rates, "dim", bounds(losses, rates))
    recalls: dict[str, list[float | None]] = {
        "recall@5": [point.recall_at_5 for point in points],
        "  popularity": [point.popularity for point in points],
        "  entity_attribute_counts": [point.entity_attribute_counts for point in points],
    }
    scale = bounds(*recalls.values())
    for name, values in recalls.items():
        add(name, _number(_last(values), ".3f"), values, "green" if name == "recall@5" else "dim", scale)
    return table


def _facts(status: Status, width: int) -> Text:
    """Return schema, phase and counts, none of them broken over two lines, and what is wrong."""
    facts = [Text(f"schema {status.schema_version}")]
    report = status.report
    if report is not None:
        facts += [Text(f"{report.features_live} features"), Text(f"{report.labels_live} offers")]
        facts.append(Text.assemble("phase ", _PHASES.get(report.phase, (report.phase, ""))))
        if report.parameters_frozen:
            facts.append(Text(f"{report.parameters_frozen:,} of {report.parameters:,} parameters frozen"))
        facts.append(Text(f"warm-ups {report.warmups_total}"))
    if status.checkpoint is not None:
        facts.append(Text(f"checkpoint {status.checkpoint}"))
    if status.metrics_url is not None:
        facts.append(Text(f"metrics {status.metrics_url}"))
    lines = [facts[0]]
    for fact in facts[1:]:
        if len(lines[-1]) + 3 + len(fact) <= width:
            lines[-1].append("   ").append(fact)
        else:
            lines.append(fact)
    if status.dead_letters:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in status.dead_letters.most_common(3))
        lines.append(Text(f"dead letters: {reasons}", style="red"))
    if status.rejection:
        lines.append(Text(status.rejection, style="bold red"))
    return Text("\n").join(lines)


def _changes(status: Status) -> Table:
    table = Table.grid(padding=(0, _GAP), expand=True)
    table.add_column(justify="right", style="dim", width=_VALUES, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for events, text in reversed(status.changes):
        table.add_row(f"{events:,}", text)
    return table


def _last(values: Sequence[float | None]) -> float | None:
    return values[-1] if values else None


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
