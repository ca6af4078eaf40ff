"""Where a start goes on: the checkpoint that is restored and the offsets that belong to it, or a beginning."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from stream.checkpoint import CheckpointFile, CheckpointStore, Choice, LostOffsets, Missing, choose, reading, recover
from stream.errors import CheckpointMissing, ConfigurationError, LogError, OffsetOutOfRange, TopicMadeAnew
from stream.log.protocol import Commit, CommitLog, InteractionSource, SchemaSource
from stream.service.kept import require_of_a_service, service_of
from stream.settings.root import start_time_ms
from stream.state import Tree

__all__ = ["Resumed", "resume", "start_offsets"]

_log = logging.getLogger("stream.service")

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Resumed(Generic[R]):
    """A beginning; the sources stand at its offsets.

    Attributes:
        made: what `restore` made of the restored state, or of none.
        checkpoint: number of the restored checkpoint; None for a new learner.
        offsets: the next offset of each partition of the interactions.
        schema_offset: the next offset of the schema topic.
        last: what the log's commit names, if that is exactly the restored checkpoint and its offsets; else None,
            and a checkpoint has to be written before anything is trained.
        number: the largest checkpoint number that was ever given, as far as is known here.
        damaged: checkpoints that were passed over and set aside, under their new names.
    """

    made: R
    checkpoint: int | None
    offsets: dict[int, int]
    schema_offset: int
    last: Commit | None
    number: int
    damaged: Sequence[Path] = ()


def resume(
    store: CheckpointStore | None,
    commit_log: CommitLog,
    source: InteractionSource,
    schema_source: SchemaSource,
    *,
    start: str = "earliest",
    missing: Missing = Missing.FAIL,
    lost_offsets: LostOffsets = LostOffsets.FAIL,
    restore: Callable[[Tree | None], R],
) -> Resumed[R]:
    """Choose the checkpoint, move both sources to its offsets, and take over from any earlier holder of the name.

    All that can refuse a start is done before the takeover, building the learner too, so that one started in a wrong
    place, with wrong settings, or from a checkpoint that only looks like one, leaves a healthy learner alone. It is
    done again after the takeover only if the commit has moved on meanwhile.

    Args:
        store: where checkpoints lie; None if none are kept.
        commit_log: what says which of them counts.
        source: the interactions.
        schema_source: the schema topic.
        start: where a learner without a checkpoint begins; see `start_offsets`.
        missing: what to do where the commit names a checkpoint that is not here.
        lost_offsets: what to do where the log no longer has the offsets to go on from, or a topic was made anew.
        restore: builds all that a restored state gives, or what a new learner begins with (None); raises
            `ConfigurationError` where the state is not what the settings ask for.

    Raises:
        CheckpointMissing, CheckpointCorrupt, CheckpointFormat: see `stream.checkpoint.recover`; or a checkpoint holds
            something else than a learner's state.
        CheckpointError: the directory cannot be written, or lacks the room for the next checkpoint.
        OffsetOutOfRange: the log has no such offset any more, and `lost_offsets` is to fail.
        TopicMadeAnew: a topic is not the one that the checkpoint was made from, and `lost_offsets` is to fail.
        ConfigurationError: the checkpoint belongs to other topics or to none, or `start` cannot be read.
    """

    def beginning(found: CheckpointFile | None) -> _Beginning[R]:
        service: Tree | None = None
        if found is None:
            made = restore(None)
            offsets, schema_offset = start_offsets(source, start), schema_source.beginning_offset()
        else:
            with reading(found.path):
                tree = found.tree()
                service = service_of(tree)
                require_of_a_service(service)
                made = restore(tree)
            offsets, schema_offset = _offsets_of(service, source, schema_source, lost_offsets)
        offsets = _seek(source, offsets, lost_offsets)
        schema_offset = _seek_schema(schema_source, schema_offset, lost_offsets)
        moved = service is not None and _moved(service, offsets, schema_offset)
        return _Beginning(made, found, offsets, schema_offset, moved)

    foreseen = beginning(None if store is None else _foreseen(store, commit_log, missing))
    if store is not None:
        store.require_room(0 if foreseen.file is None else len(foreseen.file.payload))
    commit = commit_log.fence()
    choice = Choice(None) if store is None else recover(store, commit, missing)
    found = choice.found
    begun = foreseen if foreseen.is_of(found) else beginning(found)
    official = begun.names(commit)
    if commit is not None and not official:
        commit_log.resumed(begun.commit())
    restored = None if found is None else found.number
    number = max([0 if commit is None else commit.number, *(() if store is None else store.numbers())])
    _log.info(
        "process %d starts from %s: %s offsets %s, %s offset %d",
        os.getpid(),
        "nothing" if restored is None else f"checkpoint {restored}",
        source.topic,
        begun.offsets,
        schema_source.topic,
        begun.schema_offset,
    )
    last = commit if official and not begun.moved else None
    return Resumed(begun.made, restored, begun.offsets, begun.schema_offset, last, number, choice.damaged)


@dataclass(frozen=True, slots=True)
class _Beginning(Generic[R]):
    """A checkpoint or none, and the offsets at which the sources stand for it, moved from the checkpoint's or not."""

    made: R
    file: CheckpointFile | None
    offsets: dict[int, int]
    schema_offset: int
    moved: bool

    def is_of(self, found: CheckpointFile | None) -> bool:
        """Whether this is what `found` gives; a rename has changed nothing in it."""
        if found is None or self.file is None:
            return found is self.file
        return (found.number, found.digest) == (self.file.number, self.file.digest)

    def names(self, commit: Commit | None) -> bool:
        """Whether the log's commit names this very checkpoint."""
        file = self.file
        return commit is not None and file is not None and (commit.number, commit.digest) == (file.number, file.digest)

    def commit(self) -> Commit:
        """Return what a commit of this checkpoint holds."""
        number, digest = (0, "") if self.file is None else (self.file.number, self.file.digest)
        return Commit(number, digest, self.offsets, self.schema_offset)


def _foreseen(store: CheckpointStore, commit_log: CommitLog, missing: Missing) -> CheckpointFile | None:
    """Return what a takeover will find here; where it would find nothing, make sure, because a commit may be on its
    way.
    """
    try:
        return choose(store, commit_log.newest(), missing).found
    except CheckpointMissing as error:
        try:
            newest = commit_log.newest(wait=True)
        except LogError:
            raise error from None
        return choose(store, newest, missing).found


def start_offsets(source: InteractionSource, start: str) -> dict[int, int]:
    """Return the offsets of a learner without a checkpoint: `earliest`, `latest`, or an ISO 8601 time with its zone.

    A time is compared with the records' own timestamps. Raises `ConfigurationError` for anything else.
    """
    if start == "earliest":
        return source.beginning_offsets()
    if start == "latest":
        return source.end_offsets()
    try:
        return source.offsets_for_time(start_time_ms(start))
    except ValueError as error:
        raise ConfigurationError(
            f"start = {start!r} is neither earliest, latest nor a time with its zone; write 2026-01-31T12:00:00Z, say"
        ) from error


def _offsets_of(
    service: Mapping[str, Any], source: InteractionSource, schema_source: SchemaSource, lost_offsets: LostOffsets
) -> tuple[dict[int, int], int]:
    stored_topics = service["topic"], service["schema_topic"]
    if stored_topics != (source.topic, schema_source.topic):
        raise ConfigurationError(
            f"the checkpoint belongs to the topics {' and '.join(stored_topics)}, the settings name "
            f"{source.topic} and {schema_source.topic}; "
            "give this learner a checkpoint directory of its own, or the old topics"
        )
    offsets = {int(partition): offset for partition, offset in service["offsets"].items()}
    schema_offset: int = service["schema_offset"]
    anew = _made_anew(service, source, schema_source, offsets)
    if anew and lost_offsets is LostOffsets.FAIL:
        raise TopicMadeAnew(_refusal(anew, schema_source.topic))
    for topic, how in anew.items():
        _log.error("%s; going on from its %s, as checkpoint.lost_offsets says", how, lost_offsets.value)
        if topic == schema_source.topic:
            schema_offset = _elsewhere_in_schema(schema_source, lost_offsets)
        else:
            offsets = _elsewhere(source, lost_offsets)
    beginnings = source.beginning_offsets() if set(source.partitions()).difference(offsets) else {}
    return dict(sorted({**beginnings, **offsets}.items())), schema_offset


def _moved(service: Mapping[str, Any], offsets: Mapping[int, int], schema_offset: int) -> bool:
    """Say whether these are other offsets than the checkpoint's own."""
    kept = {int(partition): offset for partition, offset in service["offsets"].items()}
    return (kept, service["schema_offset"]) != (offsets, schema_offset)


def _made_anew(
    service: Mapping[str, Any], source: InteractionSource, schema_source: SchemaSource, offsets: Mapping[int, int]
) -> dict[str, str]:
    """Return, by topic, how it is seen that it is not the one that the checkpoint was made from."""
    there = (source, service.get("topic_id")), (schema_source, service.get("schema_topic_id"))
    anew = {
        at.topic: f"the topic {at.topic} was made anew since this checkpoint (its id was {then} and is {at.topic_id})"
        for at, then in there
        if then is not None and at.topic_id is not None and at.topic_id != then
    }
    passed: int = sum(offsets.values())
    if service["digest_before"] not in (None, source.digest_before(offsets)):
        anew[source.topic] = _changed(source.topic, passed)
    schema_offset: int = service["schema_offset"]
    if service["schema_digest_before"] not in (None, schema_source.digest_before(schema_offset)):
        anew[schema_source.topic] = _changed(schema_source.topic, schema_offset)
    gone = sorted(set(offsets).difference(source.partitions()))
    if gone and source.topic not in anew:
        anew[source.topic] = (
            f"{source.topic} has no partition {', '.join(map(str, gone))} any more, which this checkpoint has, so it "
            "was made anew"
        )
    return anew


def _changed(file: str, lines: int) -> str:
    return (
        f"the first {lines} lines of the file {file}, in the order in which they are taken, are not those that this "
        "checkpoint has dealt with (lines were added among them, or it is another file; only later ones may be added)"
    )


def _refusal(anew: Mapping[str, str], schema_topic: str) -> str:
    again = (
        " A schema topic is read again from its earliest record: publish there what it held, for a version that was "
        "applied is ignored where it is the same."
    )
    return (
        f"{'; and '.join(anew.values())}: offsets of before mean nothing in it. To go on with the model that there is, "
        "start once with checkpoint.lost_offsets set to earliest (all that is there now) or latest (only what comes "
        "from now on); for a new model give the learner a new name and checkpoint directory."
        f"{again if schema_topic in anew else ''}"
    )


def _seek(source: InteractionSource, offsets: dict[int, int], lost_offsets: LostOffsets) -> dict[int, int]:
    try:
        source.seek(offsets)
        return offsets
    except OffsetOutOfRange as error:
        if lost_offsets is LostOffsets.FAIL:
            raise
        beginnings, ends, elsewhere = source.beginning_offsets(), source.end_offsets(), _elsewhere(source, lost_offsets)
        moved = {p: offset if beginnings[p] <= offset <= ends[p] else elsewhere[p] for p, offset in offsets.items()}
        _log.error(
            "%s; going on from %s instead, as checkpoint.lost_offsets says: %s", error, lost_offsets.value, moved
        )
        source.seek(moved)
        return moved


def _seek_schema(source: SchemaSource, offset: int, lost_offsets: LostOffsets) -> int:
    try:
        source.seek(offset)
        return offset
    except OffsetOutOfRange as error:
        if lost_offsets is LostOffsets.FAIL:
            raise
        moved = _elsewhere_in_schema(source, lost_offsets)
        _log.error("%s; going on from %d instead, as checkpoint.lost_offsets says", error, moved)
        source.seek(moved)
        return moved


def _elsewhere(source: InteractionSource, lost_offsets: LostOffsets) -> dict[int, int]:
    return source.beginning_offsets() if lost_offsets is LostOffsets.EARLIEST else source.end_offsets()


def _elsewhere_in_schema(source: SchemaSource, lost_offsets: LostOffsets) -> int:
    return source.beginning_offset() if lost_offsets is LostOffsets.EARLIEST else source.end_offset()
