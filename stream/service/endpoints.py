"""Opening what a service is connected to: Kafka, the embedded log, or files, each behind the same protocols."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stream.checkpoint import CheckpointStore
from stream.log.protocol import CommitLog, InteractionSource, SchemaSource
from stream.service.files import InteractionsFile, SchemaFile

if TYPE_CHECKING:
    from stream.settings.root import Settings

__all__ = ["Endpoints", "files", "live"]

_log = logging.getLogger("stream.service")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What a service is connected to; whoever opened these closes them.

    Attributes:
        source: the interactions.
        schema_source: the schema topic.
        commit_log: where checkpoints become official and dead letters go.
        store: where checkpoints lie; None keeps none.
        arriving: whether records arrive over time: False for files, in which nothing is waited for.
        letters: the file of the dead letters; None if they go to a topic.
        letters_kept: whether that file outlives the run.
        timestamped: whether the records' own timestamps say when they were sent (Kafka), so that event time can be held
            against them.
    """

    source: InteractionSource
    schema_source: SchemaSource
    commit_log: CommitLog
    store: CheckpointStore | None
    arriving: bool = True
    timestamped: bool = False
    letters: Path | None = None
    letters_kept: bool = True


@contextmanager
def live(settings: Settings) -> Iterator[Endpoints]:
    """Open the log of the settings (the embedded one if `log.directory` is set, else Kafka) while the block runs.

    The checkpoint directory is locked first, so that a second learner on this machine is refused before it could fence
    the first.

    Raises:
        AlreadyRunning: a learner has the checkpoint directory.
        LogError, ConfigurationError: the log is not there, or the settings do not fit it.
    """
    with ExitStack() as stack:
        store = stack.enter_context(closing(_store(settings, Path(settings.checkpoint.directory))))
        yield _embedded(settings, store, stack) if settings.log.directory else _kafka(settings, store, stack)


@contextmanager
def files(
    settings: Settings, interactions: Path, schema: Path, checkpoint: Path | None, dead_letters: Path | None = None
) -> Iterator[Endpoints]:
    """Open files in place of a log while the block runs.

    Args:
        settings: of these, how many checkpoints stay, and where dead letters go.
        interactions: values of interactions, one a line.
        schema: schema versions, one a line.
        checkpoint: the directory to keep checkpoints in, and to resume from; None keeps none.
        dead_letters: the file of the dead letters. None is that of the settings, which lies in `checkpoint` if its
            path is relative; without `checkpoint` nothing is kept then.

    Raises:
        AlreadyRunning: a learner has the checkpoint directory.
        ConfigurationError: a file cannot be read.
    """
    from stream.log.file_commit import FileCommitLog

    with ExitStack() as stack:
        store = None if checkpoint is None else stack.enter_context(closing(_store(settings, checkpoint)))
        source = stack.enter_context(closing(InteractionsFile(interactions)))
        if not len(source):
            _log.warning("the file %s holds no interaction: there is nothing to learn from", interactions)
        schema_source = SchemaFile(schema)
        # Without checkpoints nothing is resumed, so the commit need not outlive this run.
        own = checkpoint or Path(stack.enter_context(TemporaryDirectory(prefix="stream-replay-")))
        letters = dead_letters or own / settings.dead_letters.file
        if not letters.exists():
            stack.callback(_remove_if_empty, letters)
        commit_log = stack.enter_context(closing(FileCommitLog(own / "commit.json", letters, schema_source.topic)))
        kept = checkpoint is not None or letters.parent != own
        yield Endpoints(source, schema_source, commit_log, store, arriving=False, letters=letters, letters_kept=kept)


def _store(settings: Settings, directory: Path) -> CheckpointStore:
    return CheckpointStore(directory, settings.checkpoint.keep)


def _embedded(settings: Settings, store: CheckpointStore, stack: ExitStack) -> Endpoints:
    from stream.log.embedded_source import EmbeddedInteractionSource, EmbeddedSchemaSource
    from stream.log.file_commit import FileCommitLog

    directory, topics = Path(settings.log.directory), settings.topics
    own = directory / "learners" / settings.name
    source = stack.enter_context(closing(EmbeddedInteractionSource(directory, topics.interactions)))
    schema_source = stack.enter_context(closing(EmbeddedSchemaSource(directory, topics.schema)))
    ids = {source.topic: source.topic_id, schema_source.topic: schema_source.topic_id}
    commit_log = FileCommitLog(own / "commit.json", own / settings.dead_letters.file, topics.schema, ids)
    return Endpoints(
        source,
        schema_source,
        stack.enter_context(closing(commit_log)),
        store,
    )


def _kafka(settings: Settings, store: CheckpointStore, stack: ExitStack) -> Endpoints:
    from stream.log.connection import Connection
    from stream.log.kafka_commit import KafkaCommitLog
    from stream.log.kafka_schema import KafkaSchemaSource
    from stream.log.kafka_source import KafkaInteractionSource
    from stream.log.topic_watch import TopicWatch

    connection, topics = Connection(settings.kafka), settings.topics
    watch = stack.enter_context(closing(TopicWatch(connection, (topics.interactions, topics.schema))))
    return Endpoints(
        stack.enter_context(closing(KafkaInteractionSource(connection, topics.interactions, watch))),
        stack.enter_context(closing(KafkaSchemaSource(connection, topics.schema, watch))),
        stack.enter_context(closing(KafkaCommitLog(connection, settings.name, topics, watch))),
        store,
        timestamped=True,
    )


def _remove_if_empty(path: Path) -> None:
    if path.exists() and path.stat().st_size == 0:
        path.unlink()
