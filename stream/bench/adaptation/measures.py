"""What one run was worth and what it cost, in numbers, from its trace and the facts of its stream."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.bench.adaptation.facts import DECILES, Facts
from stream.bench.adaptation.trace import Trace
from stream.bench.adaptation.windows import Site, mean_between, recovery, sites, steadiness
from stream.evaluation.calibration import expected_calibration_error, reliability

__all__ = ["AroundChange", "Measures", "beginning", "loss_within_seconds", "measure", "window_of"]

Floats = NDArray[np.float64]

_NAN: Final = float("nan")
_SMALLEST_WINDOW, _LARGEST_WINDOW = 50, 500
_SOON: Final = 5


def window_of(events: int) -> int:
    """Return the window, in events, for a stream so long: a thirtieth of it, at least 50 and at most 500."""
    return min(max(events // 30, _SMALLEST_WINDOW), _LARGEST_WINDOW)


@dataclass(frozen=True, slots=True)
class AroundChange:
    """One site's measures; losses in nats a pair; NaN if nothing defines them."""

    event: int
    loss_before: float
    loss_at: float
    """Over the first window after the change."""
    loss_after: float
    """Over the window after that, or the last whole one before the next change."""
    loss_soon: float
    """Over the five windows after the change, or as many events as there are before the next."""
    recall_before: float
    recall_at: float
    recall_after: float
    ndcg_before: float
    ndcg_at: float
    ndcg_after: float
    recovery_events: float
    recovered: bool
    recovery_seconds: float
    """Training seconds from the change to the end of the window in which the loss is back; NaN if it is not."""
    recovery_to_oracle_events: float
    recovered_to_oracle: bool
    jumps: float
    first_rise: float
    spread_before: float
    spread_after: float
    old_recall_before: float
    old_recall_at: float
    old_loss_before: float
    old_loss_at: float
    """On the offers that were there before, over the first two windows after the change, as the next two."""
    new_loss_at: float
    new_recall_at: float


@dataclass(frozen=True, slots=True)
class Measures:
    """One run's measures; losses are binary cross-entropy in nats."""

    events: int
    loss_sum: float
    """Prequential, over every event and pair."""
    loss: float
    """Per pair, over the contract's last four fifths of the labelled events, as the two rankings below."""
    recall_at_5: float
    ndcg_at_5: float
    excess_over_truth: float
    """Per pair, over all events; NaN if the truth is not known."""
    excess_over_oracle_sum: float
    """Over all events from the first change on; NaN without an oracle."""
    calibration_error: float
    train_seconds: float
    """CPU time of encoding, predicting, training and schema changes."""
    cpu_per_event: float
    """CPU seconds, of events outside warm-ups."""
    cpu_per_frozen_event: float
    events_frozen: int
    parameters: int
    parameters_trained: int
    peak_memory_bytes: int
    around: list[AroundChange]
    reliability: list[tuple[float, float, int]]
    """(predicted, observed, pairs) of up to 15 groups of like predictions."""
    decile_loss: list[float]
    """Per pair, by how often an event's rarest categorical value occurs, the rarest tenth first."""
    domain_loss: dict[str, float]
    task_loss: dict[str, float]
    """Per pair, by the offers' task; of what is learned one by one, what does a task cost the others."""
    kl_nats: list[tuple[int, float]]
    notes: dict[str, Any] = field(default_factory=dict)

    def site_mean(self, name: str) -> float:
        """Return the mean of one of `AroundChange`'s values over the sites where it is defined."""
        return _mean(float(getattr(site, name)) for site in self.around)

    def value(self, name: str) -> float:
        """Return a measure by name: one of this class, or the mean over sites of one of `AroundChange`."""
        if name in AroundChange.__dataclass_fields__ and name not in Measures.__dataclass_fields__:
            return self.site_mean(name)
        return float(getattr(self, name))

    def as_json(self) -> dict[str, Any]:
        """Return the measures as JSON values; NaN as None."""
        document = asdict(self)
        return {name: _plain(value) for name, value in document.items()}

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Measures:
        """Return what `as_json` wrote; raises KeyError or TypeError if it is not that."""
        values = {each.name: document[each.name] for each in fields(cls)}
        values = {name: _known(value) for name, value in values.items()}
        values["around"] = [
            AroundChange(**{name: _known(value) for name, value in site.items()}) for site in values["around"]
        ]
        values["reliability"] = [(float(x), float(y), int(pairs)) for x, y, pairs in values["reliability"]]
        values["kl_nats"] = [(int(event), float(nats)) for event, nats in values["kl_nats"]]
        values["decile_loss"] = [_known(loss) for loss in values["decile_loss"]]
        for name in ("domain_loss", "task_loss"):
            values[name] = {part: _known(loss) for part, loss in values[name].items()}
        return cls(**values)


def beginning(trace: Trace, events: int) -> Trace:
    """Return the trace of a run's first events, with the costs up to there, to compare with a run that saw no more.

    Calibration is over a whole run and is not known of a part.
    """
    if events >= len(trace):
        return trace
    cut: dict[str, Any] = {
        each.name: value[:events]
        for each in fields(trace)
        if isinstance(value := getattr(trace, each.name), np.ndarray) and each.name != "histogram"
    }
    share = float(trace.seconds[events - 1]) / trace.train_seconds if events and trace.train_seconds else 0.0
    frozen = int(trace.frozen[:events].sum())
    return replace(
        trace,
        **cut,
        histogram=np.zeros_like(trace.histogram),
        train_seconds=trace.train_seconds * share,
        cpu_seconds=trace.cpu_seconds * share,
        cpu_seconds_frozen=trace.cpu_seconds_frozen * frozen / max(trace.events_frozen, 1),
        events_frozen=frozen,
        kl_nats=[(event, nats) for event, nats in trace.kl_nats if event <= events],
    )


def measure(trace: Trace, facts: Facts, oracle: Trace | None = None) -> Measures:
    """Measure a run; `oracle` is the oracle's trace on the same stream from the same seed, if there is one.

    A run may be shorter than its stream (a peer's is): the stream's window stays, so that sites are the same.
    """
    events = len(trace)
    window = window_of(len(facts.decile))
    facts = facts.beginning(events)
    oracle = None if oracle is None else beginning(oracle, events)
    found = sites(facts.changes, events, window)
    late = _late(trace)
    frozen, loose = trace.events_frozen, events - trace.events_frozen
    pairs = max(int(trace.bce_pairs.sum()), 1)
    excess = _NAN
    if oracle is not None:
        first = int(facts.changes[0]) if facts.changes.size else 0
        excess = float((trace.bce_sum - oracle.bce_sum)[first:].sum())
    error = expected_calibration_error(trace.histogram)
    return Measures(
        events=events,
        loss_sum=float(trace.bce_sum.sum()),
        loss=mean_between(trace.bce_sum, trace.bce_pairs, late, events),
        recall_at_5=_mean(trace.recall[late:]),
        ndcg_at_5=_mean(trace.ndcg[late:]),
        excess_over_truth=_NAN if facts.truth is None else float((trace.bce_sum - facts.truth).sum()) / pairs,
        excess_over_oracle_sum=excess,
        calibration_error=_NAN if error is None else error,
        train_seconds=float(_seconds(trace)[-1]) if events else 0.0,
        cpu_per_event=trace.cpu_seconds_unfrozen / loose if loose else _NAN,
        cpu_per_frozen_event=trace.cpu_seconds_frozen / frozen if frozen else _NAN,
        events_frozen=frozen,
        parameters=trace.parameters,
        parameters_trained=trace.parameters_trained,
        peak_memory_bytes=trace.peak_memory_bytes,
        around=[_around(trace, facts, oracle, site, window) for site in found],
        reliability=reliability(trace.histogram),
        decile_loss=[_loss_where(trace, facts.decile == decile) for decile in range(DECILES)],
        domain_loss={name: _loss_where(trace, facts.domain == number) for number, name in enumerate(facts.domains)},
        task_loss={
            name: mean_between(trace.task_sum[:, number], trace.task_pairs[:, number], 0, events)
            for number, name in enumerate(trace.tasks)
        },
        kl_nats=trace.kl_nats,
        notes=trace.notes,
    )


def loss_within_seconds(trace: Trace, budget_seconds: float) -> tuple[float, int]:
    """Return the loss per pair, and the number of events, of what a run gets through in so many training seconds."""
    reached = int(np.searchsorted(_seconds(trace), budget_seconds, side="right"))
    return mean_between(trace.bce_sum, trace.bce_pairs, 0, reached), reached


def _around(trace: Trace, facts: Facts, oracle: Trace | None, site: Site, window: int) -> AroundChange:
    start, after = site.first, min(site.first + 2 * window, site.end) - window
    spans = {"before": (start - window, start), "at": (start, start + window), "after": (after, after + window)}
    losses = {name: mean_between(trace.bce_sum, trace.bce_pairs, *span) for name, span in spans.items()}
    recalls = {name: _mean(trace.recall[first:end]) for name, (first, end) in spans.items()}
    ndcgs = {name: _mean(trace.ndcg[first:end]) for name, (first, end) in spans.items()}
    reference = facts.truth
    if reference is None and oracle is not None:
        reference = oracle.bce_sum
    back = recovery(trace.bce_sum, trace.bce_pairs, site, window, reference)
    seconds = _NAN
    if not back.censored:
        reached = min(start + back.events + window, len(trace)) - 1
        elapsed = _seconds(trace)
        seconds = float(elapsed[reached] - (elapsed[start - 1] if start else 0.0))
    to_oracle = None
    if oracle is not None:
        to_oracle = recovery(trace.bce_sum, trace.bce_pairs, site, window, oracle.bce_sum, to_reference=True)
    known = math.isfinite(losses["before"])  # a baseline that only ranks has no loss to come back
    steady = steadiness(trace.bce_sum, trace.bce_pairs, site, window, facts.truth) if known else None
    two = (start, min(start + 2 * window, site.end))
    return AroundChange(
        event=start,
        loss_before=losses["before"],
        loss_at=losses["at"],
        loss_after=losses["after"],
        loss_soon=mean_between(trace.bce_sum, trace.bce_pairs, start, min(start + _SOON * window, site.end)),
        recall_before=recalls["before"],
        recall_at=recalls["at"],
        recall_after=recalls["after"],
        ndcg_before=ndcgs["before"],
        ndcg_at=ndcgs["at"],
        ndcg_after=ndcgs["after"],
        recovery_events=back.events if known else _NAN,
        recovered=not back.censored,
        recovery_seconds=seconds,
        recovery_to_oracle_events=_NAN if to_oracle is None else to_oracle.events,
        recovered_to_oracle=to_oracle is not None and not to_oracle.censored,
        jumps=_NAN if steady is None else steady.jumps,
        first_rise=_NAN if steady is None else steady.first_rise,
        spread_before=_NAN if steady is None else steady.spread_before,
        spread_after=_NAN if steady is None else steady.spread_after,
        old_recall_before=recalls["before"],
        old_recall_at=_mean(trace.old_recall[two[0] : two[1]]),
        old_loss_before=losses["before"],
        old_loss_at=mean_between(trace.old_sum, trace.old_pairs, *two),
        new_loss_at=mean_between(trace.new_sum, trace.new_pairs, *two),
        new_recall_at=_mean(trace.new_recall[two[0] : two[1]]),
    )


def _seconds(trace: Trace) -> Floats:
    """Return `(N,)` training seconds up to each event: CPU time, which what else the machine does hardly touches."""
    if not trace.cpu_seconds or not trace.train_seconds:
        return trace.seconds
    return trace.seconds * (trace.cpu_seconds / trace.train_seconds)


def _late(trace: Trace) -> int:
    """Return the first event that the contract's measures take in: the (floor(n / 5) + 1)-th with labels."""
    labelled = np.flatnonzero(np.isfinite(trace.recall))
    return int(labelled[len(labelled) // 5]) if labelled.size else 0


def _loss_where(trace: Trace, where: NDArray[np.bool_]) -> float:
    count = int(trace.bce_pairs[where].sum())
    return float(trace.bce_sum[where].sum()) / count if count else _NAN


def _mean(values: Iterable[float] | Floats) -> float:
    if isinstance(values, np.ndarray):
        known = values[np.isfinite(values)]
        return float(known.mean()) if known.size else _NAN
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else _NAN


def _known(value: Any) -> Any:
    return _NAN if value is None else value


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
