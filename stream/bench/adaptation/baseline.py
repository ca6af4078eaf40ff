"""A baseline as an arm: what the contract's counting rules rank over a stream, event by event, without a network."""

from __future__ import annotations

import numpy as np

from stream.bench.adaptation.cost import Meter
from stream.bench.adaptation.online import Progress, arm_settings
from stream.bench.adaptation.slices import tasks_of
from stream.bench.adaptation.stream import BenchStream
from stream.bench.adaptation.trace import Trace
from stream.evaluation import ScoredEvents
from stream.learner.core import LearnerCore

__all__ = ["run_baseline"]


def run_baseline(name: str, stream: BenchStream, seed: int, progress: Progress) -> Trace:
    """Let the baseline `name` rank each event of a stream before it counts it, and return the trace of its rankings.

    A baseline gives no probability, so the trace's losses are NaN over no pairs (contract, part 6: their bce is null).
    """
    settings = arm_settings(stream, {}, seed)
    learner = LearnerCore(settings)  # for names, slots and the counting; its network is neither asked nor trained
    meter = Meter()
    trace = Trace.empty(stream.events, tasks_of(stream))
    trace.bce_sum[:] = trace.old_sum[:] = trace.new_sum[:] = np.nan
    done = 0
    for versions, events in stream.batches(settings.batch_size):
        with meter.measured():
            for version in versions:
                learner.apply(version)
            if not events:
                break
            batch = learner.encode(events)
            scores = learner.evaluation.update(ScoredEvents.of(batch, np.zeros(batch.pairs, dtype=np.float32)))
        for place, score in enumerate(scores, done):
            quality = score.popularity_quality if name == "popularity" else score.entity_attribute_counts_quality
            if quality is not None:
                trace.recall[place], trace.ndcg[place] = quality.recall_at_5, quality.ndcg_at_5
        trace.seconds[done : done + len(events)] = meter.seconds
        done += len(events)
        progress(done, len(trace))
    trace.train_seconds, trace.cpu_seconds = meter.seconds, meter.cpu_seconds
    trace.peak_memory_bytes = meter.peak_memory_bytes()
    return trace
