"""How long an event takes from its arrival until it is trained, while they come slower than can be trained."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream.bench.speed.service import embedded_log
from stream.bench.speed.workload import Workload
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.observe import Observer, Poll, Step
from stream.service import endpoints
from stream.service.start import open_service
from stream.settings.root import Settings

__all__ = ["Latency", "measure", "pace", "table"]

_EVERY_SECONDS = 0.005
_IDLE_SECONDS = 5.0
_FIRST_SECONDS = 2.0
"""At the start loops are loaded and nothing is known yet: left out."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from an event's being sent to its being trained; rates in events a second."""

    workload: str
    most_rate: float
    rate: float
    events: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float
    checkpoints: int


class _Ages(Observer):
    """Keeps how old each event was when it was trained, and since when events were trained."""

    def __init__(self, go: Path | None = None) -> None:
        self._go = go
        self.ages: list[float] = []
        self.at: list[float] = []
        self.checkpoints = 0

    def polled(self, poll: Poll) -> None:
        if self._go is not None:
            self._go.touch()
            self._go = None

    def trained(self, step: Step) -> None:
        self.ages += step.event_to_trained_seconds
        self.at += [time.monotonic()] * len(step.event_to_trained_seconds)

    def checkpointed(self, number: int, seconds: float, size_bytes: int, stood_seconds: float = 0.0) -> None:
        self.checkpoints += 1


def measure(workload: Workload, place: Path, seconds: float, load: float, say: Callable[[str], None]) -> Latency:
    """Measure a workload on an embedded log: what rate can be trained, then so much of it for so many seconds."""
    settings = dataclasses.replace(workload.settings, batch_age_seconds=Settings().batch_age_seconds)
    lines = workload.lines()
    full = place / "full"
    embedded_log(workload, lines, full)
    watched = _Ages()
    _serve(settings, full, place / "full-checkpoints", watched)
    late = [at for at in watched.at if at > watched.at[0]]  # the first batch waits for what is loaded at its sight
    if not late:
        raise ConfigurationError(f"{len(lines)} events are one batch, which shows no rate; give more --events.")
    most_rate = len(late) / (late[-1] - watched.at[0])
    rate = load * most_rate
    say(f"{workload.name}: {most_rate:,.0f} events/s can be trained; sending {rate:,.0f}/s for {seconds:g} s")
    paced = place / "paced"
    embedded_log(workload, [], paced)
    watched = _Ages(go := place / "go")
    told = str(paced), settings.topics.interactions, str(workload.interactions), str(rate), str(seconds), str(go)
    script = "import sys; from stream.bench.latency import pace; pace(*sys.argv[1:])"
    with subprocess.Popen([sys.executable, "-c", script, *told], stdout=subprocess.PIPE) as sender:
        assert sender.stdout is not None
        sender.stdout.readline()  # it has loaded what it needs
        _serve(settings, paced, place / "paced-checkpoints", watched, idle_seconds=_IDLE_SECONDS)
    start = watched.at[0] + _FIRST_SECONDS
    ages = 1000 * np.array([age for age, at in zip(watched.ages, watched.at, strict=True) if at > start])
    p50, p95, p99 = np.percentile(ages, [50, 95, 99])
    return Latency(workload.name, most_rate, rate, len(ages), p50, p95, p99, float(ages.max()), watched.checkpoints)


def pace(directory: str, topic: str, file: str, rate: str, seconds: str, go: str) -> None:
    """Send the events of a file at a rate, each with the moment of its being sent as its `ts`; over and over."""
    lines = [json.loads(line) for line in Path(file).read_bytes().splitlines()]
    writer = EmbeddedWriter(EmbeddedTopic(Path(directory), topic))
    print("ready", flush=True)
    while not Path(go).exists():
        time.sleep(_EVERY_SECONDS)
    started, sent = time.monotonic(), 0
    while (passed := time.monotonic() - started) < float(seconds):
        due = int(passed * float(rate))
        for number in range(sent, due):
            event = {**lines[number % len(lines)], "id": f"p{number}", "ts": round(time.time() * 1000)}
            event.pop("schema_version", None)
            writer.send(None, json.dumps(event).encode())
        writer.flush()
        sent = due
        time.sleep(_EVERY_SECONDS)


def table(found: Sequence[Latency]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| workload | trainable, events/s | sent, events/s | p50, ms | p95, ms | p99, ms | most, ms | checkpoints |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.workload} | {one.most_rate:,.0f} | {one.rate:,.0f} | {one.p50_ms:.0f} | {one.p95_ms:.0f} "
        f"| {one.p99_ms:.0f} | {one.most_ms:.0f} | {one.checkpoints} |"
        for one in found
    ]
    return "\n".join(lines)


def _serve(settings: Settings, log: Path, checkpoints: Path, observer: Observer, idle_seconds: float = 0.5) -> None:
    own = dataclasses.replace(
        settings,
        idle_seconds=idle_seconds,
        log=dataclasses.replace(settings.log, directory=str(log)),
        checkpoint=dataclasses.replace(settings.checkpoint, directory=str(checkpoints)),
    )
    with endpoints.live(own) as opened:
        open_service(opened, own, lambda tree: LearnerCore(own), observer, stop_at_end=True).run()
