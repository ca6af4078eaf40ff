"""For how long a checkpoint stops training, by its size: written beside training, and while it stands still."""

from __future__ import annotations

import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream import state
from stream.checkpoint import CheckpointStore
from stream.learner.core import LearnerCore
from stream.log.file_commit import FileCommitLog
from stream.network.settings import NetworkSettings
from stream.records.interaction import Interaction, interaction_of
from stream.schema import parse_version
from stream.service.checkpointing import Checkpointer
from stream.service.ledger import Ledger
from stream.settings.learner import LearnerSettings

__all__ = ["Stop", "measure", "table"]

_FEATURES, _OFFERS, _BATCH = 10, 20, 256
_SETTINGS = LearnerSettings(
    network=NetworkSettings(admission_count=1, vocabulary_capacity=1_000_000, entity_capacity=1_000_000)
)
"""Every value gets a row at its first sight, so a few thousand events make a large checkpoint."""


@dataclass(frozen=True, slots=True)
class Stop:
    """What checkpoints of one size took, in milliseconds; rates in events a second."""

    size_bytes: int
    vocabulary_rows: int
    foreground_ms: float
    background_ms: float
    background_most_ms: float
    background_cpu_ms: float
    """What of it was work: where a machine has more to do than processors, the rest is waiting for one."""
    official_ms: float
    rate_alone: float
    rate_meanwhile: float
    memory_bytes: int
    """Of this process and the one that writes, beyond what this one had, while pages are shared."""


def measure(place: Path, sizes_bytes: Sequence[int], repeats: int, say: Callable[[str], None]) -> list[Stop]:
    """Grow one learner through these sizes, ascending, and measure checkpoints of it at each."""
    learner = LearnerCore(_SETTINGS)
    learner.apply(parse_version(_schema()))
    events = _events()
    found = []
    for size_bytes in sorted(sizes_bytes):
        while _size(learner) < size_bytes:
            for _ in range(20):
                _train(learner, events)
        store = CheckpointStore(place / str(size_bytes), keep=1)
        log = FileCommitLog(place / f"{size_bytes}.json", place / f"{size_bytes}.letters")
        log.fence()
        found.append(_measured(learner, events, store, log, repeats))
        store.close()
        say(f"{found[-1].size_bytes / 1e6:.0f} MB: stops training for {found[-1].background_ms:.0f} ms")
    return found


def table(stops: Sequence[Stop]) -> str:
    """Return the figures as a Markdown table."""
    columns = (
        *("checkpoint, MB", "rows", "in the foreground, ms", "in the background, ms (most; of it processor time)"),
        *("until official, ms", "events/s alone", "events/s meanwhile", "memory meanwhile, MB"),
    )
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [
        f"| {s.size_bytes / 1e6:.0f} | {s.vocabulary_rows:,} | {s.foreground_ms:.0f} "
        f"| {s.background_ms:.0f} ({s.background_most_ms:.0f}; {s.background_cpu_ms:.0f}) | {s.official_ms:.0f} "
        f"| {s.rate_alone:,.0f} "
        f"| {s.rate_meanwhile:,.0f} | {s.memory_bytes / 1e6:+.0f} |"
        for s in stops
    ]
    return "\n".join(lines)


def _measured(
    learner: LearnerCore, events: Iterator[list[Interaction]], store: CheckpointStore, log: FileCommitLog, repeats: int
) -> Stop:
    def pieces() -> list[memoryview]:
        return state.pieces({"learner": learner.state()})

    here: list[float] = []
    beside: list[float] = []
    official: list[float] = []
    meanwhile: list[float] = []
    memory: list[int] = []
    sizes: list[int] = []
    work: list[float] = []
    checkpointers = [Checkpointer(store, log, None, number, in_background=bool(number)) for number in (0, 1000)]
    for _ in range(repeats):
        for checkpointer, stops in zip(checkpointers, (here, beside), strict=True):
            watch = _Memory()
            started, worked = time.perf_counter(), time.thread_time()
            checkpointer.begin(pieces, Ledger({0: 0}, 0), None)
            stops.append(time.perf_counter() - started)
            worked = time.thread_time() - worked
            trained = 0
            with watch:
                while (made := checkpointer.collect()) is None:
                    trained += _train(learner, events)
            sizes.append(made.size_bytes)
            if checkpointer is checkpointers[1]:
                official.append(time.perf_counter() - started)
                meanwhile.append(trained / (official[-1] - beside[-1]))
                memory.append(watch.most_bytes)
                work.append(worked)
    started, trained = time.perf_counter(), 0
    while time.perf_counter() - started < 2.0:
        trained += _train(learner, events)
    alone = trained / (time.perf_counter() - started)
    rows = learner.report().vocabulary
    return Stop(
        size_bytes=sizes[-1],
        vocabulary_rows=rows["values"] + rows["entities"],
        foreground_ms=1000 * statistics.median(here),
        background_ms=1000 * statistics.median(beside),
        background_most_ms=1000 * max(beside),
        background_cpu_ms=1000 * statistics.median(work),
        official_ms=1000 * statistics.median(official),
        rate_alone=alone,
        rate_meanwhile=statistics.median(meanwhile),
        memory_bytes=max(memory),
    )


class _Memory:
    """How much this process and its child have at most, less what this process had: by their proportional sizes."""

    def __init__(self) -> None:
        self._before = _proportional_bytes("self")
        self._done = threading.Event()
        self.most_bytes = 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.1):
            children = Path(f"/proc/self/task/{os.getpid()}/children")
            named = children.read_text().split() if children.exists() else []
            now = sum(map(_proportional_bytes, ("self", *named)))
            self.most_bytes = max(self.most_bytes, now - self._before)


def _proportional_bytes(process: str) -> int:
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


def _size(learner: LearnerCore) -> int:
    return sum(map(len, state.pieces({"learner": learner.state()})))


def _train(learner: LearnerCore, events: Iterator[list[Interaction]]) -> int:
    batch = next(events)
    learner.learn(learner.encode(batch))
    return len(batch)


def _schema() -> bytes:
    changes: list[dict[str, object]] = [
        {"op": "add_feature", "name": f"f{i}", "kind": "categorical"} for i in range(_FEATURES)
    ]
    changes += [{"op": "add_label", "name": f"o{i}", "attributes": {"group": f"g{i % 4}"}} for i in range(_OFFERS)]
    return json.dumps({"version": 1, "ts": 0, "changes": changes}).encode()


def _events() -> Iterator[list[Interaction]]:
    """Yield batches; half of an event's values were never there before."""
    chance = np.random.default_rng(0)
    number = 0
    while True:
        batch = []
        for _ in range(_BATCH):
            number += 1
            old = chance.integers(0, number, _FEATURES)
            features = {f"f{i}": f"value-{number if i % 2 else int(old[i])}-of-{i}" for i in range(_FEATURES)}
            labels = [f"o{int(chance.integers(_OFFERS))}"]
            event = {"id": f"e{number}", "key": f"k{number // 4}", "features": features, "labels": labels}
            batch.append(interaction_of(event, number))
        yield batch
