"""Each arm beside the default on the user's stream: the figures that the advice is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream.bench.adaptation.arms import DEFAULT, Arm
from stream.bench.adaptation.intervals import Interval, mean_interval
from stream.bench.adaptation.trace import Trace
from stream.bench.own.blocks import loss_effects, normalised_entropy, recall_effects

__all__ = ["Row", "rows_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """One arm over the last four fifths of the events; intervals are over blocks of time."""

    arm: Arm
    same: bool
    """It is the default here by construction: what it does differently never came about."""
    loss: float
    """Nats a pair; NaN of a baseline that only ranks."""
    normalised_entropy: float
    """That loss over the running rate's: below 1 is better than knowing the rate alone."""
    recall_at_5: float
    loss_against: Interval | None
    """As a share of the default's; None of the default, of what is the same, and if there is no loss."""
    recall_against: Interval | None
    seconds_per_event: float
    """CPU seconds of encoding, predicting, training and schema changes."""
    peak_memory_bytes: int
    by_block: Mapping[int, float] = field(default_factory=dict)
    """What `loss_against` is the mean of."""


def rows_of(runs: Mapping[Arm, Sequence[Trace]]) -> list[Row]:
    """Return the rows of some arms' runs, a trace a seed, in their order; the default has to be among them."""
    default = next(traces for arm, traces in runs.items() if arm.name == DEFAULT)
    return [_row(arm, traces, default) for arm, traces in runs.items()]


def _row(arm: Arm, traces: Sequence[Trace], default: Sequence[Trace]) -> Row:
    itself = arm.name == DEFAULT
    same = not itself and all(_alike(ours, its) for ours, its in zip(traces, default, strict=False))
    first = len(traces[0]) // 5
    pairs = sum(int(trace.bce_pairs[first:].sum()) for trace in traces)
    by_block = {} if itself or same or not pairs else loss_effects(traces, default)
    recall = {} if itself or same else recall_effects(traces, default)
    labelled = np.concatenate([trace.recall[first:] for trace in traces])
    known = labelled[np.isfinite(labelled)]
    return Row(
        arm=arm,
        same=same,
        loss=sum(float(trace.bce_sum[first:].sum()) for trace in traces) / pairs if pairs else float("nan"),
        normalised_entropy=normalised_entropy(traces) if pairs else float("nan"),
        recall_at_5=float(known.mean()) if known.size else float("nan"),
        loss_against=mean_interval(by_block.values()),
        recall_against=mean_interval(recall.values()),
        seconds_per_event=sum(trace.cpu_seconds for trace in traces) / sum(map(len, traces)),
        peak_memory_bytes=max(trace.peak_memory_bytes for trace in traces),
        by_block=by_block,
    )


def _alike(ours: Trace, theirs: Trace) -> bool:
    return np.array_equal(ours.bce_sum, theirs.bce_sum) and np.array_equal(ours.recall, theirs.recall, equal_nan=True)
