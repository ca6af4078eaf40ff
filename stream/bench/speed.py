"""Events per second from memory, from the embedded log and from Kafka, beside what bounds them.

Two references are measured in each repeat: a bare torch step (the same widths, pre-encoded tensors, nothing around it)
and a raw poll of the same topic by kafka-python. A figure's ratio is that to its reference of the same repeat, for what
slows the machine down slows both. Everything runs in this process on as many threads as torch is given.
"""

from __future__ import annotations

import dataclasses
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stream.errors import BrokerUnavailable
from stream.interaction import decode_interaction
from stream.learner import Learner
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.observe import Observer
from stream.rehearsal import rehearse
from stream.schema import parse_version
from stream.service import endpoints
from stream.service.start import open_service
from stream.settings.root import Settings
from stream.state import Tree

__all__ = ["BARE_STEP", "RAW_POLL", "Figure", "Spread", "Workload", "measure"]

BARE_STEP, RAW_POLL = "bare torch step", "raw poll by kafka-python"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Workload:
    """A stream in files, with the settings that it is trained under."""

    name: str
    interactions: Path
    schema: Path
    settings: Settings

    def lines(self) -> list[bytes]:
        """Return the interactions, one a line."""
        return self.interactions.read_bytes().splitlines()


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some repeats, and the two ends."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return that of one value at least."""
        return cls(statistics.median(values), min(values), max(values))

    def text(self, form: str) -> str:
        """Return it as "median (lowest-highest)", each number in this format."""
        return f"{self.median:{form}} ({self.lowest:{form}}-{self.highest:{form}})"


@dataclass(frozen=True, slots=True)
class Figure:
    """One source's times, a repeat each."""

    workload: str
    source: str
    events: int
    seconds: tuple[float, ...]

    @property
    def events_per_second(self) -> Spread:
        """Return the rate over the repeats."""
        return Spread.of([self.events / seconds for seconds in self.seconds])

    def ratio_to(self, other: Figure) -> Spread:
        """Return this rate over the other's of the same repeat."""
        return Spread.of([theirs / ours for ours, theirs in zip(self.seconds, other.seconds, strict=True)])


def measure(
    workload: Workload, directory: Path, *, repeats: int, kafka: bool, say: Say, only_memory: bool = False
) -> list[Figure]:
    """Return the workload's figures; ``say`` is told what is being measured, and why something was not."""
    lines = workload.lines()
    found: dict[str, list[float]] = {}

    def note(source: str, seconds: float) -> None:
        found.setdefault(source, []).append(seconds)
        say(f"{workload.name:>14}  {source:<26} {len(lines) / seconds:>10,.0f} events/s")

    with ExitStack() as stack:
        log = directory / "log"
        if not only_memory:
            _embedded_log(workload, lines, log)
        servers = None
        if kafka and not only_memory:
            try:
                servers = stack.enter_context(_topic(workload, lines))
            except BrokerUnavailable as error:
                say(f"{workload.name:>14}  Kafka is not measured: {error}")
        for repeat in range(repeats):
            note(BARE_STEP, _bare_step(workload, len(lines)))
            note("memory", _from_memory(workload, lines))
            if only_memory:
                continue
            checkpoints = directory / f"checkpoints-{repeat}"
            own = dataclasses.replace(workload.settings, name=f"repeat-{repeat}")
            note("embedded log", _serve(_with(own, checkpoints / "log", log={"directory": str(log)})))
            if servers is not None:
                note(RAW_POLL, _raw_poll(servers, len(lines)))
                note("Kafka", _serve(_with(own, checkpoints / "kafka", kafka={"bootstrap_servers": (servers,)})))
    return [Figure(workload.name, source, len(lines), tuple(seconds)) for source, seconds in found.items()]


def _bare_step(workload: Workload, events: int) -> float:
    """Time a plain network of the same widths on random, already encoded input: the cost of the mathematics alone."""
    schema = [parse_version(line) for line in workload.schema.read_bytes().splitlines()]
    first = schema[0].changes
    numeric = max(1, sum(change.kind == "numeric" for change in first))
    categorical = max(1, sum(change.kind not in (None, "numeric") for change in first))
    labels = max(1, sum(change.op == "add_label" for change in first))
    batch, width = workload.settings.batch_size, workload.settings.network.hidden[0]
    dense = torch.nn.Linear(numeric, width)
    table = torch.nn.EmbeddingBag(10_000, width, mode="sum", sparse=True)
    output = torch.nn.Linear(width, labels)
    optimisers = [
        torch.optim.SGD([*dense.parameters(), *output.parameters()], lr=0.01),
        torch.optim.SGD(table.parameters(), lr=0.01),
    ]
    x, rows = torch.randn(batch, numeric), torch.randint(10_000, (batch, categorical))
    y = (torch.rand(batch, labels) < 0.04).float()
    steps = max(1, events // batch)
    started = time.perf_counter()
    for _ in range(steps):
        hidden = torch.relu(dense(x) + table(rows))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(output(hidden), y)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
    return (time.perf_counter() - started) * events / (steps * batch)


def _from_memory(workload: Workload, lines: list[bytes]) -> float:
    """Time decoding, encoding and learning, with nothing else around them."""
    learner = Learner(workload.settings)
    versions = [parse_version(line) for line in workload.schema.read_bytes().splitlines()]
    size = workload.settings.batch_size
    waiting: list[Any] = []
    rehearse()
    gc.collect()
    gc.freeze()
    started = time.perf_counter()
    for line in lines:
        event = decode_interaction(line)
        while versions and versions[0].ts <= event.ts:
            if waiting:
                learner.learn(learner.encode(waiting))
                waiting = []
            learner.apply(versions.pop(0))
        waiting.append(event)
        if len(waiting) == size:
            learner.learn(learner.encode(waiting))
            waiting = []
    if waiting:
        learner.learn(learner.encode(waiting))
    seconds = time.perf_counter() - started
    gc.unfreeze()
    return seconds


def _embedded_log(workload: Workload, lines: list[bytes], log: Path) -> None:
    topics = workload.settings.topics
    interactions = EmbeddedTopic.create(log, topics.interactions)
    schema = EmbeddedTopic.create(log, topics.schema)
    writer, versions = EmbeddedWriter(interactions), EmbeddedWriter(schema)
    for line in workload.schema.read_bytes().splitlines():
        versions.send(None, line)
    for line in lines:
        writer.send(None, line)
    versions.flush()
    writer.flush()


def _with(settings: Settings, checkpoints: Path, **sections: dict[str, Any]) -> Settings:
    changed = {name: dataclasses.replace(getattr(settings, name), **values) for name, values in sections.items()}
    changed["checkpoint"] = dataclasses.replace(settings.checkpoint, directory=str(checkpoints))
    return dataclasses.replace(settings, idle_seconds=0.2, **changed)


def _serve(settings: Settings) -> float:
    """Run the whole service to the end of its log; the seconds are those of its own summary less the idle wait."""

    def learner(tree: Tree | None) -> Learner:
        assert tree is None, "a benchmark begins anew"
        return Learner(settings)

    with endpoints.live(settings) as opened:
        summary = open_service(opened, settings, learner, Observer(), stop_at_end=True).run()
    return float(summary["seconds"]) - settings.idle_seconds


@contextmanager
def _topic(workload: Workload, lines: list[bytes]) -> Iterator[str]:
    """Start a broker and send the workload to it, in one partition."""
    from stream.broker import LocalBroker
    from stream.log.connection import Connection
    from stream.log.settings import KafkaSettings
    from stream.log.topics import create_topics, wanted_topics

    with LocalBroker() as broker:
        connection = Connection(KafkaSettings(bootstrap_servers=(broker.bootstrap_servers,)))
        topics = workload.settings.topics
        create_topics(connection, wanted_topics(topics, 1))
        with closing(connection.producer(linger_ms=20, batch_size=256 << 10)) as producer:
            for line in workload.schema.read_bytes().splitlines():
                producer.send(topics.schema, value=line)
            for line in lines:
                producer.send(topics.interactions, value=line, partition=0)
            producer.flush()
        yield broker.bootstrap_servers


def _raw_poll(servers: str, events: int) -> float:
    from kafka import TopicPartition

    from stream.log.connection import Connection
    from stream.log.settings import KafkaSettings, TopicSettings

    connection = Connection(KafkaSettings(bootstrap_servers=(servers,)))
    with closing(connection.consumer()) as consumer:
        partition = TopicPartition(TopicSettings().interactions, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        seen, started = 0, time.perf_counter()
        while seen < events:
            seen += sum(map(len, consumer.poll(timeout_ms=1000).values()))
        return time.perf_counter() - started
