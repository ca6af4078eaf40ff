"""The pointer: the one small file that says which model version is served, replaced in one step.

`current.json` is read by whoever follows the directory. It is written under a lock, by who holds the learner's name
or by an operator's command.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stream.errors import PublishError

__all__ = ["FORMAT", "NAME", "Hold", "Link", "Pointer", "read_pointer"]

FORMAT = 1
NAME = "current.json"


@dataclass(frozen=True, slots=True)
class Link:
    """A version's place in the chain.

    Attributes:
        version: its number.
        after: of a delta, the version that it is applied to; of a full one, 0.
        file: name of its JSON file in the directory.
        sha256: the digest of that file, in which the digest of the arrays' file stands.
        size_bytes: of both files.
    """

    version: int
    after: int
    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Hold:
    """That an operator has taken the choice of the version: nothing moves the pointer but the next promotion.

    Attributes:
        reason: why, in the operator's words.
        since_ms: since when, wall-clock Unix ms.
    """

    reason: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """What `current.json` holds.

    Attributes:
        store: names this series of versions; another one begins if the directory is made anew.
        learner: the name of the learner that publishes here.
        epoch: rises with each process that takes the directory over; one with an older epoch is refused.
        serial: rises with each move.
        newest: the highest number that a version was ever given, served or not.
        version: the version that is served; 0: none yet.
        schema_version, event_time_ms, events_trained: of that version.
        published_ms: when the pointer was moved to it, wall-clock Unix ms.
        loss: the windowed loss, in nats a pair, of the learner when it made the served full version; None: unknown.
        full: the full version to begin from; None: none yet.
        deltas: ascending. Some lead up to the full version, for readers that lag behind; the others on from it.
        fulls: the full versions that are kept, refused ones too, ascending: what can be promoted.
        hold: set while an operator's choice lasts.
    """

    store: str
    learner: str
    epoch: int = 0
    serial: int = 0
    newest: int = 0
    version: int = 0
    schema_version: int = 0
    event_time_ms: int | None = None
    events_trained: int = 0
    published_ms: int = 0
    loss: float | None = None
    full: Link | None = None
    deltas: tuple[Link, ...] = ()
    fulls: tuple[Link, ...] = ()
    hold: Hold | None = None

    def path_from(self, version: int) -> tuple[Link, ...] | None:
        """Return the deltas that lead from a version to the served one, in order; None if there is no such way."""
        steps: list[Link] = []
        at = version
        for link in self.deltas:
            if at == self.version:
                break
            if link.after == at:
                steps.append(link)
                at = link.version
        return tuple(steps) if at == self.version else None

    @property
    def chain_bytes(self) -> int:
        """Bytes of the deltas that lead on from the full version."""
        return sum(
            link.size_bytes for link in self.deltas if self.full is not None and link.version > self.full.version
        )

    def encode(self) -> bytes:
        """Return the file's bytes."""
        members = {"format": FORMAT, **asdict(self)}
        return json.dumps(members, indent=1, ensure_ascii=False).encode() + b"\n"

    def moved(self, **members: Any) -> Pointer:
        """Return the pointer after a move."""
        return replace(self, serial=self.serial + 1, **members)


def read_pointer(directory: Path) -> Pointer | None:
    """Return the pointer of a directory; None if nothing was ever published there.

    Raises PublishError if it cannot be read, or is none.
    """
    path = directory / NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PublishError(f"{path} cannot be read: {error.strerror}; see its path and rights") from error
    try:
        members = json.loads(text)
        version = members.pop("format")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_pointer(path, error) from error
    if version != FORMAT:
        raise PublishError(
            f"{path} has the format {version!r:.20}, this program reads {FORMAT}; use the release that wrote it, or "
            "another directory"
        )
    try:
        full, hold = members.pop("full"), members.pop("hold")
        deltas, fulls = members.pop("deltas"), members.pop("fulls")
        return Pointer(
            **members,
            full=None if full is None else _link(full),
            deltas=_links(deltas),
            fulls=_links(fulls),
            hold=None if hold is None else Hold(**hold),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _no_pointer(path, error) from error


def _links(members: Sequence[dict[str, Any]]) -> tuple[Link, ...]:
    return tuple(_link(member) for member in members)


def _link(members: dict[str, Any]) -> Link:
    link = Link(**members)
    if "/" in link.file or not link.file.endswith(".json"):
        raise ValueError(f"{link.file!r:.80} is no file of this directory")
    return link


def _no_pointer(path: Path, error: Exception) -> PublishError:
    return PublishError(
        f"{path} is not what this program writes ({type(error).__name__}: {str(error)[:200]}); remove it, and the "
        "learner publishes a full version at its next start"
    )
