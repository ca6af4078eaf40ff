"""Which checkpoint a start goes on from, given what the log has committed.

| the log's commit names | start |
|---|---|
| nothing (a new name, or the log forgot it) | the newest whole checkpoint here, if any |
| a complete file here, whole | that one |
| a temporary file here, whole | that one, renamed: the crash came between commit and rename |
| a file here that is damaged | the newest whole one before it; none: `CheckpointCorrupt` |
| a file here of another format version | none: `CheckpointFormat`, because an older one would be another program's |
| no file here (another machine's) | by policy: fail, newest (whole one here), scratch |

What was found damaged on the way is said aloud and set aside, under another name.

Going on from a checkpoint that is older than the commit is sound for the model, because it goes on from *that
checkpoint's own* offsets: what was trained after it is trained again into a model that has not seen it. It forgets no
event; it may repeat work.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from stream.checkpoint.file import CheckpointFile, read_checkpoint
from stream.checkpoint.store import CheckpointStore
from stream.errors import CheckpointCorrupt, CheckpointMissing
from stream.log.protocol import Commit

__all__ = ["Choice", "LostOffsets", "Missing", "choose", "recover"]

_log = logging.getLogger("stream.checkpoint")


class Missing(StrEnum):
    """What to do if the log's commit names a checkpoint that is not here."""

    FAIL = "fail"
    NEWEST = "newest"
    SCRATCH = "scratch"


class LostOffsets(StrEnum):
    """What to do if the log no longer has the offset that the checkpoint goes on from, or another topic has it."""

    FAIL = "fail"
    EARLIEST = "earliest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a start goes on from, and what it had to pass over.

    Attributes:
        found: the checkpoint to restore; None to start from nothing.
        damaged: complete files that are damaged, newest first, under the names that they have now.
    """

    found: CheckpointFile | None
    damaged: tuple[Path, ...] = ()


def recover(store: CheckpointStore, commit: Commit | None, missing: Missing = Missing.FAIL) -> Choice:
    """Return the checkpoint to restore, complete and whole, or none to start from nothing; no temporary file is left.

    Damaged files that were passed over are set aside, with a warning each. Where this raises, nothing in the directory
    was changed.

    Raises:
        CheckpointMissing: the commit names one that is not here, and the policy is to fail, or finds no other.
        CheckpointCorrupt: there are checkpoints, and none of them that may be used is whole.
        CheckpointFormat: the one to be used is of a format version that this program does not read.
    """
    choice = choose(store, commit, missing)
    found = choice.found
    if found is not None and found.path != store.path(found.number):
        found = replace(found, path=store.rename(found.path, found.number))
    for path in store.temporaries():
        store.discard(path)
    aside = tuple(store.set_aside(path) for path in choice.damaged)
    for before, after in zip(choice.damaged, aside, strict=True):
        _log.warning(
            "checkpoint %s is damaged and was passed over; it lies in %s now. Look at the disk, and expect events "
            "trained after the older checkpoint to be trained again",
            before,
            after,
        )
    return Choice(found, aside)


def choose(store: CheckpointStore, commit: Commit | None, missing: Missing = Missing.FAIL) -> Choice:
    """Return what `recover` would restore, under the names of now, or raise as it would; nothing is changed."""
    if commit is None:
        return _newest_whole(store, below=None)
    committed = _committed(store, commit)
    return _instead_of(store, commit, missing) if committed is None else Choice(committed)


def _committed(store: CheckpointStore, commit: Commit) -> CheckpointFile | None:
    """Return the checkpoint that the commit names, under its temporary name if the crash came before the rename."""
    for path in (store.path(commit.number), *store.temporaries()):
        try:
            found = read_checkpoint(path)
        except (CheckpointMissing, CheckpointCorrupt):
            continue
        if (found.number, found.digest) == (commit.number, commit.digest):
            return found
    return None


def _instead_of(store: CheckpointStore, commit: Commit, missing: Missing) -> Choice:
    path, aside = store.path(commit.number), store.aside(store.path(commit.number))
    try:
        read_checkpoint(path if path.exists() or not aside.exists() else aside)
    except CheckpointCorrupt:
        older = _newest_whole(store, below=commit.number)
        if older.found is None:
            raise
        # A start that set it aside may have ended before it could commit the older one.
        return Choice(older.found, (path, *older.damaged) if path.exists() else older.damaged)
    except CheckpointMissing:
        pass  # another machine's; or, without an exception, a whole file of this number that another learner wrote
    if missing is Missing.SCRATCH:
        return Choice(None)
    newest = _newest_whole(store, below=None) if missing is Missing.NEWEST else Choice(None)
    if newest.found is None:
        raise CheckpointMissing(
            f"the log's last commit names checkpoint {commit.number} ({commit.digest[:16]}...), which is not in "
            f"{store.directory}: another machine or directory holds it. Copy it here, or set checkpoint.missing to "
            "newest (go on from the newest one here and train again what came after it) or scratch (start from nothing)"
        )
    return newest


def _newest_whole(store: CheckpointStore, below: int | None) -> Choice:
    """Return the newest whole checkpoint, none if there is no checkpoint; raise if all are damaged."""
    damaged: list[Path] = []
    damage: CheckpointCorrupt | None = None
    for number in reversed(store.numbers()):
        if below is not None and number >= below:
            continue
        try:
            return Choice(read_checkpoint(store.path(number)), tuple(damaged))
        except CheckpointCorrupt as error:
            damage = damage or error
            damaged.append(store.path(number))
    if damage is not None:
        raise damage
    return Choice(None)
