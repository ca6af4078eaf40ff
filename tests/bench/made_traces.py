"""Traces made by hand, of which every measure is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.bench.adaptation.facts import Facts
from stream.bench.adaptation.trace import Trace

PAIRS = 10


def trace_of(loss: Sequence[float], *, seconds_per_event: float = 0.001, recall: float = 0.5) -> Trace:
    """A run whose every event has `PAIRS` pairs, a label, and this loss a pair."""
    trace = Trace.empty(len(loss))
    trace.bce_sum[:] = np.array(loss) * PAIRS
    trace.bce_pairs[:] = PAIRS
    trace.old_sum[:], trace.old_pairs[:] = trace.bce_sum, PAIRS
    trace.recall[:] = trace.ndcg[:] = recall
    trace.seconds[:] = seconds_per_event * np.arange(1, len(loss) + 1)
    trace.train_seconds = trace.cpu_seconds = seconds_per_event * len(loss)
    trace.histogram[0, 1000], trace.histogram[1, 1000] = 90, 10
    trace.parameters = trace.parameters_trained = 100
    return trace


def facts_with(changes: Sequence[int], events: int, truth: float | None = None) -> Facts:
    """A stream with these changes, and, where it is given, the same true loss a pair for every event."""
    return Facts(
        changes=np.array(changes, dtype=np.int64),
        decile=np.full(events, -1, dtype=np.int64),
        domain=np.full(events, -1, dtype=np.int64),
        domains=(),
        truth=None if truth is None else np.full(events, truth * PAIRS),
    )
