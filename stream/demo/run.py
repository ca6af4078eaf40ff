"""The demo from the data to the plot: who is started in which order, and who is stopped at the end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from stream.data import journey
from stream.demo.answers import ask_a_scorer, last_questions
from stream.demo.place import open_place
from stream.demo.producer import Producer, producing
from stream.errors import LogError
from stream.installed.extras import require
from stream.log.protocol import InteractionSource
from stream.metrics.serve import serve_metrics
from stream.observe import CompositeObserver
from stream.service import endpoints
from stream.service.serve import Outputs, require_accepted, serve
from stream.settings.root import Settings
from stream.view.history import History
from stream.view.open import open_view
from stream.view.plot import plot_learning
from stream.view.reliability import plot_reliability
from stream.view.summary import summary_table

__all__ = ["Demo", "run_demo"]

_FIRST_RECORD_SECONDS = 60.0


@dataclass(frozen=True)
class Demo:
    """What to run.

    Attributes:
        out: the directory of results; checkpoints and embedded log of an earlier demo in it are removed.
        data: the directory in which the prepared data is kept.
        events: so many of the first events; None for all.
        broker: one of `stream.demo.place.BROKERS`.
        bootstrap_servers: a Kafka that runs already; None for one of our own.
    """

    out: Path
    data: Path
    events: int | None = None
    broker: str = "auto"
    bootstrap_servers: str | None = None


def run_demo(demo: Demo, settings_with: Callable[..., Settings], out: TextIO) -> int:
    """Run it, telling on `out`; returns 0 once every event has been learned from, 1 if it was ended early.

    Args:
        demo: what to run.
        settings_with: returns the settings for texts KEY=VALUE that are the demo's own defaults.
        out: where view and sentences go.
    """
    for package in ("matplotlib", "starlette", "uvicorn", "httptools"):
        require("demo", package, "stream demo")
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f} s] {text}", file=out, flush=True)

    checkpoints = demo.out / "checkpoints"
    demo.out.mkdir(parents=True, exist_ok=True)
    versions = demo.out / "versions"
    for earlier in (checkpoints, versions):
        shutil.rmtree(earlier, ignore_errors=True)
    say("Preparing the data: The Complete Journey (published by 84.51; simulated, its package says).")
    data = journey.write(demo.data / ("all" if demo.events is None else str(demo.events)), demo.events)
    say(f"{data.events:,} events, {data.events_with_labels:,} with labels; {data.offers:,} offers come and go.")
    with open_place(demo.broker, demo.bootstrap_servers, demo.out / "log", say) as place:
        settings = settings_with(
            "evaluation.attribute=category",
            "evaluation.finite=true",
            f"checkpoint.directory={checkpoints}",
            f"publish.directory={versions}",
            "metrics.port=0",
            # Small helpings: partitions are read side by side, and the lag is what the learner has not learned yet.
            "kafka.options.max_partition_fetch_bytes=262144",
            "held.partition_events=1000",
            f"view.style={'live' if out.isatty() else 'lines'}",
            *place.assignments,
        )
        say(f"The learner reads {place.name} while a producer process writes to it.")
        history = History()
        with (
            producing(data.interactions, data.schema, demo.out / "producer.log", place.assignments) as producer,
            serve_metrics(settings.metrics) as served,
            endpoints.live(settings) as opened,
        ):
            _await_first(opened.source, producer)
            if served.url is not None:
                say(f"Metrics meanwhile: {served.url}/metrics")
            with open_view(settings.view, out, data.events) as view:
                observer = CompositeObserver([served.observer, history, view])
                summary = serve(opened, settings, Outputs(demo.out / "summary.json"), observer, stop_at_end=True)
            producer.check()
    _conclude(demo, settings, history, summary, out)
    require_accepted(summary)
    ask_a_scorer(Path(settings.publish.directory), last_questions(data.interactions), summary["events_trained"], say)
    say("Done.")
    if summary["events_read"] < data.events:
        say(f"It was ended early: {summary['events_read']:,} of {data.events:,} events.")
        return 1
    return 0


def _await_first(source: InteractionSource, producer: Producer) -> None:
    """Wait for a first record: a learner that is to stop at the end would take an empty log for one."""
    deadline = time.monotonic() + _FIRST_RECORD_SECONDS
    while not any(source.end_offsets().values()):
        producer.check()
        if time.monotonic() > deadline:
            raise LogError(f"The producer wrote nothing within {_FIRST_RECORD_SECONDS:.0f} s.")
        time.sleep(0.05)


def _conclude(demo: Demo, settings: Settings, history: History, summary: Mapping[str, Any], out: TextIO) -> None:
    plot = demo.out / "learning.png"
    plot_learning(history, plot, _title(summary), settings.evaluation.window_events)
    reliability = demo.out / "reliability.png"
    plot_reliability(summary["model"]["reliability"], reliability, _calibration(summary))
    Console(file=out, width=None if out.isatty() else 100).print(summary_table(summary))
    print(f"{demo.out / 'summary.json'}, {plot} and {reliability} hold this and its course.", file=out, flush=True)


def _title(summary: Mapping[str, Any]) -> str:
    recalls = [("network", summary["model"]), *summary["baselines"].items()]
    known = [f"{name} {row['recall_at_5']:.3f}" for name, row in recalls if row["recall_at_5"] is not None]
    return (
        f"The Complete Journey from {summary['source']}: strategy {summary['strategy']}, seed {summary['seed']}, "
        f"{summary['events_trained']:,} events\nrecall@5 without the first fifth: {', '.join(known)}"
    )


def _calibration(summary: Mapping[str, Any]) -> str:
    error = summary["model"]["expected_calibration_error"]
    off = "" if error is None else f"\nexpected calibration error {error:.4f} over all pairs"
    return f"Predicted before it was trained on, and taken: strategy {summary['strategy']}{off}"
