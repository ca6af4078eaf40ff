"""Publishing beside training: when a version is due, what is copied for it, and what came of it.

The learner's thread asks `Publisher.tend` between two batches. A publication begins there with a copy of what changed,
in one pass over the model; all the rest (the patch of the manifest, the gate, files, pointer) is done on other threads.
Both are paid for out of a share of the time that passes (`Budget`), deltas and full versions each out of their own, so
that neither waits for what the other has cost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from stream.errors import Fenced, PublishError, StreamError
from stream.observe import Observer
from stream.publish.budget import Budget
from stream.publish.gate import Bounds, Scores
from stream.publish.jobs import Delta, Done, Full, failed, write_delta, write_full
from stream.publish.kept_events import KeptEvents
from stream.publish.pointer import Pointer, read_pointer
from stream.publish.settings import PublishSettings
from stream.publish.shadow import Shadow
from stream.publish.snapshot import Snapshot
from stream.publish.store import VersionStore

__all__ = ["Publisher"]

_log = logging.getLogger("stream.publish")

DELTAS, FULLS = 0.6, 0.4
"""How the share is divided."""
URGENT_SECONDS = 1.0
"""So much time may be owed and a schema version is published all the same."""
HOLD_SECONDS = 1.0
"""How often the pointer is read while an operator holds a version."""
RETRY_SECONDS = 5.0
"""How long after a failure or a refusal the next one is tried at the earliest."""


@dataclass(slots=True)
class _Running:
    """A job on another thread.

    Attributes:
        settles: whether the shadow is what readers have, if it succeeds.
        begun_seconds: when the state was copied.
        names: the arrays' names in that state.
    """

    future: Future[Done]
    settles: bool
    begun_seconds: float
    names: frozenset[str]


class Publisher:
    """One learner's model versions.

    Args:
        store: where they go.
        settings: when, and which.
        snapshot: makes a snapshot of the learner as it is; called on the thread that calls `tend`.
        scores: scores events with a snapshot, for the gate; None compares windowed losses alone.
        observer: told what was published.
        clock: monotonic seconds.
        cpu_clock: processor time of the calling thread, seconds.
    """

    def __init__(
        self,
        store: VersionStore,
        settings: PublishSettings,
        snapshot: Callable[[], Snapshot],
        scores: Scores | None,
        observer: Observer,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._store = store
        self._settings = settings
        self._snapshot = snapshot
        self._scores = scores
        self._observer = observer
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._bounds = Bounds(
            settings.gate_loss, settings.gate_calibration, settings.gate_events_min, settings.delta_loss
        )
        self._events = KeptEvents(settings.gate_events, settings.gate_bytes)
        self._shadow = Shadow()
        now = clock()
        self._deltas = Budget(settings.share * DELTAS, now)
        self._fulls = Budget(settings.share * FULLS, now)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="stream-publish")
        self._delta: _Running | None = None
        self._full: _Running | None = None
        self._confirm: Callable[[], None] | None = None
        self._pointer: Pointer | None = None
        self._chained = False
        self._tip: Done | None = None
        self._names: frozenset[str] = frozenset()
        self._changed = self._urgent = False
        self._delta_due_seconds = self._full_due_seconds = self._hold_due_seconds = now
        self._loss: float | None = None
        self._state = "on"

    # -- what the service tells ---------------------------------------------------------------------------------

    def take_over(self, confirm: Callable[[], None], *, anything: bool) -> None:
        """Take the directory over; `confirm` asks the log whether this is still the newest process of its name.

        `anything` says whether there is a model to publish already. Raises `Fenced`. If the directory cannot be used,
        that is said, and tried again while training goes on.
        """
        self._confirm = confirm
        self._changed = anything
        self._observer.publishing("on", "model versions are published")
        self._try_to_take_over()

    def keep(self, records: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        """Keep the keys and values of events that were trained, for the gate."""
        for key, value in records:
            self._events.add(key, value)

    def trained(self, loss: float | None) -> None:
        """Events were trained; `loss` is the windowed loss since, in nats a pair."""
        self._changed = True
        self._loss = loss

    def schema_applied(self) -> None:
        """A schema version took effect: it is published with the next call of `tend`."""
        self._changed = self._urgent = True

    def tend(self) -> None:
        """Begin what is due, and take note of what is done. Raises `Fenced` if a newer process took over."""
        now = self._clock()
        self._deltas.earn(now)
        self._fulls.earn(now)
        self._collect(now)
        if not self._store.owned:
            if now >= self._full_due_seconds:
                self._try_to_take_over()
            return
        self._look_at_the_loss()
        self._look_at_the_hold(now)
        if self._changed and self._delta is None:
            self._begin_what_is_due(now)

    def _begin_what_is_due(self, now: float) -> None:
        # While no deltas go out, what they would have cost is there for the full version that lets them out again.
        more_seconds = 0.0 if self._flowing else max(0.0, self._deltas.saved_seconds)
        if self._full is None and now >= self._full_due_seconds and self._fulls.affords(more_seconds):
            self._begin(self._begin_full, now)
        elif self._flowing:
            urgent = self._urgent and self._deltas.affords(URGENT_SECONDS)
            if urgent or (now >= self._delta_due_seconds and self._deltas.affords()):
                self._begin(self._begin_delta, now)

    def finish(self) -> None:
        """Publish the state as it is at the end, if it is not yet, and wait until all is written."""
        self._wait()
        if self._store.owned and self._changed:
            now = self._clock()
            if self._flowing:
                self._begin(self._begin_delta, now)
            elif not self._held:
                self._begin(self._begin_full, now)
            self._wait()
        self.close()

    def close(self) -> None:
        """End the threads; what they have begun is waited for."""
        self._threads.shutdown(wait=True)

    @property
    def size_bytes(self) -> int:
        """Bytes of the copy by which changes are found, and of the events that are kept for the gate."""
        return self._shadow.size_bytes + self._events.size_bytes

    # -- beginning ----------------------------------------------------------------------------------------------

    @property
    def _flowing(self) -> bool:
        """Whether deltas go out."""
        return self._chained and self._state == "on"

    def _begin(self, begin: Callable[[float], None], now: float) -> None:
        """Begin a publication; whatever goes wrong with it does not stop training."""
        try:
            begin(now)
        except StreamError:
            raise
        except Exception as error:
            self._failed(failed(error), now)

    def _begin_delta(self, now: float) -> None:
        started = self._cpu_clock()
        snapshot = self._snapshot()
        changes = self._shadow.changes(snapshot.arrays)
        names = frozenset(snapshot.arrays)
        self._shadow.loosen(changes)
        frozen = self._full is not None
        if not frozen:
            self._shadow.take(changes, snapshot.arrays)
        self._submit_delta(self._store.next_version(), snapshot, changes, names, settles=not frozen, now=now)
        self._paid(self._deltas, self._cpu_clock() - started)

    def _submit_delta(
        self, version: int, snapshot: Snapshot, changes: Any, names: frozenset[str], *, settles: bool, now: float
    ) -> None:
        assert self._tip is not None
        job = Delta(version, self._tip.version, self._tip.manifest, snapshot.manifest, changes, [*self._names - names])
        self._delta = _Running(self._threads.submit(write_delta, self._store, job), settles, now, names)
        self._changed = self._urgent = False
        self._delta_due_seconds = now + self._settings.delta_seconds

    def _begin_full(self, now: float) -> None:
        started = self._cpu_clock()
        snapshot = self._snapshot()
        version = self._store.next_version()
        changes = self._shadow.changes(snapshot.arrays)
        names = frozenset(snapshot.arrays)
        serving = self._tip.manifest if self._chained and self._tip is not None and self._shadow.settled else None
        self._shadow.loosen(changes)
        flowing = self._flowing
        job = Full(version, snapshot.manifest, names, changes, serving, self._loss, self._events.records())
        pointer = self._pointer
        assert pointer is not None
        if flowing:
            self._submit_delta(version, snapshot, changes, names, settles=False, now=now)
        delta = self._delta.future if flowing and self._delta is not None else None
        submitted = self._threads.submit(
            write_full, self._store, job, self._shadow, pointer, self._scores, self._bounds, delta
        )
        self._full = _Running(submitted, not flowing, now, names)
        self._changed = self._urgent = False
        self._full_due_seconds = now + self._settings.full_seconds
        self._pay_for_full(self._cpu_clock() - started)

    # -- what came of it ----------------------------------------------------------------------------------------

    def _wait(self) -> None:
        for running in (self._delta, self._full):
            if running is not None:
                running.future.exception()  # waits; what it is, `_collect` sees
        self._collect(self._clock())

    def _collect(self, now: float) -> None:
        if self._delta is not None and self._delta.future.done():
            running, self._delta = self._delta, None
            done = self._result(running, now)
            if done is not None:
                self._delta_done(done, running)
        if self._full is not None and self._delta is None and self._full.future.done():
            running, self._full = self._full, None
            done = self._result(running, now)
            if done is not None:
                self._full_done(done, running, now)

    def _result(self, running: _Running, now: float) -> Done | None:
        error = running.future.exception()
        if isinstance(error, Fenced):
            raise error
        if error is not None:
            self._failed(failed(error), now)
            return None
        return running.future.result()

    def _failed(self, error: PublishError, now: float) -> None:
        _log.error("%s", error)
        self._observer.publishing_failed(str(error))
        self._changed = True
        self._delta_due_seconds = now + RETRY_SECONDS
        if not self._chained:
            self._full_due_seconds = now + RETRY_SECONDS

    def _delta_done(self, done: Done, running: _Running) -> None:
        self._paid(self._deltas, done.cpu_seconds)
        self._pointer = done.pointer
        if not done.served:
            self._chained = False
            self._changed = True
            self._full_due_seconds = self._clock()
            return
        self._tip = done
        self._names = running.names
        if running.settles:
            self._shadow.settle()
        self._told(done, running)
        if done.pointer.chain_bytes > self._settings.chain_bytes:
            self._full_due_seconds = self._clock()

    def _full_done(self, done: Done, running: _Running, now: float) -> None:
        self._pay_for_full(done.cpu_seconds)
        self._pointer = done.pointer
        if done.verdict is not None and not done.verdict.passed:
            _log.warning("model version %d was refused: %s", done.version, done.verdict.sentence)
            self._observer.version_refused(done.version, done.verdict.sentence)
            self._chained = False
            self._changed = True
            self._full_due_seconds = now + max(RETRY_SECONDS, self._settings.full_seconds / 10)
            if self._state == "on":
                self._turn("stopped", f"version {done.version} was refused; nothing is published until one has passed")
            return
        if not done.served:  # an operator holds another one, or what was published meanwhile does not lead on from it
            self._chained = False
            self._full_due_seconds = max(self._full_due_seconds, now + RETRY_SECONDS) if self._held else now
            return
        if running.settles or self._tip is None or self._tip.version < done.version:
            # No delta leads up to it or on from it: what is served is what the shadow has.
            self._tip = done
            self._chained = True
            self._names = running.names
            self._shadow.settle()
        self._told(done, running)

    def _told(self, done: Done, running: _Running) -> None:
        seconds = done.at_seconds - running.begun_seconds
        schema_version = int(done.manifest["schema_version"])
        self._observer.version_published(done.kind, done.version, schema_version, done.link.size_bytes, seconds)

    def _pay_for_full(self, cpu_seconds: float) -> None:
        from_deltas = 0.0 if self._flowing else min(cpu_seconds, max(0.0, self._deltas.saved_seconds))
        self._deltas.spend(from_deltas)
        self._fulls.spend(cpu_seconds - from_deltas)
        self._observer.publishing_cost(cpu_seconds)

    def _paid(self, budget: Budget, cpu_seconds: float) -> None:
        budget.spend(cpu_seconds)
        self._observer.publishing_cost(cpu_seconds)

    # -- why nothing is published -------------------------------------------------------------------------------

    @property
    def _held(self) -> bool:
        return self._pointer is not None and self._pointer.hold is not None

    def _look_at_the_loss(self) -> None:
        reference = None if self._pointer is None else self._pointer.loss
        if not self._chained or reference is None or self._loss is None:
            return
        above = self._loss > reference * (1.0 + self._settings.delta_loss)
        if above and self._state == "on":
            self._turn(
                "stopped",
                f"the windowed loss is {self._loss:.5f} nats a pair and was {reference:.5f} at the served full one: "
                f"that is more than {self._settings.delta_loss:.0%} more, so nothing is published until a full "
                "version has passed the gate",
            )
            self._full_due_seconds = self._clock()
        elif self._state == "stopped" and not above:
            self._turn("on", "the windowed loss is within its bound, or a full version has passed")

    def _look_at_the_hold(self, now: float) -> None:
        hold = None if self._pointer is None else self._pointer.hold
        if self._state != "held" and self._pointer is not None and hold is not None:
            self._turn("held", f"version {self._pointer.version} is held by an operator: {hold.reason}")
            self._full_due_seconds = now + self._settings.full_seconds
            self._hold_due_seconds = now
        elif self._state == "held" and now >= self._hold_due_seconds:
            self._hold_due_seconds = now + HOLD_SECONDS
            self._pointer = read_pointer(self._store.directory) or self._pointer
            if self._pointer is not None and self._pointer.hold is None:
                self._turn("on", f"version {self._pointer.version} was promoted")
                self._full_due_seconds = now

    def _turn(self, state: str, sentence: str) -> None:
        self._state = state
        (_log.info if state == "on" else _log.warning)("publishing: %s", sentence)
        self._observer.publishing(state, sentence)

    def _try_to_take_over(self) -> None:
        assert self._confirm is not None
        try:
            self._pointer = self._store.take_over(self._confirm)
        except PublishError as error:
            self._failed(error, self._clock())
