"""What an operator does with model versions: see them, promote one, roll back to one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stream.errors import PublishError
from stream.publish.files import FULL, REFUSED, number_of, read_version
from stream.publish.pointer import Hold, Link, Pointer, read_pointer
from stream.publish.store import locked, move

__all__ = ["Listed", "listed", "members_of", "promote", "required_pointer", "roll_back"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A full version on disk.

    Attributes:
        version: its number.
        refused: whether the gate refused it.
        state: served (it, or deltas that lead on from it), held, refused or kept.
        size_bytes: of both files.
        made_ms: when it was made, wall-clock Unix ms.
        members: what its JSON file says beside the manifest.
    """

    version: int
    refused: bool
    state: str
    size_bytes: int
    made_ms: int
    members: Mapping[str, Any]


def required_pointer(directory: Path) -> Pointer:
    """Return the pointer; raises PublishError if nothing was ever published there."""
    pointer = read_pointer(directory)
    if pointer is None:
        raise PublishError(f"no model version was ever published in {directory}; set publish.directory to it")
    return pointer


def listed(directory: Path, pointer: Pointer) -> list[Listed]:
    """Return the full versions that are kept, newest first."""
    found = []
    for link in reversed(pointer.fulls):
        path = directory / link.file
        if not path.exists():
            continue
        refused = number_of(link.file, REFUSED) is not None
        served = pointer.full == link
        state = ("held" if pointer.hold else "served") if served else "refused" if refused else "kept"
        members = members_of(path)
        found.append(Listed(link.version, refused, state, link.size_bytes, int(members.get("made_ms", 0)), members))
    return found


def members_of(path: Path) -> dict[str, Any]:
    """Return what a version's JSON file says, its manifest as the names of its members alone."""
    try:
        members: dict[str, Any] = json.loads(path.read_bytes())
        members["manifest"] = sorted(members["manifest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishError(f"{path} cannot be read ({error}); take another model version") from error
    return members


def promote(directory: Path, version: int | None = None) -> Pointer:
    """Serve a full version, refused or not, by default the newest that the gate let through; end a rollback.

    The learner goes on publishing from there: its next full version is compared with this one.

    Raises PublishError if there is no such version, VersionDamaged if its files are not whole.
    """
    with locked(directory):
        pointer = required_pointer(directory)
        if version is None:
            version = max((link.version for link in _kept(directory, pointer, FULL)), default=0)
            if pointer.full is not None and pointer.full.version == version:
                pointer = replace(pointer.moved(hold=None), published_ms=_now_ms())
                move(directory, pointer)
                return pointer
        return _serve(directory, pointer, version, None)


def roll_back(directory: Path, reason: str, version: int | None = None) -> Pointer:
    """Serve an earlier full version, by default the one before the served one, until the next promotion.

    Raises PublishError if there is none, VersionDamaged if its files are not whole.
    """
    with locked(directory):
        pointer = required_pointer(directory)
        if version is None:
            begins = 0 if pointer.full is None else pointer.full.version
            earlier = (link.version for link in _kept(directory, pointer, FULL) if link.version < begins)
            version = max(earlier, default=0)
            if not version:
                raise PublishError(f"{directory} has no full version before {begins}; stream models list shows them")
        return _serve(directory, pointer, version, Hold(reason, _now_ms()))


def _serve(directory: Path, pointer: Pointer, version: int, hold: Hold | None) -> Pointer:
    link = next((link for link in _kept(directory, pointer) if link.version == version), None)
    if link is None:
        raise PublishError(f"{directory} has no full version {version}; stream models list shows those that it has")
    members = read_version(directory, link).members
    pointer = pointer.moved(
        version=version,
        full=link,
        deltas=(),
        hold=hold,
        loss=members["loss"],
        published_ms=_now_ms(),
        **{name: members[name] for name in ("schema_version", "event_time_ms", "events_trained")},
    )
    move(directory, pointer)
    return pointer


def _kept(directory: Path, pointer: Pointer, *kinds: str) -> list[Link]:
    """Return the full versions of these kinds, by default of all, whose files are there."""
    return [link for link in pointer.fulls if number_of(link.file, *kinds) and (directory / link.file).exists()]


def _now_ms() -> int:
    return round(time.time() * 1000)
