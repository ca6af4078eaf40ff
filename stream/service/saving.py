"""When a checkpoint is begun, and what its end is: the service's side of `stream.service.checkpointing`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stream import state
from stream.errors import BrokerUnavailable
from stream.observe import Observer
from stream.service.checkpointing import Checkpointer
from stream.service.interface import ServedLearner
from stream.service.ledger import Ledger
from stream.service.pace import Clocks, Pace
from stream.service.patience import Patience
from stream.service.predictions import PredictionsFile

__all__ = ["Saving"]

GAP_SECONDS = 5.0
"""A step that seems to have taken longer may have been a stopped process, since replaced: it asks before it writes."""


class Saving:
    """Begins checkpoints when they are due, and takes note of those that have become official.

    One that falls due while another is in flight is begun as soon as that one is official: training does not wait,
    unless so much waits to be published (dead letters, lines of predictions) as may.

    Args:
        pace: when they are due.
        clocks: the times to read.
        checkpointer: what makes them.
        learner: whose state they hold.
        ledger: what has been dealt with.
        predictions: the file of predictions; None for none.
        about: returns what a checkpoint keeps beside the learner, as of now.
        reachable: asks the log anything; raises what the log raises.
        patience: how the log is asked.
        observer: told of checkpoints.
    """

    def __init__(
        self,
        *,
        pace: Pace,
        clocks: Clocks,
        checkpointer: Checkpointer,
        learner: ServedLearner,
        ledger: Ledger,
        predictions: PredictionsFile | None,
        about: Callable[[], dict[str, Any]],
        reachable: Callable[[], bool],
        patience: Patience,
        observer: Observer,
    ) -> None:
        self._pace = pace
        self._clock = clocks.monotonic
        self._sleep = clocks.sleep
        self._checkpointer = checkpointer
        self._learner = learner
        self._ledger = ledger
        self._predictions = predictions
        self._about = about
        self._reachable = reachable
        self._patience = patience
        self._observer = observer
        self._events_since = 0
        self._doubtful = False
        self._stood_seconds = 0.0
        self._begun_seconds = self._seen_seconds = self._clock()

    @property
    def committed(self) -> bool:
        """Whether the log holds the checkpoint that this learner goes on from."""
        return self._checkpointer.committed

    def pulse(self) -> float:
        """Return the time; after a gap in it, doubt that the name is still this process's."""
        now = self._clock()
        if now - self._seen_seconds > GAP_SECONDS:
            self._doubtful = True
        self._seen_seconds = now
        return now

    def sure(self) -> bool:
        """Say whether the name is this process's: asks the log after a gap in time, unless that has to wait."""
        if self._doubtful and not self._checkpointer.in_flight and self._patience.ask(self._reachable):
            self.confirm()
        return not self._doubtful

    def trained(self, events: int) -> bool:
        """Count trained events; begin a checkpoint if they, or their predictions, make one due. Say whether it did."""
        self._events_since += events
        self.pulse()
        if self._events_since < self._pace.checkpoint_events and not self._predictions_are_many:
            return False
        return self._begin_unless_in_flight()

    def if_due(self) -> bool:
        """Take note of a checkpoint that is official, and begin one that is due by anything; say whether it did."""
        self._collect()
        late = self._clock() - self._begun_seconds >= self._pace.checkpoint_seconds
        events_are_many = self._events_since >= self._pace.checkpoint_events
        if self._much_waits or events_are_many or (late and self._ledger.changed):
            return self._begin_unless_in_flight()
        if late and not self._checkpointer.in_flight:
            self.confirm()
        return False

    def for_sure(self, stopping: Callable[[], bool]) -> None:
        """Make a checkpoint official, however long the log is away.

        Raises `BrokerUnavailable` if the service is to stop before that.
        """
        self._collect(wait=True)
        while not self.begin():
            if stopping():
                raise BrokerUnavailable(
                    "The log is away, so the last checkpoint could not be made official. Nothing is lost: the next "
                    f"start goes on from checkpoint {self._checkpointer.number}."
                )
            self._sleep(self._pace.poll_seconds)
        self._collect(wait=True)

    def last(self, stopping: Callable[[], bool]) -> None:
        """Make official all that was learned, as `for_sure` does."""
        self._collect(wait=True)
        if self._ledger.changed or self._events_since:
            self.for_sure(stopping)

    def leave(self) -> None:
        """Let the one in flight come to its end before the process leaves with an error."""
        self._checkpointer.leave()

    def begin(self) -> bool:
        """Begin a checkpoint, and return whether that was possible: one is begun only while the log answers.

        A commit that is begun and not answered for is of unknown outcome, and ends the process.
        """
        if not self._patience.ask(self._reachable):
            return False
        self.pulse()
        if self._doubtful:
            self.confirm()
        started = self._clock()
        if self._predictions is not None:
            self._predictions.write()
        service, learner = self._about(), self._learner
        self._checkpointer.begin(
            lambda: state.pieces({"service": service, "learner": learner.state()}), self._ledger, self._predictions
        )
        self._events_since = 0
        self._begun_seconds, self._seen_seconds = started, self._clock()
        self._stood_seconds = self._seen_seconds - started
        self._collect()
        return True

    def _begin_unless_in_flight(self) -> bool:
        self._collect(wait=self._much_waits)
        return not self._checkpointer.in_flight and self.begin()

    @property
    def _much_waits(self) -> bool:
        letters, letters_bytes = self._ledger.unpublished
        return letters >= self._pace.letters or letters_bytes >= self._pace.letters_bytes or self._predictions_are_many

    @property
    def _predictions_are_many(self) -> bool:
        return self._predictions is not None and self._predictions.waiting_bytes >= self._pace.predictions_bytes

    def _collect(self, *, wait: bool = False) -> None:
        made = self._checkpointer.collect(wait=wait)
        if made is not None:
            seconds = self._clock() - self._begun_seconds
            self._observer.checkpointed(made.number, seconds, made.size_bytes, self._stood_seconds)

    def confirm(self) -> None:
        """Ask the log whether the name is still this process's; raises `Fenced`. None may be in flight."""
        self._checkpointer.confirm()
        self._doubtful = False
        self._begun_seconds = self._seen_seconds = self._clock()
