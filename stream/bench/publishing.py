"""What publishing costs training, how large a delta is beside a full version, and how long it takes to apply one."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream.bench.speed.workload import Workload, workloads
from stream.learner.core import LearnerCore
from stream.observe import Observer
from stream.publish.follow import Follower, follow
from stream.publish.of_learner import publisher_of
from stream.publish.publisher import Publisher
from stream.publish.settings import PublishSettings
from stream.records.interaction import Interaction, decode_interaction
from stream.schema import parse_version
from stream.scoring.of_learner import snapshot_of

__all__ = ["Published", "measure", "table"]

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Published:
    """What was measured on one stream; times in CPU milliseconds if nothing else is said."""

    stream: str
    events_per_second: float
    full_bytes: float
    """Of the model at the end."""
    delta_bytes: float
    deltas: int
    fulls: int
    refused: int
    learner_ms: float
    """Of the learner's thread, for each publication: the copy of what changed."""
    share: float
    """CPU seconds of publishing, on all threads, in a second of the clock."""
    served_p50_seconds: float
    served_most_seconds: float
    """From the copy to being served, by the clock."""
    look_ms: float
    take_ms: float
    """Reading and verifying a delta; putting it in place."""
    start_ms: float
    """From nothing to the served version: the full one, and deltas that lead on from it."""


@dataclass
class _Told(Observer):
    cpu_seconds: float = 0.0
    refused: int = 0
    bytes_by_kind: dict[str, list[int]] = field(default_factory=lambda: {"full": [], "delta": []})
    seconds: list[float] = field(default_factory=list)

    def version_published(self, kind: str, version: int, schema_version: int, size_bytes: int, seconds: float) -> None:
        """Keep its size, and of a delta how long it took."""
        self.bytes_by_kind[kind].append(size_bytes)
        if kind == "delta":
            self.seconds.append(seconds)

    def version_refused(self, version: int, sentence: str) -> None:
        """Count it."""
        self.refused += 1

    def publishing_cost(self, cpu_seconds: float) -> None:
        """Add it."""
        self.cpu_seconds += cpu_seconds


def measure(
    place: Path, names: tuple[str, ...], seconds: float, events_per_second: float, say: Callable[[str], None]
) -> list[Published]:
    """Train on each stream for so long, with a publisher and a follower beside it, and return what it took."""
    found = list[Published]()
    for workload in workloads(place, names, round(seconds * events_per_second)):
        say(f"{workload.name} ...")
        found.append(_Run(place / f"versions-{len(found)}", workload, events_per_second).measured())
    return found


class _Run:
    """One learner that is fed at a pace, its publisher, and who follows it: all on one thread but the files."""

    def __init__(self, directory: Path, workload: Workload, events_per_second: float) -> None:
        self.workload, self.pace = workload, events_per_second
        self.directory = directory
        chosen = PublishSettings(directory=str(directory), full_seconds=20.0)
        settings = dataclasses.replace(workload.settings, publish=chosen)
        self.learner, self.told = LearnerCore(settings), _Told()
        made = publisher_of(settings, self.learner, self.told)
        assert made is not None
        self.publisher: Publisher = made
        self.publisher.take_over(lambda: None, anything=False)
        self.follower = Follower(directory)
        self.tend_seconds = 0.0
        self.looks: list[float] = []
        self.takes: list[float] = []

    def measured(self) -> Published:
        versions = [parse_version(line) for line in self.workload.schema.read_bytes().splitlines()]
        batch: list[tuple[bytes, Interaction]] = []
        started = time.monotonic()
        for number, line in enumerate(self.workload.lines()):
            event = decode_interaction(line)
            while versions and versions[0].ts <= event.ts:
                self._train(batch)
                self.learner.apply(versions.pop(0))
                self.publisher.schema_applied()
            batch.append((line, event))
            if len(batch) == _BATCH:
                self._wait_until(started + number / self.pace)
                self._train(batch)
        self._train(batch)
        self.publisher.finish()
        passed = time.monotonic() - started
        start = self._cpu(lambda: follow(self.directory))
        told = self.told
        publications = max(1, len(told.bytes_by_kind["delta"]) + len(told.bytes_by_kind["full"]) + told.refused)
        return Published(
            stream=self.workload.name,
            events_per_second=self.pace,
            full_bytes=snapshot_of(self.learner).size_bytes,
            delta_bytes=_middle(told.bytes_by_kind["delta"]),
            deltas=len(told.bytes_by_kind["delta"]),
            fulls=len(told.bytes_by_kind["full"]),
            refused=told.refused,
            learner_ms=1e3 * self.tend_seconds / publications,
            share=told.cpu_seconds / passed,
            served_p50_seconds=_middle(told.seconds),
            served_most_seconds=max(told.seconds, default=0.0),
            look_ms=1e3 * _middle(self.looks),
            take_ms=1e3 * _middle(self.takes),
            start_ms=1e3 * start,
        )

    def _wait_until(self, due: float) -> None:
        while time.monotonic() < due:
            self._tend()
            self._follow()
            time.sleep(0.01)

    def _train(self, batch: list[tuple[bytes, Interaction]]) -> None:
        if not batch:
            return
        report = self.learner.learn(self.learner.encode([event for _, event in batch]))
        self.publisher.keep((None, line) for line, _ in batch)
        self.publisher.trained(report.window.bce)
        batch.clear()
        self._tend()

    def _tend(self) -> None:
        self.tend_seconds += self._cpu(self.publisher.tend)

    def _follow(self) -> None:
        began = time.thread_time()
        update = self.follower.look()
        if update is None:
            return
        self.looks.append(time.thread_time() - began)
        self.takes.append(self._cpu(lambda: self.follower.take(update)))

    @staticmethod
    def _cpu(call: Callable[[], object]) -> float:
        began = time.thread_time()
        call()
        return time.thread_time() - began


def table(found: Sequence[Published]) -> str:
    """Return the figures as Markdown tables."""
    columns = "stream|events/s|full, MB|delta, MB|delta : full|look, ms|take, ms|a start, ms"
    costs = "stream|deltas|full|refused|copy, ms|share of time|served after p50, s|most, s"
    lines = [_row(columns.split("|")), _rule(8)]
    lines += [
        _row(
            [
                *(p.stream, f"{p.events_per_second:,.0f}", f"{p.full_bytes / 1e6:.2f}", f"{p.delta_bytes / 1e6:.2f}"),
                *(f"{p.delta_bytes / p.full_bytes:.1%}" if p.full_bytes else "-", f"{p.look_ms:.1f}"),
                *(f"{p.take_ms:.1f}", f"{p.start_ms:.0f}"),
            ]
        )
        for p in found
    ]
    lines += ["", _row(costs.split("|")), _rule(8)]
    lines += [
        _row(
            [
                *(p.stream, f"{p.deltas}", f"{p.fulls}", f"{p.refused}", f"{p.learner_ms:.1f}", f"{p.share:.1%}"),
                *(f"{p.served_p50_seconds:.2f}", f"{p.served_most_seconds:.2f}"),
            ]
        )
        for p in found
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return f"|{'---|' * columns}"


def _middle(values: Sequence[float]) -> float:
    return float(statistics.median(values)) if values else 0.0
