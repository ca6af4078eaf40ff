"""Starts a service on a `MemoryLog`, as often as a test needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stream.checkpoint import CheckpointStore
from stream.observe import Observer
from stream.service.endpoints import Endpoints
from stream.service.pace import Clocks
from stream.service.service import Service
from stream.service.start import open_service
from stream.settings.load import load
from stream.settings.root import Settings
from stream.testing import MemoryCommitLog, MemoryLog, MemorySchemaSource, MemorySource
from tests.service.counting_learner import CountingLearner


class Run:
    """One process' worth of service: its parts are attributes, `run` serves until the end of the log."""

    def __init__(
        self,
        log: MemoryLog,
        directory: Path | None = None,
        *assignments: str,
        predictions: Path | None = None,
        observer: Observer | None = None,
        stop_at_end: bool = True,
    ) -> None:
        self.log = log
        self.learner = CountingLearner()
        self.source = MemorySource(log)
        self.commit_log = MemoryCommitLog(log)
        # Checkpoints at the moments that a test reads in its log; a test of those in the background says so.
        usual = ["batch_size=4", "batch_age_seconds=0", "checkpoint.in_background=false"]
        self.settings = load(Settings, assignments=[*usual, *assignments])
        self.store = None if directory is None else CheckpointStore(directory, self.settings.checkpoint.keep)
        try:
            self.service = self._open(observer or Observer(), stop_at_end, predictions)
        except BaseException:
            self.die()
            raise

    def _open(self, observer: Observer, stop_at_end: bool, predictions: Path | None) -> Service:
        log = self.log
        return open_service(
            Endpoints(self.source, MemorySchemaSource(log), self.commit_log, self.store),
            self.settings,
            self._new_learner,
            observer,
            stop_at_end=stop_at_end,
            predictions=predictions,
            clocks=Clocks(log.clock, log.clock, log.clock, log.clock.sleep),
        )

    def _new_learner(self, tree: dict[str, Any] | None) -> CountingLearner:
        self.learner = CountingLearner(tree)
        return self.learner

    def run(self) -> dict[str, Any]:
        try:
            return self.service.run()
        finally:
            self.die()

    def die(self) -> None:
        """Give back what the end of a process gives back."""
        if self.store is not None:
            self.store.close()
