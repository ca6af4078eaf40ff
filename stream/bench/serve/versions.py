"""A learner of this process that publishes when it is told to."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from stream.errors import StreamError
from stream.learner.core import LearnerCore
from stream.observe import Observer
from stream.publish.pointer import read_pointer
from stream.publish.publisher import Publisher
from stream.publish.retention import Retention
from stream.publish.settings import PublishSettings
from stream.publish.store import VersionStore
from stream.records.interaction import Interaction, interaction_of
from stream.schema import parse_version
from stream.scoring.of_learner import snapshot_of
from stream.settings.learner import LearnerSettings

__all__ = ["Publishing", "changed", "new_learner", "parsed"]


def new_learner(changes: list[dict[str, Any]]) -> LearnerCore:
    """Return a learner under a schema of these changes."""
    learner = LearnerCore(LearnerSettings(seed=1, batch_size=32))
    changed(learner, changes)
    return learner


def changed(learner: LearnerCore, changes: list[dict[str, Any]]) -> None:
    """Put the next version of the schema in effect."""
    version = {"version": learner.schema.version + 1, "ts": 0, "changes": changes}
    learner.apply(parse_version(json.dumps(version).encode()))


def parsed(event: dict[str, Any]) -> Interaction:
    """Return an event as an interaction."""
    return interaction_of(event)


class Publishing:
    """A learner's versions, one for each call."""

    def __init__(self, directory: Path, learner: LearnerCore) -> None:
        self.directory, self.learner = directory, learner
        settings = PublishSettings(delta_seconds=1e-6, share=1.0, gate_events=0, delta_loss=1e9, full_seconds=1e9)
        store = VersionStore(directory, "bench", Retention())
        self._publisher = Publisher(store, settings, lambda: snapshot_of(self.learner), None, Observer())
        self._publisher.take_over(lambda: None, anything=True)
        self._schema_version = 0

    def publish(self) -> int:
        """Publish the learner as it stands, and return the version."""
        if self.learner.schema.version != self._schema_version:
            self._schema_version = self.learner.schema.version
            self._publisher.schema_applied()
        self._publisher.trained(None)
        before, deadline = self.version, time.monotonic() + 120
        while self.version == before:
            self._publisher.tend()
            if time.monotonic() > deadline:
                raise StreamError("no version was published within two minutes")
            time.sleep(0.002)
        return self.version

    @property
    def version(self) -> int:
        """The served version."""
        pointer = read_pointer(self.directory)
        return 0 if pointer is None else pointer.version

    def close(self) -> None:
        """End the publisher's threads."""
        self._publisher.close()
