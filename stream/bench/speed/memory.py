"""The learner from memory: decoding, encoding, predicting, training and measuring, with no log around it."""

from __future__ import annotations

import gc
import time

from stream.bench.speed.workload import Workload
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction, decode_interaction
from stream.schema import parse_version
from stream.service.rehearsal import rehearse

__all__ = ["from_memory"]


def from_memory(workload: Workload, lines: list[bytes]) -> tuple[float, float]:
    """Return the CPU seconds, and the mean loss of the predictions in nats a pair."""
    learner = LearnerCore(workload.settings)
    versions = [parse_version(line) for line in workload.schema.read_bytes().splitlines()]
    size = workload.settings.batch_size
    waiting: list[Interaction] = []
    loss, pairs = 0.0, 0

    def learn() -> None:
        nonlocal loss, pairs
        if waiting:
            report = learner.learn(learner.encode(waiting))
            loss += report.loss * report.pairs
            pairs += report.pairs
            waiting.clear()

    rehearse()
    gc.collect()
    gc.freeze()
    started = time.process_time()
    for line in lines:
        event = decode_interaction(line)
        while versions and versions[0].ts <= event.ts:
            learn()
            learner.apply(versions.pop(0))
        waiting.append(event)
        if len(waiting) == size:
            learn()
    learn()
    seconds = time.process_time() - started
    gc.unfreeze()
    return seconds, loss / max(1, pairs)
