"""Making a checkpoint official: the steps whose order lets a crash at any moment lose nothing and repeat nothing."""

from __future__ import annotations

from collections.abc import Callable

from stream import state
from stream.checkpoint import CheckpointStore
from stream.errors import Fenced
from stream.log.protocol import Commit, CommitLog
from stream.service.ledger import Ledger
from stream.service.predictions import PredictionsFile

__all__ = ["Checkpointer"]


class Checkpointer:
    """Writes checkpoints, one number after the other.

    A checkpoint is five steps:

    1. the predictions up to here become durable (their length is part of the checkpoint);
    2. the checkpoint becomes durable under a temporary name;
    3. the log commits, in one step, the dead letters, the offsets, and the checkpoint's number and digest;
    4. the checkpoint gets its name;
    5. older ones are removed.

    A crash before 3 leaves the former checkpoint official, a crash after it this one (a start renames the file).
    `Fenced` in 3 undoes 1 and 2, so that a learner that was replaced leaves its directory as it found it.

    Args:
        store: where checkpoints lie; None keeps none, and only dead letters become durable.
        commit_log: what makes them official.
        last: what the log holds now; None where nothing was committed.
        number: number of the last checkpoint, here or in the log; 0 where there is none.
    """

    def __init__(self, store: CheckpointStore | None, commit_log: CommitLog, last: Commit | None, number: int) -> None:
        self._store = store
        self._commit_log = commit_log
        self._last = last
        self.number = number

    @property
    def committed(self) -> bool:
        """Whether the log holds the checkpoint that this learner goes on from."""
        return self._last is not None

    def save(self, tree: Callable[[], state.Tree], ledger: Ledger, predictions: PredictionsFile | None) -> int:
        """Write the next checkpoint and return its size in bytes (0 where none is kept).

        Args:
            tree: the state to write; called after the predictions were made durable.
            ledger: what it covers; told when that is official.
            predictions: lines of the events that it covers; None where none are written.

        Raises:
            Fenced: a newer learner took over; nothing of this call is left in the directory.
            CheckpointError: the disk refused. LogError: the log stayed out of reach. Whether the commit counts is then
                for the next start to find out, so nothing is taken back.
        """
        number = self.number + 1
        if predictions is not None:
            predictions.flush()
        written = None if self._store is None else self._store.write(number, state.encode(tree()))
        commit, dead_letters = ledger.commit(number, "" if written is None else written.digest)
        try:
            self._commit_log.commit(commit, dead_letters)
        except Fenced:
            if self._store is not None and written is not None:
                self._store.discard(written.path)
            if predictions is not None:
                predictions.roll_back()
            raise
        self._last, self.number = commit, number
        if self._store is not None and written is not None:
            self._store.promote(written)
            self._store.prune()
        ledger.published()
        if predictions is not None:
            predictions.committed()
        return 0 if written is None else written.size_bytes

    def confirm(self) -> None:
        """Commit the last checkpoint once more, which changes nothing; raises `Fenced` where a newer learner took over.

        A learner that was stopped for a while asks before it writes; one without events asks from time to time, which
        also keeps the log from forgetting its offsets (Kafka: `offsets.retention.minutes`). Raises `DirectoryLost` if
        the directory of the checkpoints is not this learner's any more.
        """
        if self._store is not None:
            self._store.require_in_place()
        if self._last is not None:
            self._commit_log.commit(self._last, ())
