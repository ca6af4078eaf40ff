"""A log in memory and a learner that only counts: the service's neighbours, small enough to be obviously right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from stream.errors import Fenced, OffsetOutOfRange
from stream.log.protocol import Commit, DeadLetter, Record
from stream.records.interaction import Interaction
from stream.schema import Schema, Version
from stream.state.digest import id_digest, to_hex

if TYPE_CHECKING:
    from stream.report import BatchReport, ModelReport, SchemaReport


WARM_UP_EVENTS = 4


class Clock:
    """Monotonic seconds that pass only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
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
        records = self.records[partition]
        records.append(Record("interactions", partition, len(records), None, value, None))

    def publish(self, value: bytes) -> None:
        self.versions.append(Record("feature-schema", 0, len(self.versions), None, value, None))

    def later(self, seconds: float, value: bytes, partition: int) -> None:
        """Send (or, with partition -1, publish) once the clock has moved on by `seconds`."""
        self.due.append((self.clock() + seconds, partition, value))
        self.due.sort(key=lambda entry: entry[0])

    def tick(self) -> None:
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
        pass

    def partitions(self) -> list[int]:
        return sorted(self._log.records)

    def seek(self, offsets: Mapping[int, int]) -> None:
        beginnings, ends = self.beginning_offsets(), self.end_offsets()
        for partition, offset in offsets.items():
            if not beginnings[partition] <= offset <= ends[partition]:
                raise OffsetOutOfRange(f"interactions-{partition} has no offset {offset}")
        self._next.update(offsets)
        self.seeks.append(dict(offsets))

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
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
        return dict(self._next)

    def beginning_offsets(self) -> dict[int, int]:
        return {partition: self._log.beginnings.get(partition, 0) for partition in self.partitions()}

    def end_offsets(self) -> dict[int, int]:
        self._log.tick()
        return {partition: len(records) for partition, records in self._log.records.items()}

    def lag(self) -> dict[int, int]:
        return {partition: end - self._next[partition] for partition, end in self.end_offsets().items()}

    def offsets_for_time(self, timestamp_ms: int) -> dict[int, int]:
        raise NotImplementedError

    def pause(self, partitions: Sequence[int]) -> None:
        self.paused.update(partitions)
        self.ever_paused.update(partitions)

    def resume(self, partitions: Sequence[int]) -> None:
        self.paused.difference_update(partitions)

    def close(self) -> None:
        pass


class MemorySchemaSource:
    """The schema topic of a `MemoryLog`."""

    topic = "feature-schema"

    def __init__(self, log: MemoryLog) -> None:
        self.topic_id = log.topic_ids[1]
        self._log = log
        self._next = 0

    def seek(self, offset: int) -> None:
        self._next = offset

    def digest_before(self, offset: int) -> None:
        pass

    def read_to_end(self, timeout_seconds: float) -> list[Record]:
        self._log.tick()
        found, self._next = self._log.versions[self._next :], len(self._log.versions)
        return found

    def position(self) -> int:
        return self._next

    def beginning_offset(self) -> int:
        return 0

    def end_offset(self) -> int:
        return len(self._log.versions)

    def close(self) -> None:
        pass


class MemoryCommitLog:
    """Commits of a `MemoryLog`; the newest holder wins."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._epoch = 0
        self._published: dict[int, int] = {}

    def newest(self, settled: bool = False) -> Commit | None:
        return self._log.commits[-1] if self._log.commits else None

    def fence(self) -> Commit | None:
        self._log.epoch += 1
        self._epoch = self._log.epoch
        return self._log.commits[-1] if self._log.commits else None

    def resumed(self, commit: Commit) -> None:
        self._published = dict(self._log.commits[-1].offsets)

    def commit(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None:
        if self._epoch != self._log.epoch:
            raise Fenced("a newer learner took over")
        published = self._published
        self._log.dead_letters += [
            letter for letter in dead_letters if letter.offset >= published.get(letter.partition, 0)
        ]
        self._log.commits.append(commit)

    def close(self) -> None:
        pass


class CountingLearner:
    """Trains nothing; its digest depends on the events, their order, their batches and their schema versions."""

    def __init__(self, tree: dict[str, Any] | None = None) -> None:
        self.schema = Schema.empty() if tree is None else Schema.from_state(tree["schema"])
        self.event_time_ms: int | None = None if tree is None else tree["event_time_ms"]
        self.chain: str = "" if tree is None else tree["chain"]
        self.ids: int = 0 if tree is None else int(tree["ids"], 16)
        self.events: int = 0 if tree is None else tree["events"]
        self.dead: int = 0 if tree is None else tree["dead"]
        self.events_at_version: int = 0 if tree is None else tree["events_at_version"]
        self.lines: list[tuple[str, int]] = []
        self.batches: list[tuple[int, list[str]]] = []

    def encode(self, interactions: Sequence[Interaction]) -> list[Interaction]:
        return list(interactions)

    def learn(self, batch: list[Interaction]) -> BatchReport:
        ids = [event.id for event in batch]
        self.lines += [(event.id, self.schema.version) for event in batch]
        self.batches.append((self.schema.version, ids))
        self.chain = hashlib.sha256(json.dumps([self.chain, self.schema.version, ids]).encode()).hexdigest()
        for event in batch:
            self.ids = id_digest(self.ids, event.id)
        times = [event.ts for event in batch]
        self.event_time_ms = max(times) if self.event_time_ms is None else max(self.event_time_ms, *times)
        self.events += len(batch)
        return _report(self, [_Line(event.id, self.schema.version) for event in batch])

    def apply(self, version: Version) -> SchemaReport:
        duplicate = self.schema.check(version) == "duplicate"
        self.schema = self.schema.apply(version)
        self.events_at_version = self.events
        return cast("SchemaReport", SimpleNamespace(version=version.version, duplicate=duplicate))

    def report(self) -> ModelReport:
        return cast("ModelReport", SimpleNamespace(events_trained_total=self.events))

    def dead_letter(self, reason: str) -> None:
        self.dead += 1

    def state(self) -> dict[str, Any]:
        return {
            "schema": self.schema.state(),
            "event_time_ms": self.event_time_ms,
            "chain": self.chain,
            "ids": f"{self.ids:032x}",
            "events": self.events,
            "dead": self.dead,
            "events_at_version": self.events_at_version,
        }

    def state_digest(self) -> str:
        return hashlib.sha256(json.dumps(self.state(), sort_keys=True).encode()).hexdigest()[:32]

    def summary(self) -> dict[str, Any]:
        return {"events_trained": self.events, "events_dead_lettered": self.dead, "ids_digest": to_hex(self.ids)}


@dataclass
class _Line:
    id: str
    version: int

    def to_json(self) -> str:
        return json.dumps({"id": self.id, "schema_version": self.version})


def _report(learner: CountingLearner, scores: list[_Line]) -> BatchReport:
    """Return what the service reads of a batch's report; the real one's module takes seconds to import."""
    warming_up = learner.events - learner.events_at_version <= WARM_UP_EVENTS
    found = SimpleNamespace(scores=scores, phase="warm_up" if warming_up else "train", unknown_names={})
    return cast("BatchReport", found)


def event(name: str, ts: int, schema_version: int | None = None) -> bytes:
    value: dict[str, Any] = {"id": name, "key": "k", "ts": ts, "features": {}, "labels": []}
    if schema_version is not None:
        value["schema_version"] = schema_version
    return json.dumps(value).encode()


def version(number: int, ts: int, changes: list[dict[str, Any]] | None = None) -> bytes:
    default = [{"op": "add_feature", "name": f"f{number}", "kind": "numeric"}]
    return json.dumps({"version": number, "ts": ts, "changes": default if changes is None else changes}).encode()
