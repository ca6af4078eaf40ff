"""A publisher of a made-up model with clocks that a test sets, and whose jobs a test waits for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stream.observe import Observer
from stream.publish.gate import Scores
from stream.publish.publisher import Publisher
from stream.publish.retention import Retention
from stream.publish.settings import PublishSettings
from stream.publish.store import VersionStore
from tests.publish.made_models import MadeModel

__all__ = ["Heard", "Publishing"]


class Heard(Observer):
    """What a publisher told."""

    def __init__(self) -> None:
        self.published: list[tuple[str, int]] = []
        self.refused: list[str] = []
        self.states: list[str] = []
        self.failures: list[str] = []
        self.cpu_seconds = 0.0

    def version_published(self, kind: str, version: int, schema_version: int, size_bytes: int, seconds: float) -> None:
        self.published.append((kind, version))

    def version_refused(self, version: int, sentence: str) -> None:
        self.refused.append(sentence)

    def publishing(self, state: str, sentence: str) -> None:
        self.states.append(state)

    def publishing_failed(self, sentence: str) -> None:
        self.failures.append(sentence)

    def publishing_cost(self, cpu_seconds: float) -> None:
        self.cpu_seconds += cpu_seconds


class Publishing:
    """A publisher, the model that it publishes, and the time."""

    def __init__(
        self,
        directory: Path,
        model: MadeModel,
        *,
        scores: Scores | None = None,
        confirm: Callable[[], None] = lambda: None,
        name: str = "made",
        **settings: Any,
    ) -> None:
        self.directory = directory
        self.model = model
        self.now = 1000.0
        self.heard = Heard()
        chosen = PublishSettings(**{"directory": str(directory), "gate_events_min": 1, "share": 1.0, **settings})
        self.store = VersionStore(
            directory, name, Retention(chosen.full_versions, chosen.disk_bytes), unix_seconds=lambda: self.now
        )
        # What it costs on this thread is counted by a clock of the test's own, and the share is all of the time: how
        # fast the machine is decides nothing.
        self.publisher = Publisher(
            self.store, chosen, model.snapshot, scores, self.heard, lambda: self.now, lambda: self.now
        )
        self.publisher.take_over(confirm, anything=True)

    def settle(self) -> None:
        """Wait for what was begun."""
        for running in (self.publisher._delta, self.publisher._full):
            if running is not None:
                running.future.exception()

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, and see to what is due and done."""
        self.now += seconds
        self.publisher.tend()
        self.settle()
        self.publisher.tend()

    def train(self, loss: float | None = 0.5) -> None:
        """Train a little."""
        self.model.train()
        self.publisher.trained(loss)
