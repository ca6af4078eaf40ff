"""Following a directory of model versions: the served version, and then what changes in it.

A follower reads one small file to know whether anything is new. `look` reads and verifies what is, and changes nothing;
`take` puts it in place, in a moment of the caller's choosing: between two answers, say. So an answer never sees half of
a version. Whatever is missing, cut short or damaged is not taken: the state stays at the last good version, and
`trouble` says why.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stream.errors import PublishError, VersionDamaged
from stream.publish.change import ArrayChange, applied
from stream.publish.files import Contents, damage, read_version
from stream.publish.patch import patched
from stream.publish.pointer import NAME, Link, Pointer, read_pointer
from stream.publish.snapshot import Array, Snapshot

__all__ = ["Follower", "Taken", "Update", "follow"]

_PATIENCE = 20
"""So many looks pass before files that could not be taken are read again, if the pointer stays as it is."""


@dataclass(frozen=True, slots=True)
class Update:
    """A version that was read and verified, on its way to being taken.

    Attributes:
        pointer: what was read it from.
        full: whether it is a state of its own; else it is changes of the one before.
        snapshot: of a full one, its state; deltas that lead on from it are in it already.
        steps: of the others, the deltas in order.
    """

    pointer: Pointer
    full: bool
    snapshot: Snapshot | None = None
    steps: Sequence[Contents] = ()

    @property
    def version(self) -> int:
        """The version that it leads to."""
        return self.pointer.version


@dataclass(frozen=True, slots=True)
class Taken:
    """What `take` did.

    Attributes:
        full: whether everything is new.
        snapshot: the state now. After deltas its arrays are the same objects as before, changed in place, but for
            those in `replaced`.
        rows: by array, the rows that changed; None if the whole array did.
        replaced: arrays that are other objects now, since their shape changed or they are new.
        gone: arrays that are not there any more.
        members: the top-level members of the manifest that changed.
        tombstones: by the member that listed them, the names that went.
    """

    full: bool
    snapshot: Snapshot
    rows: Mapping[str, Array | None] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    tombstones: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Follower:
    """The served version of a directory, kept up to date by asking now and then; for one thread at a time.

    The arrays of a full version are mapped from its file: processes that follow the same directory share its pages, but
    for those that deltas have changed.

    Attributes:
        pointer: of the version that is held; None before the first.
        snapshot: its state; None before the first.
        trouble: why the newest look found nothing that could be taken; None if there was nothing wrong.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pointer: Pointer | None = None
        self.snapshot: Snapshot | None = None
        self.trouble: str | None = None
        self._seen: tuple[int, ...] | None = None
        self._passed = 0

    @property
    def version(self) -> int:
        """The version that is held; 0 before the first."""
        return 0 if self.pointer is None else self.pointer.version

    def poll(self) -> Taken | None:
        """Take the served version if it is another one than is held; None if there is nothing to take."""
        update = self.look()
        return None if update is None else self.take(update)

    def look(self) -> Update | None:
        """Read and verify what leads from the version held to the served one; None if there is nothing to take.

        Never raises for what the directory holds: see `trouble`.
        """
        seen = self._identity()
        if seen == self._seen and (self.trouble is None or self._passed < _PATIENCE):
            self._passed += 1
            return None
        self._passed = 0
        try:
            update = self._look()
        except (PublishError, OSError) as error:
            self.trouble = str(error)
            self._seen = seen
            return None
        self.trouble = None
        self._seen = None if update is not None else seen
        return update

    def _identity(self) -> tuple[int, ...]:
        try:
            found = os.stat(self.directory / NAME)
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _look(self) -> Update | None:
        pointer = read_pointer(self.directory)
        if pointer is None or pointer.full is None:
            if self.pointer is not None:
                raise PublishError(
                    f"{self.directory} serves no version any more; version {self.version} is held until it does"
                )
            return None
        held = self.pointer
        if held is not None and held.store == pointer.store:
            if held.version == pointer.version:
                self.pointer = pointer
                return None
            path = pointer.path_from(held.version)
            if path is not None:
                try:
                    return Update(pointer, False, steps=self._deltas(path))
                except (VersionDamaged, FileNotFoundError):
                    pass  # a full version may still lead there
        return self._full(pointer, pointer.full)

    def _deltas(self, path: Sequence[Link]) -> list[Contents]:
        steps = [read_version(self.directory, link) for link in path]
        for link, step in zip(path, steps, strict=True):
            with damage(self.directory / link.file):
                step.changes()
        return steps

    def _full(self, pointer: Pointer, full: Link) -> Update:
        contents = read_version(self.directory, full, private=True)
        with damage(self.directory / full.file):
            snapshot = Snapshot(contents.members["manifest"], dict(contents.arrays))
        path = pointer.path_from(full.version)
        if path is None:
            raise VersionDamaged(f"no deltas lead from version {full.version} to {pointer.version}; {NAME} is wrong")
        for link, step in zip(path, self._deltas(path), strict=True):
            with damage(self.directory / link.file):
                snapshot = _advanced(snapshot, step).snapshot
        return Update(pointer, True, snapshot)

    def take(self, update: Update) -> Taken:
        """Make what was looked at the state that is held. Milliseconds: everything was read and verified before.

        Raises VersionDamaged if deltas do not fit the state, though their digests are right; the state is then given
        up, and the next look reads a full version.
        """
        if update.full:
            assert update.snapshot is not None
            taken = Taken(True, update.snapshot)
        else:
            assert self.snapshot is not None
            taken = Taken(False, self.snapshot)
            try:
                for step in update.steps:
                    taken = _joined(taken, _advanced(taken.snapshot, step))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.pointer, self._seen = None, None
                raise VersionDamaged(
                    f"a delta up to version {update.version} does not fit version {self.version} ({error}); the next "
                    "look takes the full version"
                ) from error
        self.snapshot = taken.snapshot
        self.pointer = update.pointer
        return taken


def follow(directory: Path) -> Follower:
    """Return a follower that holds the served version of a directory, if there is one that can be read."""
    follower = Follower(directory)
    follower.poll()
    return follower


def _advanced(snapshot: Snapshot, step: Contents) -> Taken:
    """Return a snapshot after a delta; its arrays change in place."""
    members = step.members
    arrays = dict(snapshot.arrays)
    rows: dict[str, Array | None] = {}
    replaced = set()
    for name, change in step.changes().items():
        before = arrays.get(name)
        after = applied(before, _owned(change, before))
        arrays[name] = after
        rows[name] = change.rows()
        if after is not before:
            replaced.add(name)
    gone = frozenset(members["gone"])
    for name in gone:
        arrays.pop(name, None)
    patch = members["patch"]
    manifest = snapshot.manifest if patch is None else patched(snapshot.manifest, patch)
    changed = () if patch is None else (*patch.get("members", ()), *patch.get("gone", ()))
    return Taken(
        False, Snapshot(manifest, arrays), rows, frozenset(replaced), gone, frozenset(changed), members["tombstones"]
    )


def _owned(change: ArrayChange, before: Array | None) -> ArrayChange:
    """Return the change with values that may be written to later; those of a delta's file are read-only."""
    if change.pieces is None and (
        before is None or before.shape != change.shape or before.dtype != change.values.dtype
    ):
        return ArrayChange(change.shape, None, change.values.copy())
    return change


def _joined(before: Taken, after: Taken) -> Taken:
    rows = dict(before.rows)
    for name, numbers in after.rows.items():
        earlier = rows.get(name, numbers)
        if name in rows and earlier is not None and numbers is not None:
            rows[name] = np.union1d(earlier, numbers)
        else:
            rows[name] = None if earlier is None else numbers
    tombstones: dict[str, Sequence[str]] = {**before.tombstones}
    for member, names in after.tombstones.items():
        tombstones[member] = [*tombstones.get(member, ()), *names]
    return Taken(
        False,
        after.snapshot,
        rows,
        before.replaced | after.replaced,
        (before.gone - after.rows.keys()) | after.gone,
        before.members | after.members,
        tombstones,
    )
