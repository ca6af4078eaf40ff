"""A learner's publisher: its snapshots, its scorer, its settings, put together and ready."""

from __future__ import annotations

from pathlib import Path

from stream.learner.core import LearnerCore
from stream.observe import Observer
from stream.publish.publisher import Publisher
from stream.publish.retention import Retention
from stream.publish.rows import rehearse_rows
from stream.publish.scores import scores
from stream.publish.store import VersionStore
from stream.scoring.of_learner import snapshot_of
from stream.settings.root import Settings

__all__ = ["publisher_of"]


def publisher_of(settings: Settings, learner: LearnerCore, observer: Observer) -> Publisher | None:
    """Return what publishes a learner's versions, its loops compiled; None if the settings name no directory."""
    chosen = settings.publish
    if not chosen.directory:
        return None
    rehearse_rows()
    store = VersionStore(Path(chosen.directory), settings.name, Retention(chosen.full_versions, chosen.disk_bytes))
    return Publisher(store, chosen, lambda: snapshot_of(learner), scores, observer)
