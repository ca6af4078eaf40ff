"""Order between interactions and schema versions: what may be trained next, and when a version takes effect.

Pure: no log, no learner, no clock of its own. Decoded records go in as they arrive; out come runs of interactions that
    may
be trained, in offset order within each partition, and versions at the moment at which they take effect. The rules
(contract, part 3), where *now* is a moment of the caller's monotonic clock:

- A version's event time is the largest `ts` of the versions up to it. It takes effect before the first interaction with
  `ts` at or after that: such an interaction is held until the next one of every other partition is at or after it too,
  or that partition is empty and has stood at its end for the idle time. It takes effect at once where event time (the
  largest `ts` trained) has reached it.
- An interaction that names a version not yet in effect is a boundary at its own `ts`, whatever that version's event
  time; it puts the version in effect with all before it. While the version has not been delivered, or after it was
  rejected, only this interaction's partition waits (the others go on), for a bounded time; then it is a dead letter.
- A record of the schema topic that cannot take effect (malformed, or a number that is taken) is handed out as soon as
  it is next.

What is handed out but not yet trained may be given back: it stands where it stood. So versions that arrive find only
what is trained as the past, and the outcome does not depend on how full a batch was.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from stream.records.reasons import InteractionFault
from stream.service.item import DECODED_BYTES, Item, PendingVersion
from stream.service.shown_time import ShownTime

__all__ = ["Aligner", "Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How long to wait, and whether to.

    Attributes:
        version_wait_seconds: how long an interaction waits for a version that has not been delivered, or was rejected;
            the interactions that follow it with the same version share its wait.
        holding: False lets everything through in arrival order (for comparison): a version takes effect before the
            first interaction at or after it that happens to be next, an undelivered one is not waited for.
        more_versions: False if no version can come any more (files): then nothing waits for one.
    """

    version_wait_seconds: float = 30.0
    holding: bool = True
    more_versions: bool = True


class _Head(Enum):
    FREE = "may be trained"
    BOUNDARY = "stands at a boundary"
    WAITING = "waits for a version that has not been delivered"
    EXPIRED = "has waited long enough"


@dataclass(slots=True)
class _Wait:
    shown: ShownTime
    over: bool = False


class Aligner:
    """Holds what was fetched until it may be trained.

    Args:
        partitions: all partitions of the interactions.
        rules: the waits.
        version: number of the schema version in effect.
        schema_event_time_ms: event time of that version; None before the first.
        event_time_ms: largest `ts` trained, kept up to date by the caller after each batch; None before the first.
    """

    def __init__(
        self,
        partitions: Iterable[int],
        rules: Rules,
        version: int = 0,
        schema_event_time_ms: int | None = None,
        event_time_ms: int | None = None,
    ) -> None:
        self.event_time_ms = event_time_ms
        self._rules = rules
        self._version = version
        self._schema_event_time_ms = schema_event_time_ms
        self._queues: dict[int, deque[Item]] = {partition: deque() for partition in partitions}
        self._bytes: dict[int, int] = dict.fromkeys(self._queues, 0)
        self._decoded_bytes = 0
        self._pending: deque[PendingVersion] = deque()
        self._delivered: Counter[int] = Counter()
        self._rejected: set[int] = set()
        self._waits: dict[int, _Wait] = {}

    @property
    def open(self) -> bool:
        """Whether interactions may be fetched and trained: version 1 is in effect or delivered, or none can come."""
        return self._version > 0 or self._delivered[1] > 0 or not self._rules.more_versions

    @property
    def empty(self) -> bool:
        """Whether no interaction waits."""
        return not any(self._queues.values())

    @property
    def next_version(self) -> PendingVersion | None:
        """The record of the schema topic that waits for its event time before any other; None if none does."""
        return self._pending[0] if self._pending else None

    def waiting(self) -> dict[int, tuple[int, int]]:
        """Return, by partition, the number of records that wait and their bytes."""
        return {partition: (len(queue), self._bytes[partition]) for partition, queue in self._queues.items()}

    def arrive(self, items: Iterable[Item]) -> None:
        """Take in fetched records, in offset order within each partition."""
        for item in items:
            self._queues[item.record.partition].append(item)
            self._holds(item)

    def give_back(self, items: Sequence[Item]) -> None:
        """Put items that were handed out last, in that order, and were not trained, back to where they stood."""
        for item in reversed(items):
            if item.interaction is not None:
                item.reason, item.message = None, ""  # the version that it waited for in vain may have come
            self._queues[item.record.partition].appendleft(item)
            self._holds(item)

    def deliver(self, pending: PendingVersion) -> None:
        """Take in the next record of the schema topic. First give back all that was handed out and is not trained."""
        self._pending.append(pending)
        if pending.version is not None:
            self._delivered[pending.version.version] += 1

    def in_effect(self, version: int, schema_event_time_ms: int | None) -> None:
        """Say that this version is in effect now."""
        self._version = version
        self._schema_event_time_ms = schema_event_time_ms
        self._rejected = {number for number in self._rejected if number > version}
        self._waits = {number: wait for number, wait in self._waits.items() if number > version}

    def rejected(self, pending: PendingVersion) -> None:
        """Say that the version handed out last was rejected."""
        if pending.number is not None and pending.number > self._version:
            self._rejected.add(pending.number)

    def take(self, now: float, standing: Container[int], limit: int = 1 << 30) -> list[Item] | PendingVersion | None:
        """Return what comes next; None if something has to arrive, or time to pass, first.

        Args:
            now: monotonic seconds.
            standing: the partitions that have stood at their end for the idle time.
            limit: the most items to return.

        Returns:
            Items of one partition to train or dead-letter in this order, or a version to apply (or reject) before
            anything else is taken.
        """
        if self._pending and self._at_once(self._pending[0]):
            return self._next_version()
        if not self.open:
            return None
        horizon = self._horizon()
        free: tuple[int, int, _Head] | None = None  # arrival, partition, state: the first that need not wait
        runner_up = math.inf  # arrival of the next one elsewhere
        boundary, earlier = math.inf, False
        for partition, queue in self._queues.items():
            if not queue:
                earlier = earlier or partition not in standing
                continue
            head = queue[0]
            state = self._state(head, horizon, now)
            if state is _Head.BOUNDARY:
                boundary = min(boundary, head.arrival)
            elif state is _Head.WAITING:
                earlier = True
            elif free is None or head.arrival < free[0]:
                runner_up = min(runner_up, math.inf if free is None else free[0])
                free = (head.arrival, partition, state)
            else:
                runner_up = min(runner_up, head.arrival)
        if not self._rules.holding:
            runner_up, earlier = min(runner_up, boundary), False
            free = None if free is not None and boundary < free[0] else free
        if free is not None:
            return self._expired(free[1]) if free[2] is _Head.EXPIRED else self._run(free[1], horizon, runner_up, limit)
        if boundary < math.inf and not earlier:
            return self._next_version()
        return None

    def _at_once(self, pending: PendingVersion) -> bool:
        version = pending.version
        if version is None or version.version <= self._version:
            return True
        return self.event_time_ms is not None and self.event_time_ms >= self._boundary(pending)

    def _boundary(self, pending: PendingVersion) -> float:
        assert pending.version is not None
        return max(pending.version.ts, -math.inf if self._schema_event_time_ms is None else self._schema_event_time_ms)

    def _next_version(self) -> PendingVersion:
        pending = self._pending.popleft()
        if pending.version is not None:
            self._delivered[pending.version.version] -= 1
        return pending

    def _horizon(self) -> float:
        """Return the event time from which on interactions are held: the next version's, or of one that names it."""
        if not self._pending:
            return math.inf
        horizon = self._boundary(self._pending[0])
        for queue in self._queues.values():
            if queue and (interaction := queue[0].interaction) is not None:
                named = interaction.schema_version
                if named is not None and named > self._version and self._delivered[named] > 0:
                    horizon = min(horizon, interaction.ts)
        return horizon

    def _state(self, item: Item, horizon: float, now: float) -> _Head:
        interaction = item.interaction
        if interaction is None:
            return _Head.FREE
        if interaction.ts >= horizon:
            return _Head.BOUNDARY
        named = interaction.schema_version
        if named is None or named <= self._version:
            return _Head.FREE
        if self._delivered[named] > 0:
            return _Head.BOUNDARY
        if not self._rules.more_versions:
            return _Head.EXPIRED
        if not self._rules.holding:
            return _Head.FREE
        return _Head.EXPIRED if self._waited(named, now) else _Head.WAITING

    def _waited(self, version: int, now: float) -> bool:
        """Say whether `version` was waited for long enough; the first to name it, or one long after, starts it.

        A wait that is not over goes on however seldom it is looked at, or a loop slower than the bound would never end
        one. A stall is no wait: the version may have been published meanwhile, and is read at the next fetch.
        """
        bound = self._rules.version_wait_seconds

        def counts(wait: _Wait) -> bool:
            return not wait.over or now - wait.shown.last <= bound

        wait = self._waits.get(version)
        if wait is None or not counts(wait):
            self._waits = {number: other for number, other in self._waits.items() if counts(other)}
            wait = self._waits[version] = _Wait(ShownTime.since(now))
        wait.over = wait.shown.look(now) >= bound
        return wait.over

    def _expired(self, partition: int) -> list[Item]:
        item = self._pop(partition)
        named = item.interaction.schema_version if item.interaction is not None else None
        if named in self._rejected:
            item.reason = InteractionFault.VERSION_REJECTED
            item.message = (
                f"it names schema version {named}, which was rejected; publish a corrected one, then resend it"
            )
        else:
            item.reason = InteractionFault.VERSION_MISSING
            item.message = f"it names schema version {named}, which {self._not_there}; publish it, then resend this"
        return [item]

    @property
    def _not_there(self) -> str:
        if not self._rules.more_versions:
            return "the file of versions lacks"
        return f"was not delivered within {self._rules.version_wait_seconds:g} s"

    def _run(self, partition: int, horizon: float, until_arrival: float, limit: int) -> list[Item]:
        """Hand out the head and what follows in its partition, up to a boundary or what arrived earlier elsewhere."""
        run = [self._pop(partition)]
        queue = self._queues[partition]
        while queue and len(run) < limit:
            item = queue[0]
            if item.arrival > until_arrival:
                break
            interaction = item.interaction
            if interaction is not None:
                named = interaction.schema_version
                if interaction.ts >= horizon or (named is not None and named > self._version):
                    break
            run.append(self._pop(partition))
        return run

    def _pop(self, partition: int) -> Item:
        item = self._queues[partition].popleft()
        size_bytes = item.size_bytes
        self._bytes[partition] -= size_bytes
        if not item.packed:
            self._decoded_bytes -= size_bytes
        return item

    def _holds(self, item: Item) -> None:
        """Count an item that waits, and pack it where too much waits as decoded."""
        size_bytes = item.size_bytes
        self._bytes[item.record.partition] += size_bytes
        if self._decoded_bytes + size_bytes > DECODED_BYTES:
            item.pack()
        if not item.packed:
            self._decoded_bytes += size_bytes
