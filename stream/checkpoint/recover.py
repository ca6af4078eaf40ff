"""Which checkpoint a start goes on from, given what the log has committed.

| the log's commit names | start |
|---|---|
| nothing (a new name, or the log forgot it) | the newest whole checkpoint here, if any |
| a complete file here, whole | that one |
| a temporary file here, whole | that one, renamed: the crash came between commit and rename |
| a file here that is damaged | the newest whole one before it; none: `CheckpointCorrupt` |
| no file here (another machine's) | by policy: fail, newest (whole one here), scratch |

Going on from a checkpoint that is older than the commit is sound for the model, for it goes on from *that checkpoint's
own* offsets: what was trained after it is trained again into a model that has not seen it. It forgets no event; it may
repeat work.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from stream.checkpoint.file import CheckpointFile, read_checkpoint
from stream.checkpoint.store import CheckpointStore
from stream.errors import CheckpointCorrupt, CheckpointMissing
from stream.log.protocol import Commit

__all__ = ["LostOffsets", "Missing", "choose", "recover"]


class Missing(StrEnum):
    """What to do where the log's commit names a checkpoint that is not here."""

    FAIL = "fail"
    NEWEST = "newest"
    SCRATCH = "scratch"


class LostOffsets(StrEnum):
    """What to do where the log no longer has the offset that the checkpoint goes on from."""

    FAIL = "fail"
    EARLIEST = "earliest"
    LATEST = "latest"


def recover(store: CheckpointStore, commit: Commit | None, missing: Missing = Missing.FAIL) -> CheckpointFile | None:
    """Return the checkpoint to restore, complete and whole, or None to start from nothing; no temporary file is left.

    Where this raises, nothing in the directory was changed.

    Raises:
        CheckpointMissing: the commit names one that is not here, and the policy is to fail, or finds no other.
        CheckpointCorrupt: there are checkpoints, and none of them that may be used is whole.
    """
    found = choose(store, commit, missing)
    if found is not None and found.path != store.path(found.number):
        found = replace(found, path=store.rename(found.path, found.number))
    for path in store.temporaries():
        store.discard(path)
    return found


def choose(store: CheckpointStore, commit: Commit | None, missing: Missing = Missing.FAIL) -> CheckpointFile | None:
    """Return what `recover` would restore, under the name that it has now, or raise as it would; nothing is changed."""
    if commit is None:
        return _newest_whole(store, below=None)
    return _committed(store, commit) or _instead_of(store, commit, missing)


def _committed(store: CheckpointStore, commit: Commit) -> CheckpointFile | None:
    """Return the checkpoint that the commit names, under its temporary name where the crash came before the rename."""
    for path in (store.path(commit.number), *store.temporaries()):
        try:
            found = read_checkpoint(path)
        except (CheckpointMissing, CheckpointCorrupt):
            continue
        if (found.number, found.digest) == (commit.number, commit.digest):
            return found
    return None


def _instead_of(store: CheckpointStore, commit: Commit, missing: Missing) -> CheckpointFile | None:
    try:
        read_checkpoint(store.path(commit.number))
    except CheckpointCorrupt:
        older = _newest_whole(store, below=commit.number)
        if older is None:
            raise
        return older
    except CheckpointMissing:
        pass  # another machine's; or, without an exception, a whole file of this number that another learner wrote
    if missing is Missing.SCRATCH:
        return None
    newest = _newest_whole(store, below=None) if missing is Missing.NEWEST else None
    if newest is None:
        raise CheckpointMissing(
            f"the log's last commit names checkpoint {commit.number} ({commit.digest[:16]}...), which is not in "
            f"{store.directory}: another machine or directory holds it. Copy it here, or set checkpoint.missing to "
            "newest (go on from the newest one here and train again what came after it) or scratch (start from nothing)"
        )
    return newest


def _newest_whole(store: CheckpointStore, below: int | None) -> CheckpointFile | None:
    damage: CheckpointCorrupt | None = None
    for number in reversed(store.numbers()):
        if below is not None and number >= below:
            continue
        try:
            return read_checkpoint(store.path(number))
        except CheckpointCorrupt as error:
            damage = damage or error
    if damage is not None:
        raise damage
    return None
