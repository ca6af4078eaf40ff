"""From an arm's logits to its trace: one way to measure all arms, whatever made the logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.bench.adaptation.slices import TASK, tasks_of
from stream.bench.adaptation.stream import BenchStream
from stream.bench.adaptation.trace import Trace
from stream.evaluation import calibration
from stream.evaluation.measures.ndcg import NDCG
from stream.evaluation.measures.recall import RECALL
from stream.evaluation.scored import PLACES
from stream.schema import Op, Schema, Version

__all__ = ["Scorer"]


class Scorer:
    """Fills a trace, batch by batch, with the measures of the contract (part 6), and of new and old offers apart."""

    def __init__(self, stream: BenchStream) -> None:
        self.trace = Trace.empty(stream.events, tasks_of(stream))
        self.events = 0
        """Events measured so far."""
        self._late = len(self.trace) // 5
        self._schema = Schema.empty()
        self._new: set[str] = set()
        self._started = False
        self._rank = np.zeros(0, dtype=np.int64)
        self._is_new = np.zeros(0, dtype=bool)
        self._task = np.zeros(0, dtype=np.int64)

    def apply(self, versions: Sequence[Version], names: Sequence[str | None]) -> None:
        """Take the versions that take effect together; `names` are the offers by slot after them, None for none."""
        added: dict[str, None] = {}
        for version in versions:
            self._schema = self._schema.apply(version)
            for change in version.changes:
                if change.op is Op.ADD_LABEL:
                    added[change.name] = None
                elif change.op is Op.REMOVE_LABEL:
                    added.pop(change.name, None)
                    self._new.discard(change.name)
                elif change.op is Op.RENAME_LABEL and change.to is not None:
                    if change.name in added:
                        del added[change.name]
                        added[change.to] = None
                    elif change.name in self._new:
                        self._new.discard(change.name)
                        self._new.add(change.to)
        if added and self._started:
            self._new = set(added)
        self._started = True
        spelled = [b"" if name is None else name.encode(errors="surrogatepass") for name in names]
        self._rank = np.zeros(len(names), dtype=np.int64)
        self._rank[sorted(range(len(names)), key=spelled.__getitem__)] = np.arange(len(names))
        self._is_new = np.array([name in self._new for name in names], dtype=bool)
        place = {task: index for index, task in enumerate(self.trace.tasks)}
        attributes = [self._schema.labels.get(name, {}) if name is not None else {} for name in names]
        self._task = np.array([place.get(found.get(TASK, ""), -1) for found in attributes], dtype=np.int64)

    def add(
        self,
        offsets: NDArray[np.int64],
        slot: NDArray[np.integer[Any]],
        possible: NDArray[np.bool_],
        taken: NDArray[np.bool_],
        logit: NDArray[Any],
        *,
        frozen: bool = False,
        seconds: float = 0.0,
    ) -> None:
        """Measure a batch of B events over P pairs: offsets `(B + 1,)`, all else `(P,)`, in training order.

        Raises ValueError if a logit is not finite: such a run has no loss.
        """
        logit = np.asarray(logit, dtype=np.float64)
        if not np.isfinite(logit).all():
            raise ValueError(f"a logit is not finite after {self.events} events; the run has no loss")
        events = len(offsets) - 1
        here = slice(self.events, self.events + events)
        trace = self.trace
        terms = np.maximum(logit, 0.0) - logit * taken + np.log1p(np.exp(-np.abs(logit)))
        new, task = self._is_new[slot], self._task[slot]
        event = np.repeat(np.arange(events), np.diff(offsets))
        for sums, pairs, which in (
            (trace.bce_sum, trace.bce_pairs, np.ones(len(slot), dtype=bool)),
            (trace.old_sum, trace.old_pairs, ~new),
            (trace.new_sum, trace.new_pairs, new),
            *((trace.task_sum[:, k], trace.task_pairs[:, k], task == k) for k in range(len(trace.tasks))),
        ):
            sums[here] = np.bincount(event[which], weights=terms[which], minlength=events)
            pairs[here] = np.bincount(event[which], minlength=events)
        trace.taken[here] = np.bincount(event[taken], minlength=events)
        late = event >= self._late - self.events
        trace.histogram += calibration.histogram(calibration.codes(logit[late], taken[late]))
        trace.frozen[here] = frozen
        trace.seconds[here] = seconds
        for b in np.flatnonzero(np.bincount(event[taken], minlength=events)).tolist():
            own = slice(int(offsets[b]), int(offsets[b + 1]))
            self._rank_event(self.events + b, slot[own], possible[own], taken[own], logit[own])
        self.events += events

    def _rank_event(
        self,
        at: int,
        slot: NDArray[np.integer[Any]],
        possible: NDArray[np.bool_],
        taken: NDArray[np.bool_],
        logit: NDArray[np.float64],
    ) -> None:
        live = slot[possible]
        ranked = live[np.lexsort((self._rank[live], -logit[possible]))[:PLACES]]
        labels = slot[taken]
        hits, number = np.zeros((1, PLACES), dtype=np.bool_), np.array([len(labels)])
        hits[0, : len(ranked)] = np.isin(ranked, labels)
        self.trace.recall[at], self.trace.ndcg[at] = RECALL.of(hits, number)[0], NDCG.of(hits, number)[0]
        new = self._is_new[labels]
        for recall, part in ((self.trace.old_recall, labels[~new]), (self.trace.new_recall, labels[new])):
            if len(part):
                recall[at] = np.isin(ranked, part).sum() / min(PLACES, len(part))
