"""Fetching: interactions, after each fetch the schema topic, and how long each partition has stood at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream.log.protocol import InteractionSource, Record, SchemaSource
from stream.observe import Observer, Poll
from stream.service.item import DECODED_BYTES, Item, PendingVersion, Plausible
from stream.service.shown_time import ShownTime
from stream.service.units import UnitWatch

__all__ = ["Intake", "IntakeBounds"]

SCHEMA_TIMEOUT_SECONDS = 30.0
"""How long reading the schema topic to its end may take; the log's error ends the process then, and nothing is lost."""


RECORD_BYTES = 800
"""What a record that waits takes beside its own bytes."""

_FULL_RECORDS = 50
"""Records of one fetch while as much waits as may: each partition that is read on may add so many beyond the bound."""


@dataclass(frozen=True, slots=True)
class IntakeBounds:
    """How much is fetched and may wait.

    Attributes:
        poll_records: most records of one fetch.
        partition_events: records of one partition that may wait before it is paused.
        partition_bytes: the same for the bytes of their keys, values and headers.
        process_bytes: how much may wait of all partitions together, RECORD_BYTES for each record included. Beyond it
            those are paused of which something waits: what they wait for comes from the others, which are read on.
        idle_seconds: how long a partition has to be seen at its end before nobody waits for it.
        plausible: how far event time may lie from the records' own timestamps; None if they have none: then a `ts`
            that seems to be in another unit is warned of.
    """

    poll_records: int = 500
    partition_events: int = 10_000
    partition_bytes: int = 64 << 20
    process_bytes: int = 256 << 20
    idle_seconds: float = 5.0
    plausible: Plausible | None = None


class Intake:
    """Records of the log as decoded items; every record fetched is answered for, valid or not.

    Args:
        source: the interactions, at the offsets to go on from.
        schema_source: the schema topic, likewise.
        bounds: how much is fetched and may wait.
        observer: told of polls, decoding and what waits.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        source: InteractionSource,
        schema_source: SchemaSource,
        bounds: IntakeBounds,
        observer: Observer,
        clock: Callable[[], float],
    ) -> None:
        self.standing: set[int] = set()
        self._source = source
        self._schema_source = schema_source
        self._bounds = bounds
        self._observer = observer
        self._clock = clock
        self._partitions = source.partitions()
        self._arrivals = 0
        self._records: list[Record] = []
        self._versions: list[PendingVersion] = []
        """Read and not yet returned: a question that fails after them must not lose them."""
        self._at_end: dict[int, ShownTime] = {}
        self._ends_asked_seconds = -float("inf")
        self._paused: set[int] = set()
        self._full = False
        self._reported: set[int] = set()
        self._units = UnitWatch()

    @property
    def schema_topic(self) -> str:
        """Name the schema topic."""
        return self._schema_source.topic

    @property
    def ended(self) -> bool:
        """Whether every partition has stood at its end for the idle time."""
        return len(self.standing) == len(self._partitions)

    def fetch(self, timeout_seconds: float, unsettled: Mapping[int, int]) -> tuple[list[Item], list[PendingVersion]]:
        """Return what was fetched, and all versions published before the fetch ended that were not returned before.

        Raises what the log raises; nothing that was read is lost by that, and the next call goes on with it. Give the
        versions to the aligner first: the items may need them. `unsettled` says, by partition, how many records were
        fetched before and are neither trained nor dead-lettered: they are part of the lag.
        """
        started = self._clock()
        most = min(self._bounds.poll_records, _FULL_RECORDS) if self._full else self._bounds.poll_records
        if not self._records:
            self._records = self._source.poll(most, timeout_seconds)
        records, polled = self._records, self._clock()
        # The end of the schema topic is asked for after the fetch: whoever published a version first is understood.
        self._versions += self.read_schema()
        for record in records:
            self._at_end.pop(record.partition, None)
            self.standing.discard(record.partition)
        if not records or polled - self._ends_asked_seconds >= 1.0:
            self._look_at_ends()
        behind = Counter(record.partition for record in records)
        behind.update(unsettled)
        behind.update(self._source.lag())
        self._observer.polled(Poll(polled - started, len(records), behind, polled))
        versions, self._records, self._versions = self._versions, [], []
        return self._decoded(records), versions

    def read_schema(self) -> list[PendingVersion]:
        """Return the records of the schema topic up to its end of now."""
        plausible = self._bounds.plausible
        records = self._schema_source.read_to_end(SCHEMA_TIMEOUT_SECONDS)
        versions = [PendingVersion.decode(record, plausible) for record in records]
        if plausible is None:
            self._units.saw_versions(versions)
        return versions

    def digests_before(self, offsets: Mapping[int, int], schema_offset: int) -> dict[str, str | None]:
        """Return, as a checkpoint keeps them, the digests of what was dealt with if that could change (files)."""
        return {
            "digest_before": self._source.digest_before(offsets),
            "schema_digest_before": self._schema_source.digest_before(schema_offset),
        }

    def reachable(self) -> bool:
        """Return True, if the log answers a question; raises what it raises."""
        return self._schema_source.end_offset() >= 0

    def stand_by(self) -> None:
        """Do what a poll does beside fetching, while nothing may be fetched."""
        self._observer.polled(Poll(0.0, 0, self._source.lag(), self._clock()))
        self._look_at_ends()

    def regulate(self, waiting: dict[int, tuple[int, int]]) -> None:
        """Pause partitions of which too much waits, resume them at half the bounds, and say what waits.

        Args:
            waiting: by partition, records that wait and their bytes.
        """
        bounds = self._bounds
        over, under = [], []
        held_bytes = sum(size_bytes + events * RECORD_BYTES for events, size_bytes in waiting.values())
        self._full = held_bytes >= bounds.process_bytes
        for partition, (events, size_bytes) in waiting.items():
            if partition not in self._paused:
                if events >= bounds.partition_events or size_bytes >= bounds.partition_bytes or (events and self._full):
                    over.append(partition)
            elif (
                events <= bounds.partition_events // 2
                and size_bytes <= bounds.partition_bytes // 2
                and (not events or held_bytes <= bounds.process_bytes // 2)
            ):
                under.append(partition)
            if events or partition in self._reported:
                self._observer.held(partition, events)
                (self._reported.add if events else self._reported.discard)(partition)
        if over:
            self._source.pause(over)
            self._paused.update(over)
        if under:
            self._source.resume(under)
            self._paused.difference_update(under)

    def _decoded(self, records: list[Record]) -> list[Item]:
        if not records:
            return []
        started = self._clock()
        items = []
        size_bytes = 0
        for index, record in enumerate(records):
            item = Item.decode(record, self._arrivals + index, self._bounds.plausible)
            size_bytes += item.size_bytes
            if size_bytes > DECODED_BYTES:
                item.pack()
            items.append(item)
        if self._bounds.plausible is None:
            self._units.saw_items(items)
        self._arrivals += len(records)
        self._observer.decoded(self._clock() - started, len(items))
        return items

    def _look_at_ends(self) -> None:
        """Ask where the partitions end, and note for how long each is shown to have been read up to there.

        Time in which this process did not ask is no time at the end (`stream.service.shown_time`).
        """
        ends, positions = self._source.end_offsets(), self._source.positions()
        now = self._ends_asked_seconds = self._clock()
        for partition in self._partitions:
            if positions[partition] >= ends[partition]:
                if self._at_end.setdefault(partition, ShownTime.since(now)).look(now) >= self._bounds.idle_seconds:
                    self.standing.add(partition)
            else:
                self._at_end.pop(partition, None)
                self.standing.discard(partition)
