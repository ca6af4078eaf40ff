"""Each source's seconds for each workload, in turn, repeat by repeat: what slows the machine down slows all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from stream.bench.speed.bare import bare_step
from stream.bench.speed.figure import Figure
from stream.bench.speed.former import FORMER, from_memory_then
from stream.bench.speed.memory import from_memory
from stream.bench.speed.peers import LINEAR, run_peer
from stream.bench.speed.service import embedded_log, from_embedded, from_kafka, kafka_topic, raw_poll
from stream.bench.speed.workload import Workload
from stream.errors import BrokerUnavailable, ConfigurationError

__all__ = ["BARE_STEP", "EMBEDDED", "KAFKA", "MEMORY", "RAW_POLL", "THEN", "measure", "peer_source"]

BARE_STEP, MEMORY, THEN = "bare torch step", "memory", f"memory, commit {FORMER}"
EMBEDDED, RAW_POLL, KAFKA = "embedded log", "raw poll by kafka-python", "Kafka"

Say = Callable[[str], None]


def peer_source(name: str) -> str:
    """Return what a peer is called in the table."""
    return f"{name} (linear)" if name in LINEAR else name


def measure(
    workload: Workload,
    directory: Path,
    *,
    repeats: int,
    say: Say,
    logs: bool = True,
    kafka: bool = True,
    former: bool = False,
    peers: Iterable[str] = (),
) -> list[Figure]:
    """Return the workload's figures; `say` is told what is being measured, and why something was not."""
    lines = workload.lines()
    found: dict[str, list[float]] = {}
    losses: dict[str, list[float]] = {}
    missing: set[str] = set()

    def note(source: str, seconds: float, loss: float | None = None) -> None:
        found.setdefault(source, []).append(seconds)
        text = f"{workload.name:>14}  {source:<26} {len(lines) / seconds:>10,.0f} events/s"
        if loss is not None:
            losses.setdefault(source, []).append(loss)
            text += f"  {loss:.5f} nats a pair"
        say(text)

    def attempt(source: str, take: Callable[[], tuple[float, float | None]]) -> None:
        if source in missing:
            return
        try:
            note(source, *take())
        except ConfigurationError as error:
            missing.add(source)
            say(f"{workload.name:>14}  {source:<26} is not measured: {error}")

    with ExitStack() as stack:
        log, servers = directory / "log", None
        if logs:
            embedded_log(workload, lines, log)
            if kafka:
                try:
                    servers = stack.enter_context(kafka_topic(workload, lines))
                except BrokerUnavailable as error:
                    say(f"{workload.name:>14}  Kafka is not measured: {error}")
        for repeat in range(repeats):
            note(BARE_STEP, bare_step(workload, len(lines)))
            note(MEMORY, *from_memory(workload, lines))
            if former:
                attempt(THEN, lambda: (from_memory_then(workload), None))
            for peer in peers:
                attempt(peer_source(peer), lambda peer=peer: run_peer(peer, workload))  # type: ignore[misc]
            if not logs:
                continue
            name, checkpoints = f"repeat-{repeat}", directory / f"checkpoints-{repeat}"
            note(EMBEDDED, from_embedded(workload, log, checkpoints / "log", name))
            if servers is not None:
                note(RAW_POLL, raw_poll(servers, len(lines)))
                note(KAFKA, from_kafka(workload, servers, checkpoints / "kafka", name))
    return [
        Figure(workload.name, source, len(lines), tuple(seconds), _middle(losses.get(source)))
        for source, seconds in found.items()
        if source not in missing
    ]


def _middle(losses: list[float] | None) -> float | None:
    return statistics.median(losses) if losses else None
