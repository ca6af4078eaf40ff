"""Putting a service together: from sources, a commit log, a store and settings to a loop that is ready to run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.checkpoint import LostOffsets, Missing
from stream.observe import Observer, Start
from stream.service.align import Aligner, Rules
from stream.service.batch import PartialBatch
from stream.service.burst import BurstGuard
from stream.service.checkpointing import Checkpointer
from stream.service.endpoints import Endpoints
from stream.service.intake import Intake, IntakeBounds
from stream.service.interface import Publishes, ServedLearner
from stream.service.item import Plausible
from stream.service.kept import parts_of, service_of
from stream.service.learner_settings import require_same_model, to_plain
from stream.service.ledger import Ledger, Postmark
from stream.service.pace import Clocks, Pace
from stream.service.patience import Patience
from stream.service.predictions import PredictionsFile, require_predictions
from stream.service.progress import Origin, Progress
from stream.service.resume import resume
from stream.service.service import Service
from stream.settings.root import Settings
from stream.state import Tree

if TYPE_CHECKING:
    from stream.report import ModelReport

__all__ = ["open_service", "plausible_of", "system_clocks"]


def system_clocks(live: bool = True) -> Clocks:
    """Return this machine's clocks; without wall-clock time for a stream that is not live."""
    return Clocks(time.monotonic, time.process_time, time.time if live else None, time.sleep)


def open_service(
    endpoints: Endpoints,
    settings: Settings,
    new_learner: Callable[[Tree | None], ServedLearner],
    observer: Observer,
    *,
    stop_at_end: bool = False,
    predictions: Path | None = None,
    clocks: Clocks | None = None,
    settings_masked: Mapping[str, Any] | None = None,
    new_publisher: Callable[[ServedLearner], Publishes | None] = lambda learner: None,
) -> Service:
    """Restore the newest checkpoint that counts, or begin anew, and return the loop that goes on from there.

    Args:
        endpoints: what to connect.
        settings: all settings.
        new_learner: returns the learner of a restored state tree, or a new one for None.
        observer: told everything, the start first.
        stop_at_end: end once all partitions have stood at their end for the idle time; always so for files.
        predictions: the file to write predictions to; None for none.
        clocks: the times to read; the machine's by default.
        settings_masked: the settings as shown to the observer, secrets masked.
        new_publisher: returns what publishes the learner's versions; None to publish none.

    Raises:
        CheckpointError, OffsetOutOfRange, ConfigurationError: there is no sound place to go on from; see `resume`.
    """
    live = endpoints.arriving
    clocks = clocks or system_clocks(live)
    origin = _origin(settings, endpoints)

    def restore(tree: Tree | None) -> _Restored:
        kept = None if tree is None else service_of(tree)
        if kept is not None:
            require_same_model(kept["learner_settings"], settings)
        written = 0 if kept is None else kept["predictions_bytes"] or 0
        if predictions is not None:
            require_predictions(predictions, written)
        learner = new_learner(None if tree is None else parts_of(tree)[1])
        window, most = settings.dead_letters.burst_window_events, settings.dead_letters.burst_events
        burst = BurstGuard(most, window, "" if kept is None else kept["recent"])
        return _Restored(learner, Progress(origin, kept), burst, written, learner.report())

    resumed = resume(
        endpoints.store,
        endpoints.commit_log,
        endpoints.source,
        endpoints.schema_source,
        start=settings.start if live else "earliest",
        missing=Missing(settings.checkpoint.missing),
        lost_offsets=LostOffsets(settings.checkpoint.lost_offsets),
        restore=restore,
    )
    made = resumed.made
    learner = made.learner
    service = Service(
        pace=_pace(settings, stop_at_end or not live),
        clocks=clocks,
        learner=learner,
        intake=Intake(
            endpoints.source, endpoints.schema_source, _bounds(settings, endpoints), observer, clocks.monotonic
        ),
        aligner=Aligner(
            endpoints.source.partitions(),
            Rules(settings.version_wait_seconds, settings.align, more_versions=live),
            learner.schema.version,
            learner.schema.event_time_ms,
            learner.event_time_ms,
        ),
        batch=PartialBatch(settings.batch_size, settings.batch_age_seconds if live else 0.0, settings.held.batch_bytes),
        ledger=Ledger(resumed.offsets, resumed.schema_offset, _postmark(settings, endpoints, clocks)),
        burst=made.burst,
        checkpointer=Checkpointer(
            endpoints.store, endpoints.commit_log, resumed.last, resumed.number, _in_background(settings)
        ),
        progress=made.progress,
        predictions=None if predictions is None else PredictionsFile(predictions, made.predictions_bytes),
        patience=Patience(settings.kafka.patience_seconds, clocks.monotonic, observer),
        observer=observer,
        publisher=new_publisher(learner),
    )
    observer.started(Start(origin.source, settings.strategy, settings_masked or {}, resumed.checkpoint))
    observer.restored(made.report)
    for path in resumed.damaged:
        observer.checkpoint_damaged(path.name)
    return service


@dataclass(frozen=True, slots=True)
class _Restored:
    """What a restored state gives, or what a new learner begins with; built before any takeover."""

    learner: ServedLearner
    progress: Progress
    burst: BurstGuard
    predictions_bytes: int
    report: ModelReport


def _origin(settings: Settings, endpoints: Endpoints) -> Origin:
    return Origin(
        endpoints.source.source_name,
        endpoints.source.topic,
        endpoints.schema_source.topic,
        settings.strategy,
        settings.seed,
        settings.batch_size,
        to_plain(settings),
        endpoints.source.topic_id,
        endpoints.schema_source.topic_id,
    )


def _postmark(settings: Settings, endpoints: Endpoints, clocks: Clocks) -> Postmark:
    sources = endpoints.source, endpoints.schema_source
    ids = {source.topic: source.topic_id for source in sources}
    return Postmark(settings.name, clocks.unix_seconds or time.time, ids)


def _pace(settings: Settings, stop_at_end: bool) -> Pace:
    return Pace(
        checkpoint_events=settings.checkpoint.every_events,
        checkpoint_seconds=settings.checkpoint.every_seconds,
        letters=settings.dead_letters.buffer_events,
        letters_bytes=settings.dead_letters.buffer_bytes,
        stop_at_end=stop_at_end,
    )


def _in_background(settings: Settings) -> bool:
    # A child sees no other device's memory than the processor's.
    return settings.checkpoint.in_background and settings.device == "cpu"


def _bounds(settings: Settings, endpoints: Endpoints) -> IntakeBounds:
    return IntakeBounds(
        partition_events=settings.held.partition_events,
        partition_bytes=settings.held.partition_bytes,
        process_bytes=settings.held.process_bytes,
        idle_seconds=settings.idle_seconds if endpoints.arriving else 0.0,
        plausible=plausible_of(settings) if endpoints.timestamped else None,
    )


def plausible_of(settings: Settings) -> Plausible:
    """Return how far event time may lie from the records' own timestamps, by the settings."""
    return Plausible(
        round(settings.max_ahead_seconds * 1000),
        round(settings.max_behind_seconds * 1000),
        round(settings.version_max_ahead_seconds * 1000),
    )
