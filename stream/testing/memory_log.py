"""A log in memory, behind the protocols of `stream.log.protocol`: for tests of what reads or commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stream.errors import Fenced, OffsetOutOfRange
from stream.log.protocol import Commit, DeadLetter, Record

__all__ = ["Clock", "MemoryCommitLog", "MemoryLog", "MemorySchemaSource", "MemorySource"]


class Clock:
    """Monotonic seconds that pass only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Return what the clock shows."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        self.seconds += seconds


@dataclass
class MemoryLog:
    """Partitions of records, some of which appear only when the clock has reached their time."""

    partitions: int = 1
    clock: Clock = field(default_factory=Clock)
    records: dict[int, list[Record]] = field(default_factory=dict)
    versions: list[Record] = field(default_factory=list)
    beginnings: dict[int, int] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    epoch: int = 0
    topic_ids: tuple[str | None, str | None] = (None, None)
    due: list[tuple[float, int, bytes]] = field(default_factory=list)  # partition -1: the schema

    def __post_init__(self) -> None:
        for partition in range(self.partitions):
            self.records[partition] = []

    def send(self, value: bytes, partition: int = 0) -> None:
        """Append an interaction."""
        records = self.records[partition]
        records.append(Record("interactions", partition, len(records), None, value, None))

    def publish(self, value: bytes) -> None:
        """Append a schema version."""
        self.versions.append(Record("feature-schema", 0, len(self.versions), None, value, None))

    def later(self, seconds: float, value: bytes, partition: int) -> None:
        """Send (or, with partition -1, publish) once the clock has moved on by `seconds`."""
        self.due.append((self.clock() + seconds, partition, value))
        self.due.sort(key=lambda entry: entry[0])

    def tick(self) -> None:
        """Send what is due by now."""
        while self.due and self.due[0][0] <= self.clock():
            _, partition, value = self.due.pop(0)
            if partition < 0:
                self.publish(value)
            else:
                self.send(value, partition)


class MemorySource:
    """The interactions of a `MemoryLog`; a poll that finds nothing lets its whole timeout pass."""

    source_name = "memory"
    topic = "interactions"

    def __init__(self, log: MemoryLog) -> None:
        self.topic_id = log.topic_ids[0]
        self._log = log
        self._next: dict[int, int] = {}
        self.paused: set[int] = set()
        self.ever_paused: set[int] = set()
        self.seeks: list[dict[int, int]] = []

    def digest_before(self, offsets: Mapping[int, int]) -> None:
        """Return None: what is here never changes."""

    def partitions(self) -> list[int]:
        """Return all partitions."""
        return sorted(self._log.records)

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Go on from these offsets; raises OffsetOutOfRange if one does not exist, and then moves nothing."""
        beginnings, ends = self.beginning_offsets(), self.end_offsets()
        for partition, offset in offsets.items():
            if not beginnings[partition] <= offset <= ends[partition]:
                raise OffsetOutOfRange(f"interactions-{partition} has no offset {offset}")
        self._next.update(offsets)
        self.seeks.append(dict(offsets))

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return what is there; with nothing there, let the whole timeout pass on the clock."""
        self._log.tick()
        found: list[Record] = []
        for partition in self.partitions():
            if partition not in self.paused:
                position = self._next[partition]
                found += self._log.records[partition][position:][: max_records - len(found)]
        for record in found:
            self._next[record.partition] = record.offset + 1
        if not found:
            self._log.clock.sleep(max(timeout_seconds, 0.001))
        return found

    def positions(self) -> dict[int, int]:
        """Return the next offset by partition."""
        return dict(self._next)

    def beginning_offsets(self) -> dict[int, int]:
        """Return the first offset by partition."""
        return {partition: self._log.beginnings.get(partition, 0) for partition in self.partitions()}

    def end_offsets(self) -> dict[int, int]:
        """Return the offset after the last record by partition."""
        self._log.tick()
        return {partition: len(records) for partition, records in self._log.records.items()}

    def lag(self) -> dict[int, int]:
        """Return how many records are left by partition."""
        return {partition: end - self._next[partition] for partition, end in self.end_offsets().items()}

    def offsets_for_time(self, timestamp_ms: int) -> dict[int, int]:
        """Refuse: these records have no time of their own."""
        raise NotImplementedError

    def pause(self, partitions: Sequence[int]) -> None:
        """Return nothing of these partitions; they are remembered in `ever_paused`."""
        self.paused.update(partitions)
        self.ever_paused.update(partitions)

    def resume(self, partitions: Sequence[int]) -> None:
        """Return records of these partitions again."""
        self.paused.difference_update(partitions)

    def close(self) -> None:
        """Release nothing."""


class MemorySchemaSource:
    """The schema topic of a `MemoryLog`."""

    topic = "feature-schema"

    def __init__(self, log: MemoryLog) -> None:
        self.topic_id = log.topic_ids[1]
        self._log = log
        self._next = 0

    def seek(self, offset: int) -> None:
        """Go on from this offset."""
        self._next = offset

    def digest_before(self, offset: int) -> None:
        """Return None: what is here never changes."""

    def read_to_end(self, timeout_seconds: float) -> list[Record]:
        """Return what was not read yet."""
        self._log.tick()
        found, self._next = self._log.versions[self._next :], len(self._log.versions)
        return found

    def position(self) -> int:
        """Return the next offset."""
        return self._next

    def beginning_offset(self) -> int:
        """Return 0."""
        return 0

    def end_offset(self) -> int:
        """Return how many versions there are."""
        return len(self._log.versions)

    def close(self) -> None:
        """Release nothing."""


class MemoryCommitLog:
    """Commits of a `MemoryLog`; the newest holder wins."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._epoch = 0
        self._published: dict[int, int] = {}

    def newest(self, wait: bool = False) -> Commit | None:
        """Return the newest commit."""
        return self._log.commits[-1] if self._log.commits else None

    def fence(self) -> Commit | None:
        """Take over: commits of earlier holders raise Fenced from here on."""
        self._log.epoch += 1
        self._epoch = self._log.epoch
        return self._log.commits[-1] if self._log.commits else None

    def resumed(self, commit: Commit) -> None:
        """Publish no dead letter again that the newest commit covers."""
        self._published = dict(self._log.commits[-1].offsets)

    def commit(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None:
        """Take commit and dead letters, or raise Fenced."""
        if self._epoch != self._log.epoch:
            raise Fenced("a newer learner took over")
        published = self._published
        self._log.dead_letters += [
            letter for letter in dead_letters if letter.offset >= published.get(letter.partition, 0)
        ]
        self._log.commits.append(commit)

    def close(self) -> None:
        """Release nothing."""
