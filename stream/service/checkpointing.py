"""Making a checkpoint official: the steps whose order lets a crash at any moment lose nothing and repeat nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from stream.checkpoint import CheckpointStore, Writing, Written, can_fork, write_beside
from stream.checkpoint.file import Buffer
from stream.errors import Fenced
from stream.log.protocol import Commit, CommitLog
from stream.service.ledger import Cut, Ledger
from stream.service.predictions import PredictionsFile

__all__ = ["Checkpointer", "Made"]

_log = logging.getLogger("stream.service")


@dataclass(frozen=True, slots=True)
class Made:
    """A checkpoint that is official; of size 0 if none is kept."""

    number: int
    size_bytes: int


@dataclass(slots=True)
class _Flight:
    """A checkpoint that was begun and is not official yet, or has failed."""

    number: int
    cut: Cut
    ledger: Ledger
    predictions: PredictionsFile | None
    writing: Writing | None = None
    written: Written | None = None
    commit: Commit | None = None
    error: BaseException | None = None
    thread: threading.Thread | None = field(default=None)


class Checkpointer:
    """Makes checkpoints, one number after the other, at most one at a time.

    A checkpoint is seven steps. Training stands still for the first two; the others belong to a thread in the
    background while it goes on, and take nothing but what the first two have put aside:

    1. the lines of the predictions up to here are written (their length is part of the checkpoint);
    2. the offsets and dead letters of this moment are put aside, and the state, by a fork;
    3. the child writes the state under a temporary name, durably (`stream.checkpoint.beside`);
    4. the lines of the predictions become durable;
    5. the log commits, in one step, the dead letters, the offsets, and the checkpoint's number and digest;
    6. the checkpoint gets its name;
    7. older ones are removed.

    A crash before 5 leaves the former checkpoint official, a crash after it this one (a start renames the file).
    `Fenced` in 5 undoes 1 and 3, so that a learner that was replaced leaves its directory as it found it. Whatever goes
    wrong is raised by the next `collect`.

    Args:
        store: where checkpoints lie; None keeps none, and only dead letters become durable.
        commit_log: what makes them official.
        last: what the log holds now; None if nothing was committed.
        number: number of the last checkpoint, here or in the log; 0 if there is none.
        in_background: False takes all seven steps at once, in `begin`. Where there can be no child (another system than
            Linux, no memory for one), the third step is taken in `begin` in any case.
    """

    def __init__(
        self,
        store: CheckpointStore | None,
        commit_log: CommitLog,
        last: Commit | None,
        number: int,
        in_background: bool = False,
    ) -> None:
        self._store = store
        self._commit_log = commit_log
        self._last = last
        self._in_background = in_background
        self._flight: _Flight | None = None
        self.number = number

    @property
    def committed(self) -> bool:
        """Whether the log holds the checkpoint that this learner goes on from."""
        return self._last is not None

    @property
    def in_flight(self) -> bool:
        """Whether one was begun that `collect` has not returned yet."""
        return self._flight is not None

    def begin(
        self, pieces: Callable[[], Iterable[Buffer]], ledger: Ledger, predictions: PredictionsFile | None
    ) -> None:
        """Begin the next checkpoint, of this very moment; the one before has to be collected.

        Args:
            pieces: the bytes of the state of now, with the predictions' length as it is now. Called once, in a child
                as a rule: what it changes is lost.
            ledger: what it covers.
            predictions: whose lines were written; None if none are.

        Raises:
            CheckpointError: the disk refused, as far as that is known at once. DirectoryLost: see `CheckpointStore`.
        """
        assert self._flight is None
        flight = _Flight(self.number + 1, ledger.cut(), ledger, predictions)
        if self._store is not None:
            if self._in_background and can_fork():
                flight.writing = write_beside(self._store, flight.number, pieces)
                if flight.writing is None:
                    _log.warning(
                        "no process could be made to write checkpoint %d: training waits for it", flight.number
                    )
            if flight.writing is None:
                flight.written = self._store.write(flight.number, pieces())
        self._flight = flight
        if self._in_background:
            flight.thread = threading.Thread(target=self._finish, args=(flight,), name="stream-checkpoint", daemon=True)
            flight.thread.start()
        else:
            self._finish(flight)

    def collect(self, *, wait: bool = False) -> Made | None:
        """Return the checkpoint that has become official since the last call; None if none has.

        Args:
            wait: for the one in flight, if any.

        Raises:
            Fenced: a newer learner took over; nothing of the checkpoint is left in the directory.
            NonFinite: a weight is no number; nothing of it is left either.
            CheckpointError: the disk refused. LogError: the log stayed out of reach. Whether the commit counts is then
                for the next start to find out, so nothing is taken back.
        """
        flight = self._flight
        if flight is None:
            return None
        if flight.thread is not None:
            flight.thread.join(None if wait else 0.0)
            if flight.thread.is_alive():
                return None
        self._flight = None
        if flight.error is not None:
            if isinstance(flight.error, Fenced) and flight.commit is None:
                self._undo(flight)
            raise flight.error
        self._last, self.number = flight.commit, flight.number
        flight.ledger.published(flight.cut)
        if flight.predictions is not None:
            flight.predictions.committed()
        return Made(flight.number, 0 if flight.written is None else flight.written.size_bytes)

    def leave(self) -> None:
        """Wait for the one in flight before the process ends with another error; what it raises is said alone."""
        try:
            self.collect(wait=True)
        except Exception as error:  # the one that the process ends with is what matters
            _log.error("checkpoint %d was not made either: %s", self.number + 1, error)

    def confirm(self) -> None:
        """Commit the last checkpoint once more, which changes nothing; raises `Fenced` if a newer learner took over.

        A learner that was stopped for a while asks before it writes; one without events asks from time to time, which
        also keeps the log from forgetting its offsets (Kafka: `offsets.retention.minutes`). Raises `DirectoryLost` if
        the directory of the checkpoints is not this learner's any more.
        """
        assert self._flight is None
        if self._store is not None:
            self._store.require_in_place()
        if self._last is not None:
            self._commit_log.commit(self._last, ())

    def _finish(self, flight: _Flight) -> None:
        """Take the steps from the third on. Nothing here may look at what training changes."""
        try:
            if flight.writing is not None:
                flight.written = flight.writing.result()
            if flight.predictions is not None:
                flight.predictions.sync()
            commit = flight.cut.commit(flight.number, "" if flight.written is None else flight.written.digest)
            self._commit_log.commit(commit, flight.cut.dead_letters)
            flight.commit = commit
            if self._store is not None and flight.written is not None:
                self._store.promote(flight.written)
                self._store.prune()
        except BaseException as error:  # raised by `collect`, in the thread of the service
            flight.error = error

    def _undo(self, flight: _Flight) -> None:
        if self._store is not None and flight.written is not None:
            self._store.discard(flight.written.path)
        if flight.predictions is not None:
            flight.predictions.roll_back()
