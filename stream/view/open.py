"""The view that suits the terminal, or the one that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from stream.observe import Observer
from stream.view.settings import ViewSettings

__all__ = ["open_view"]


@contextmanager
def open_view(settings: ViewSettings, out: TextIO, expected_events: int | None = None) -> Iterator[Observer]:
    """Yield the observer that shows a run on `out`, and put the terminal back at the end of the block.

    Args:
        settings: which view, and how often it moves.
        out: where it goes, as a rule standard error.
        expected_events: how many events there will be, if that is known: then there is an end to estimate.
    """
    style = settings.style
    if style == "auto":
        style = "live" if out.isatty() else "logs"
    if style == "live":
        from rich.console import Console

        from stream.view.live import LiveView

        with LiveView(Console(file=out), settings.refresh_seconds, expected_events) as view:
            yield view
    elif style == "lines":
        from stream.view.lines import Lines

        yield Lines(out, settings.report_seconds, expected_events)
    elif style == "logs":
        from stream.view.logs import LogObserver, json_logs

        with json_logs(out, logging.DEBUG if settings.debug else logging.INFO):
            yield LogObserver(settings.report_seconds)
    else:
        yield Observer()
