"""Two arms on one stream, block by block of time: what a user has is one stream, so the interval is over its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.bench.adaptation.trace import Trace

__all__ = ["BLOCKS", "loss_effects", "normalised_entropy", "recall_effects", "running_rate_loss", "spans"]

Floats = NDArray[np.float64]

BLOCKS: Final = 20
_FIRST_FIFTH: Final = 5


def spans(events: int) -> list[tuple[int, int]]:
    """Return the first and the last-but-one event of each block: the last four fifths in up to `BLOCKS` equal parts."""
    first = events // _FIRST_FIFTH
    bounds = np.linspace(first, events, min(BLOCKS, max(events - first, 1)) + 1).astype(int).tolist()
    return list(pairwise(bounds))


def loss_effects(ours: Sequence[Trace], theirs: Sequence[Trace]) -> dict[int, float]:
    """Return by block how much more summed loss `ours` has, as a share of the mean block of `theirs`.

    Traces are of one arm each, a seed apart, and are averaged first. The mean over blocks is the ratio of the sums less
    one, so no block with little loss weighs as much as one with a lot.
    """
    first, second = _block_losses(ours), _block_losses(theirs)
    scale = float(second.mean())
    return {block: float(value) / scale for block, value in enumerate(first - second)} if scale else {}


def recall_effects(ours: Sequence[Trace], theirs: Sequence[Trace]) -> dict[int, float]:
    """Return by block the difference of mean recall@5; without the blocks in which nothing was taken."""
    first, second = _block_recalls(ours), _block_recalls(theirs)
    return {block: float(value) for block, value in enumerate(first - second) if np.isfinite(value)}


def running_rate_loss(trace: Trace) -> Floats:
    """Return `(N,)` nats: the loss of who knows nothing but the share of pairs taken so far, (k + 1/2) / (n + 1)."""
    taken = np.concatenate([[0], np.cumsum(trace.taken)])[:-1]
    pairs = np.concatenate([[0], np.cumsum(trace.bce_pairs)])[:-1]
    rate = (taken + 0.5) / (pairs + 1.0)
    loss: Floats = -(trace.taken * np.log(rate) + (trace.bce_pairs - trace.taken) * np.log1p(-rate))
    return loss


def normalised_entropy(traces: Sequence[Trace]) -> float:
    """Return the loss over that of the running rate, over the last four fifths; NaN if there is none."""
    first = len(traces[0]) // _FIRST_FIFTH
    rate = sum(float(running_rate_loss(trace)[first:].sum()) for trace in traces)
    return sum(float(trace.bce_sum[first:].sum()) for trace in traces) / rate if rate else float("nan")


def _block_losses(traces: Sequence[Trace]) -> Floats:
    bounds = spans(len(traces[0]))
    found: Floats = np.array([[trace.bce_sum[a:b].sum() for a, b in bounds] for trace in traces]).mean(axis=0)
    return found


def _block_recalls(traces: Sequence[Trace]) -> Floats:
    bounds = spans(len(traces[0]))
    found: Floats = np.array([[_mean(trace.recall[a:b]) for a, b in bounds] for trace in traces]).mean(axis=0)
    return found


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
