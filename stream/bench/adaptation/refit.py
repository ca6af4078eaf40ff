"""A refit: fresh weights under today's schema, trained on everything so far; and a pass with refits in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from stream.bench.adaptation.cost import Meter
from stream.bench.adaptation.online import Progress, arm_settings
from stream.bench.adaptation.past import Past
from stream.bench.adaptation.scoring import Scorer
from stream.bench.adaptation.stream import BenchStream
from stream.bench.adaptation.trace import Trace
from stream.learner.core import LearnerCore
from stream.schema import Version
from stream.settings.learner import LearnerSettings

__all__ = ["EPOCHS", "Refitted", "run_refitted"]

EPOCHS = 2
"""How often a refit sees each event, unless told otherwise."""


class Refitted:
    """A learner that is made anew now and then, and follows the schema in between."""

    def __init__(self, settings: LearnerSettings) -> None:
        self._settings = settings
        self.past = Past()
        self.learner = LearnerCore(settings)
        self.refits = 0
        self.events_refitted = 0
        """Events trained in refits, each as often as it was."""

    def apply(self, version: Version) -> None:
        """Take the next version of the stream into effect."""
        self.past.apply(version)
        # A refitted learner has seen one version for all before: its numbers are its own.
        self.learner.apply(Version.of(self.learner.schema.version + 1, version.ts, version.changes))

    def refit(self, epochs: int) -> None:
        """Start anew and train on the past, `epochs` times.

        The first epoch goes in the order of the stream, as a new learner would have lived it under today's schema:
        counts, statistics and vocabularies are rebuilt there, each event's counts from what came before it. Further
        epochs are shuffled and move weights alone, with each event's counts as they were then.
        """
        events = self.past.told_today()
        learner = LearnerCore(self._settings)
        learner.apply(self.past.creating_version())
        size = self._settings.batch_size
        counts: list[torch.Tensor] = []
        bounds = [0]
        for first in range(0, len(events), size):
            batch = learner.encode(events[first : first + size])
            if epochs > 1:
                # Half the memory, for inputs that are logarithms of ratios: three digits are plenty.
                counts.append(learner.count_inputs(batch).to(torch.float16))
                bounds += (bounds[-1] + batch.offsets[1:]).tolist()
            learner.learn(batch)
        table = torch.cat(counts) if counts else None
        for epoch in range(1, epochs if table is not None else 1):
            assert table is not None
            order = np.random.default_rng([self._settings.seed, self.refits, epoch]).permutation(len(events))
            for first in range(0, len(events), size):
                chosen = order[first : first + size].tolist()
                pairs = np.concatenate([np.arange(bounds[event], bounds[event + 1]) for event in chosen])
                batch = learner.encode([events[event] for event in chosen])
                learner.replay(batch, table[torch.from_numpy(pairs)].to(torch.float32))
        self.learner = learner
        self.refits += 1
        self.events_refitted += epochs * len(events)


def run_refitted(
    stream: BenchStream,
    overrides: Mapping[str, str],
    seed: int,
    progress: Progress,
    *,
    due: Callable[[Refitted, list[Version]], bool],
    online: bool,
    epochs: int,
) -> Trace:
    """Pass over a stream with a refit before each batch, and after its versions, for which `due` says so.

    In between the model learns `online`, or stands still: then a new offer has the prior's logit, and a new input no
    effect, until the next refit.
    """
    settings = arm_settings(stream, overrides, seed)
    arm, measured = Refitted(settings), None
    scorer, meter = Scorer(stream), Meter()
    trace = scorer.trace
    for versions, events in stream.batches(settings.batch_size):
        with meter.measured():
            for version in versions:
                arm.apply(version)
            if not events:
                break
            if due(arm, versions):
                arm.refit(epochs)
            batch = arm.learner.encode(events)
            if online:
                report = arm.learner.learn(batch)
                logits, frozen = report.published, report.phase == "warm_up"
            else:
                logits, frozen = arm.learner.predict(batch).scores, False
            arm.past.add(events)
        if frozen:
            trace.cpu_seconds_frozen += meter.last_cpu_seconds
        if versions or measured is not arm.learner:  # a refitted learner gives names other slots
            scorer.apply(versions, arm.learner.network.layout.offers.offers.names)
            measured = arm.learner
        scorer.add(
            batch.offsets,
            batch.pair_slot,
            batch.possible,
            batch.taken,
            logits,
            frozen=frozen,
            seconds=meter.seconds,
        )
        progress(scorer.events, len(trace))
    trace.train_seconds, trace.cpu_seconds = meter.seconds, meter.cpu_seconds
    trace.events_frozen = int(trace.frozen.sum())
    trace.parameters = trace.parameters_trained = arm.learner.report().parameters
    trace.peak_memory_bytes = meter.peak_memory_bytes()
    trace.notes |= {"epochs": epochs, "refits": arm.refits, "events_refitted": arm.events_refitted}
    return trace
