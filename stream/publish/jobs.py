"""What is done beside training: a delta or a full version is written from copies, and the pointer moved to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from stream.errors import PublishError
from stream.publish.change import ArrayChange
from stream.publish.files import DELTA, FULL, REFUSED
from stream.publish.follow import Follower
from stream.publish.gate import Bounds, Scores, Verdict, compare
from stream.publish.kept_events import decoded
from stream.publish.patch import difference, went
from stream.publish.pointer import Link, Pointer
from stream.publish.shadow import Shadow
from stream.publish.snapshot import Array, Snapshot
from stream.publish.store import EARLIER_DELTAS, VersionStore
from stream.records.interaction import Interaction

__all__ = ["Delta", "Done", "Full", "write_delta", "write_full"]

Records = Sequence[tuple[bytes | None, bytes | None]]


@dataclass(frozen=True, slots=True)
class Delta:
    """A delta to be written.

    Attributes:
        version, after: its number, and that of the version that readers have.
        before, manifest: the manifest of that version, and the one now.
        changes: of the arrays.
        gone: names of arrays that readers have and that are not there any more.
    """

    version: int
    after: int
    before: Mapping[str, Any]
    manifest: Mapping[str, Any]
    changes: Mapping[str, ArrayChange]
    gone: Sequence[str]


@dataclass(frozen=True, slots=True)
class Full:
    """A full version to be gated, written and served.

    Attributes:
        version: its number.
        manifest, names: of the state now.
        changes: of the shadow, to that state.
        serving: the manifest of what readers have, of which the shadow holds the arrays; None if it does not.
        loss: the learner's windowed loss.
        records: the newest events.
    """

    version: int
    manifest: Mapping[str, Any]
    names: frozenset[str]
    changes: Mapping[str, ArrayChange]
    serving: Mapping[str, Any] | None
    loss: float | None
    records: Records = field(repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job.

    Attributes:
        kind: full, delta or refused.
        version: its number.
        served: whether the pointer leads to it now; not if it was refused, or another choice was made meanwhile.
        pointer: as it stands.
        link: of the files.
        manifest: of the version.
        verdict: the gate's; None of a delta.
        cpu_seconds: processor time of the job.
        at_seconds: when it was done, on the monotonic clock.
    """

    kind: str
    version: int
    served: bool
    pointer: Pointer
    link: Link
    manifest: Mapping[str, Any]
    verdict: Verdict | None
    cpu_seconds: float
    at_seconds: float


def write_delta(store: VersionStore, job: Delta) -> Done:
    """Write a delta, and move the pointer to it if readers still have what it follows on."""
    started = time.thread_time()
    patch = difference(dict(job.before), dict(job.manifest))
    arrays: dict[str, Array] = {}
    for name, change in job.changes.items():
        if change.pieces is None:
            arrays[f"whole/{name}"] = change.values
        else:
            arrays[f"pieces/{name}"], arrays[f"values/{name}"] = change.pieces, change.values
    members = {
        "version": job.version,
        "after": job.after,
        **_said(job.manifest),
        "patch": patch,
        "tombstones": {} if patch is None else went(job.before, patch),
        "shapes": {name: list(change.shape) for name, change in job.changes.items()},
        "gone": sorted(job.gone),
    }
    link = store.write(DELTA, members, arrays)

    def moved(pointer: Pointer) -> Pointer | None:
        if pointer.version != job.after or pointer.hold is not None:
            return None
        return _serving(pointer, job.version, job.manifest, deltas=(*pointer.deltas, link))

    pointer = store.move(moved)
    served = pointer.version == job.version
    cpu_seconds = time.thread_time() - started
    return Done(DELTA, job.version, served, pointer, link, job.manifest, None, cpu_seconds, time.monotonic())


def write_full(
    store: VersionStore,
    job: Full,
    shadow: Shadow,
    before: Pointer,
    scores: Scores | None,
    bounds: Bounds,
    delta: Future[Done] | None,
) -> Done:
    """Gate a full version, write it, and serve it from it if it passed; if not, what was served before the candidate.

    `before` is the pointer as it was when the candidate was taken from the learner. The shadow is brought up to the
    candidate between the scoring of the two: so neither is in memory twice. `delta` is the job that leads readers to
    the same version: the pointer is moved after it, so that a refusal takes it back.
    """
    started = time.thread_time()
    interactions = decoded(list(job.records)) if scores is not None else []
    serving = None
    if scores is not None and interactions:
        snapshot = _served(store, job, shadow)
        serving = None if snapshot is None else scores(snapshot, interactions)
        del snapshot
    shadow.take(job.changes, job.names)
    verdict = _verdict(job, shadow, before, scores, interactions, serving, bounds)
    kind = FULL if verdict.passed else REFUSED
    members = {
        "version": job.version,
        **_said(job.manifest),
        "loss": job.loss,
        "gate": verdict.as_members(),
        "manifest": dict(job.manifest),
    }
    link = store.write(kind, members, shadow.arrays)
    choose = _promotion(job, link) if verdict.passed else _retreat(job, before)

    def moved(pointer: Pointer) -> Pointer:
        kept = tuple(full for full in pointer.fulls if (store.directory / full.file).exists())
        return replace(choose(pointer) or pointer, fulls=(*kept, link))

    if delta is not None:
        delta.exception()  # waits; what became of it, the pointer says
    pointer = store.move(moved)
    store.prune(job.version)
    served = verdict.passed and pointer.full == link
    cpu_seconds = time.thread_time() - started
    return Done(kind, job.version, served, pointer, link, job.manifest, verdict, cpu_seconds, time.monotonic())


def _served(store: VersionStore, job: Full, shadow: Shadow) -> Snapshot | None:
    if job.serving is not None:
        return Snapshot(job.serving, shadow.arrays)
    follower = Follower(store.directory)
    follower.poll()
    return follower.snapshot


def _verdict(
    job: Full,
    shadow: Shadow,
    before: Pointer,
    scores: Scores | None,
    interactions: Sequence[Interaction],
    serving: Any,
    bounds: Bounds,
) -> Verdict:
    if serving is None or scores is None:
        if job.loss is not None and before.loss is not None and job.serving is None:
            return _by_window(job.loss, before.loss, bounds)
        return Verdict(True, "there is nothing to compare it with")
    return compare(scores(Snapshot(job.manifest, shadow.arrays), interactions), serving, interactions, bounds)


def _by_window(loss: float, before: float, bounds: Bounds) -> Verdict:
    """Judge by the windowed losses alone: after a start no events are kept yet."""
    more = loss / before - 1.0 if before > 0 else 0.0
    if more > bounds.window:
        return Verdict(
            False,
            f"its windowed loss is {loss:.5f} nats a pair and was {before:.5f} at the served full version: {more:.1%} "
            f"more, and the bound is {bounds.window:.1%}",
            loss=loss,
            serving_loss=before,
        )
    return Verdict(True, "no events are kept to compare it on; its windowed loss is within its bound")


def _promotion(job: Full, link: Link) -> Callable[[Pointer], Pointer | None]:
    def moved(pointer: Pointer) -> Pointer | None:
        if pointer.hold is not None:
            return None
        earlier = tuple(delta for delta in pointer.deltas if delta.version <= job.version)[-EARLIER_DELTAS:]
        later = tuple(delta for delta in pointer.deltas if delta.version > job.version)
        chained = pointer.version == job.version or later
        members: dict[str, Any] = {"full": link, "loss": job.loss, "deltas": (*earlier, *later)}
        if not chained:
            return _serving(pointer, job.version, job.manifest, **members)
        promoted = replace(pointer, **members)  # what was published meanwhile leads on from the candidate
        return promoted if promoted.path_from(job.version) is not None else None

    return moved


def _retreat(job: Full, before: Pointer) -> Callable[[Pointer], Pointer | None]:
    def moved(pointer: Pointer) -> Pointer | None:
        if pointer.hold is not None or pointer.version < job.version:
            return None
        return replace(
            pointer,
            version=before.version,
            schema_version=before.schema_version,
            event_time_ms=before.event_time_ms,
            events_trained=before.events_trained,
            deltas=tuple(delta for delta in pointer.deltas if delta.version < job.version),
        )

    return moved


def _said(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in ("schema_version", "event_time_ms", "events_trained")}


def _serving(pointer: Pointer, version: int, manifest: Mapping[str, Any], **members: Any) -> Pointer:
    return replace(pointer, version=version, **_said(manifest), **members)


def failed(error: BaseException) -> PublishError:
    """Return what went wrong in a job as an error of publishing."""
    if isinstance(error, PublishError):
        return error
    return PublishError(
        f"a model version could not be made: {type(error).__name__}: {str(error)[:300]}; training goes on, and the "
        "next one is tried"
    )
