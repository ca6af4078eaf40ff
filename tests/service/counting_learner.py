"""A learner that only counts, and the records that it is fed: small enough to be obviously right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from stream.records.interaction import Interaction
from stream.schema import Schema, Version
from stream.state.digest import id_digest, to_hex

if TYPE_CHECKING:
    from stream.report import BatchReport, ModelReport, SchemaReport

WARM_UP_EVENTS = 4


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
