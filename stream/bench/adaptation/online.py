"""An online arm: the learner itself under some settings, one pass over a stream, predict and then train."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stream.bench.adaptation.cost import Meter
from stream.bench.adaptation.scoring import Scorer
from stream.bench.adaptation.stream import BenchStream
from stream.bench.adaptation.trace import Trace
from stream.learner.core import LearnerCore
from stream.settings.learner import LearnerSettings
from stream.settings.load import load

__all__ = ["Progress", "arm_settings", "run_arm"]

Progress = Callable[[int, int], None]
"""Told after each step how many of how many events are done."""


def arm_settings(stream: BenchStream, overrides: Mapping[str, str], seed: int) -> LearnerSettings:
    """Return an arm's settings: the defaults, what the stream's data needs, the seed, then the arm's own.

    Raises ConfigurationError for a key or a value that is none.
    """
    attribute = {} if stream.attribute is None else {"evaluation.attribute": stream.attribute}
    chosen = {**attribute, **stream.settings, "seed": str(seed), **overrides}
    return load(LearnerSettings, stream.config, assignments=[f"{key}={value}" for key, value in chosen.items()])


def run_arm(stream: BenchStream, overrides: Mapping[str, str], seed: int, progress: Progress) -> Trace:
    """Let a learner pass over a stream and return its trace.

    Raises ConfigurationError for settings that are none, NonFinite if the learner diverges.
    """
    settings = arm_settings(stream, overrides, seed)
    learner = LearnerCore(settings)
    scorer, meter = Scorer(stream), Meter()
    trace = scorer.trace
    total = len(trace)
    trained: int | None = None
    for versions, events in stream.batches(settings.batch_size):
        with meter.measured():
            for version in versions:
                learner.apply(version)
        if not events:
            break
        with meter.measured():  # apart from the change, so that its cost is not taken for that of a frozen batch
            batch = learner.encode(events)
            report = learner.learn(batch)
        frozen = report.phase == "warm_up"
        if frozen:
            trace.cpu_seconds_frozen += meter.last_cpu_seconds
            trained = report.parameters - report.parameters_frozen
        if versions:
            scorer.apply(versions, learner.network.layout.offers.offers.names)
        scorer.add(
            batch.offsets,
            batch.pair_slot,
            batch.possible,
            batch.taken,
            report.published,
            frozen=frozen,
            seconds=meter.seconds,
        )
        nats = learner.strategy.figures().get("kl_nats")
        if nats is not None:
            trace.kl_nats.append((scorer.events, nats))
        trace.parameters = report.parameters
        trace.events_frozen = report.events_frozen_total
        progress(scorer.events, total)
    trace.train_seconds, trace.cpu_seconds = meter.seconds, meter.cpu_seconds
    trace.parameters_trained = trace.parameters if trained is None else trained
    trace.peak_memory_bytes = meter.peak_memory_bytes()
    trace.notes["warmups"] = learner.warmup.started_total
    trace.notes["figures"] = dict(learner.strategy.figures())
    return trace
