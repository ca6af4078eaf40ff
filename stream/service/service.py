"""The loop: fetch, align, fill a batch, predict and train, checkpoint; one for Kafka, embedded log and files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stream.errors import SchemaRejected
from stream.observe import Observer, Step
from stream.records.event_time import utc
from stream.records.reasons import RejectionReason
from stream.service.align import Aligner
from stream.service.batch import PartialBatch
from stream.service.burst import BurstGuard
from stream.service.checkpointing import Checkpointer
from stream.service.intake import Intake
from stream.service.interface import Publishes, ServedLearner
from stream.service.item import Item, PendingVersion
from stream.service.ledger import Ledger
from stream.service.mismatches import Mismatches
from stream.service.pace import Clocks, Pace
from stream.service.patience import Patience
from stream.service.predictions import PredictionsFile
from stream.service.progress import Progress, Rejection
from stream.service.saving import Saving
from stream.service.standing_by import what_is_missing

__all__ = ["Service"]

_log = logging.getLogger("stream.service")


class Service:
    """One learner on one stream, on one thread.

    `stream.service.start.open_service` puts one together; tests hand in their own parts.

    Args:
        pace: how often things happen.
        clocks: the times to read.
        learner: the model, restored or new.
        intake: where records come from.
        aligner: what decides on their order; empty.
        batch: the batch to fill; empty.
        ledger: the offsets at which the sources stand.
        burst: what stops the process when too many records are invalid.
        checkpointer: what makes checkpoints official.
        progress: what the service itself keeps in a checkpoint.
        predictions: the file of predictions; None for none.
        patience: how the log is asked.
        observer: told everything.
        publisher: what publishes model versions; None publishes none.
    """

    def __init__(
        self,
        *,
        pace: Pace,
        clocks: Clocks,
        learner: ServedLearner,
        intake: Intake,
        aligner: Aligner,
        batch: PartialBatch,
        ledger: Ledger,
        burst: BurstGuard,
        checkpointer: Checkpointer,
        progress: Progress,
        predictions: PredictionsFile | None,
        patience: Patience,
        observer: Observer,
        publisher: Publishes | None = None,
    ) -> None:
        self._pace = pace
        self._clocks = clocks
        self._clock = clocks.monotonic
        self._learner = learner
        self._intake = intake
        self._aligner = aligner
        self._batch = batch
        self._ledger = ledger
        self._burst = burst
        self._progress = progress
        self._predictions = predictions
        self._patience = patience
        self._observer = observer
        self._publisher = publisher
        self._missing = ""
        self._stopping = False
        self._ended = False
        self._more = False
        self._mismatches = Mismatches()
        self._unknown_names: Mapping[str, Sequence[tuple[str, int]]] = {}
        self.saving = Saving(
            pace=pace,
            clocks=clocks,
            checkpointer=checkpointer,
            learner=learner,
            ledger=ledger,
            predictions=predictions,
            about=self._about,
            reachable=intake.reachable,
            patience=patience,
            observer=observer,
        )

    def stop(self) -> None:
        """Ask the loop to end after the step in hand; safe in a signal handler, a second call does nothing."""
        self._stopping = True

    def run(self) -> dict[str, Any]:
        """Serve until stopped, or until the end if that is wanted; write the last checkpoint and return the summary.

        Raises:
            Fenced, NonFinite, DeadLetterBurst, LogError, CheckpointError: nothing was checkpointed after what went
                wrong.
        """
        try:
            return self._run()
        except Exception:
            self.saving.leave()
            raise

    def _run(self) -> dict[str, Any]:
        if not self.saving.committed:
            # It fixes where it began, whatever becomes of the log's beginning or of "latest".
            self.saving.for_sure(self._is_stopping)
        if self._progress.rejection is not None:
            self._observer.schema_rejected(self._progress.rejection.version, self._progress.rejection.reason)
        if self._publisher is not None:
            self._publisher.take_over(self.saving.confirm, anything=self._learner.schema.version > 0)
        while not (self._stopping or self._ended):
            self._step()
        if self._ended:
            self._train()
            self._warn_of_what_waits()
        self.saving.last(self._is_stopping)
        self._look_for_mismatches()
        if self._publisher is not None:
            self._publisher.finish()
        summary = self._progress.summary(self._learner, self._clock())
        self._observer.stopped(summary)
        return summary

    def _is_stopping(self) -> bool:
        return self._stopping

    def _step(self) -> None:
        now = self.saving.pulse()
        self._progress.begun(now)
        if not self._aligner.open:
            published = self._patience.ask(self._intake.read_schema)
            if published is None:
                self._clocks.sleep(self._pace.poll_seconds)
                return
            self._deliver(published)
        if not self._aligner.open:
            self._stand_by()
        else:
            fetched = self._patience.ask(lambda: self._intake.fetch(self._longest_wait(now), self._unsettled()))
            if fetched is None:
                self._clocks.sleep(self._pace.poll_seconds)
                return
            items, versions = fetched
            self._deliver(versions)
            self._aligner.arrive(items)
            self._advance()
            if self._batch.due_in(self._clock()) == 0.0:
                self._train()
            self._intake.regulate(self._aligner.waiting())
        if self._publisher is not None and self.saving.sure():
            self._publisher.tend()
        if self.saving.if_due():
            self._look_for_mismatches()
        self._ended = self._pace.stop_at_end and self._intake.ended and self._aligner.empty and not self._more

    def _warn_of_what_waits(self) -> None:
        """Say so where a finite pass has ended before its first schema version took effect: it learned no offer."""
        waiting = self._aligner.next_version
        if self._learner.schema.version or waiting is None or waiting.version is None:
            return
        latest = self._learner.event_time_ms
        _log.warning(
            "no schema version took effect, so no label was learned: version %d takes effect at %d (%s), and the last "
            "interaction is of %s; write both times in Unix milliseconds, and version 1 no later than the first "
            "interaction",
            waiting.version.version,
            waiting.version.ts,
            utc(waiting.version.ts),
            "no time at all" if latest is None else f"{latest} ({utc(latest)})",
        )

    def _longest_wait(self, now: float) -> float:
        """Return how long a fetch may wait for records."""
        if self._more:
            return 0.0
        due = self._batch.due_in(now)
        return self._pace.poll_seconds if due is None else min(self._pace.poll_seconds, due)

    def _unsettled(self) -> Counter[int]:
        """Return, by partition, how many records were fetched and are neither trained nor dead-lettered."""
        unsettled = Counter(self._batch.partitions)
        unsettled.update({partition: events for partition, (events, _) in self._aligner.waiting().items()})
        return unsettled

    def _stand_by(self) -> None:
        """Fetch nothing while version 1 is not there; reject what can take no effect all the same."""
        self._advance()
        self._say_what_is_missing()
        self._patience.ask(self._intake.stand_by)
        self._clocks.sleep(self._pace.poll_seconds)

    def _say_what_is_missing(self) -> None:
        """Tell at once, and once, why nothing is fetched."""
        waiting = self._aligner.next_version
        said = what_is_missing(waiting, self._intake.schema_topic, self._ledger.schema_offset)
        if said != self._missing:
            self._missing = said
            (_log.info if waiting is None else _log.error)("%s", said)
            self._observer.stands_by(said, waiting is not None)

    def _deliver(self, versions: list[PendingVersion]) -> None:
        """Take in versions; what was handed out and not trained goes back, because it may have to come after them."""
        if not versions:
            return
        entries = self._batch.take()
        self._burst.unsee(len(entries))
        self._aligner.give_back(entries)
        for version in versions:
            self._aligner.deliver(version)

    def _advance(self) -> None:
        """Deal with what the aligner lets through, up to a step's worth."""
        left = self._pace.step_events
        self._more = False
        while not self._stopping:
            if left <= 0:
                self._more = True
                return
            taken = self._aligner.take(self._clock(), self._intake.standing, left)
            if taken is None:
                return
            if isinstance(taken, PendingVersion):
                self._take_effect(taken)
                continue
            left -= len(taken)
            for item in taken:
                self._release(item)
                if self._stopping:
                    return  # the rest is unread: the ledger does not know it

    def _release(self, item: Item) -> None:
        self._burst.saw(item)
        if not item.reason:
            item.unpack()
            self._batch.add(item, self._clock())
            if self._batch.full:
                self._train()
        elif self._batch.holds_before(item):
            self._batch.add(item, self._clock())
        else:
            self._settle(item)

    def _settle(self, item: Item) -> None:
        self._ledger.settle(item)
        if item.reason:
            self._learner.dead_letter(item.reason.value)
            self._observer.dead_letter(item.reason.value)

    def _train(self) -> None:
        """Predict and train the batch as it is, and settle what it held."""
        if not self._batch.events:
            return
        entries = self._batch.take()
        interactions = [item.interaction for item in entries if not item.reason and item.interaction is not None]
        started = self._clock()
        batch = self._learner.encode(interactions)
        encoded, cpu_started = self._clock(), self._clocks.cpu_seconds()
        self._observer.encoded(encoded - started, len(interactions))
        report = self._learner.learn(batch)
        seconds, cpu_seconds = self._clock() - encoded, self._clocks.cpu_seconds() - cpu_started
        self._progress.step_times.add(report.phase, len(interactions), seconds, cpu_seconds)
        self._unknown_names = report.unknown_names
        self._aligner.event_time_ms = self._learner.event_time_ms
        for item in entries:
            self._settle(item)
        if self._publisher is not None:
            self._publisher.keep((item.record.key, item.record.value) for item in entries if not item.reason)
            self._publisher.trained(report.window.bce)
        if self._predictions is not None:
            self._predictions.append(report.scores)
        unix_seconds = self._clocks.unix_seconds
        ages = () if unix_seconds is None else [unix_seconds() - event.ts / 1000 for event in interactions]
        self._observer.trained(Step(report, seconds, ages, cpu_seconds))
        if self.saving.trained(len(interactions)):
            self._look_for_mismatches()

    def _take_effect(self, pending: PendingVersion) -> None:
        """Apply a version, or reject it; only one that changes the schema ends the batch before it."""
        started = self._clock()
        if pending.version is None:
            assert pending.error is not None
            self._reject(pending, pending.error.reason, str(pending.error))
            return
        try:
            if self._learner.schema.check(pending.version) == "new":
                self._train()
                started = self._clock()
            report = self._learner.apply(pending.version)
        except SchemaRejected as error:
            self._reject(pending, error.reason, str(error))
            return
        self._ledger.settle_version(pending)
        self._aligner.in_effect(self._learner.schema.version, self._learner.schema.event_time_ms)
        if not report.duplicate:
            self._progress.rejection = None
            if self._publisher is not None:
                self._publisher.schema_applied()
        self._observer.schema_changed(report, self._clock() - started)

    def _reject(self, pending: PendingVersion, reason: RejectionReason, message: str) -> None:
        record = pending.record
        _log.error(
            "schema record %s-%d at offset %d is rejected: %s", record.topic, record.partition, record.offset, message
        )
        self._aligner.rejected(pending)
        self._ledger.settle_version(pending, rejected=reason, message=message)
        self._progress.rejection = Rejection(pending.number, reason.value, message)
        self._observer.schema_rejected(pending.number, reason.value)

    def _look_for_mismatches(self) -> None:
        if self._unknown_names:
            self._mismatches.look(self._unknown_names)

    def _about(self) -> dict[str, Any]:
        """Return what a checkpoint keeps beside the learner."""
        return {
            **self._progress.state(self._clock()),
            **self._ledger.state(),
            **self._intake.digests_before(self._ledger.offsets, self._ledger.schema_offset),
            "recent": self._burst.state(unsettled=len(self._batch)),
            "predictions_bytes": None if self._predictions is None else self._predictions.length_bytes,
        }
