"""What a batch's predictions were worth: arrays; names and an event's own figures only if someone asks for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.measures import RANKING_MEASURES
from stream.evaluation.quality import RANKINGS, RankingQuality
from stream.evaluation.scored import PLACES

__all__ = ["BatchScores", "EventScore"]


@dataclass(slots=True)
class EventScore:
    """What was predicted for one event before it was trained, and how that fared (contract, parts 6 and 7)."""

    id: str
    schema_version: int
    top: list[tuple[str, float]]
    """The model's first min(5, |R|) offers with their logits, best first."""
    popularity: list[str]
    entity_attribute_counts: list[str]
    possible: int
    """|R|"""
    labels: list[str]
    """T, ascending by UTF-8 bytes."""
    bce_sum: float
    """Binary cross-entropy in nats, summed over the event's pairs."""
    bce_pairs: int
    """|R or T|"""
    running_rate_bce_sum: float = 0.0
    """The same of the running rate (:mod:`stream.evaluation.running_rate`)."""
    quality: RankingQuality | None = None
    """The model's; None, as the baselines', where T is empty."""
    popularity_quality: RankingQuality | None = None
    entity_attribute_counts_quality: RankingQuality | None = None

    @property
    def contested(self) -> bool:
        """Whether a ranking of it can be wrong: more offers were possible than there are places."""
        return self.possible > PLACES

    @property
    def mean_loss(self) -> float | None:
        """Binary cross-entropy per pair in nats; None for an event without pairs."""
        return self.bce_sum / self.bce_pairs if self.bce_pairs else None

    def to_json(self) -> str:
        """Return the event's line of a predictions file, without the line's end (contract, part 7)."""
        return json.dumps(
            {
                "id": self.id,
                "schema_version": self.schema_version,
                "top": self.top,
                "popularity": self.popularity,
                "entity_attribute_counts": self.entity_attribute_counts,
                "possible": self.possible,
                "labels": self.labels,
                "bce": [self.bce_sum, self.bce_pairs],
            },
            ensure_ascii=False,
        )


@dataclass(slots=True, eq=False)
class BatchScores(Sequence[EventScore]):
    """The scores of B events; each is made when it is asked for."""

    ids: list[str]
    schema_version: int
    names: Sequence[str | None]
    """Of the offers by slot, as they were."""
    best: NDArray[np.int32]
    """(B, 3, 5) slots of the first five by model, popularity and counts, best first; as many as were possible."""
    held: NDArray[np.float64]
    """(B, 3, 5) their scores"""
    possible: NDArray[np.int64]
    """(B,) |R|"""
    taken: NDArray[np.int32]
    """(L,) slots of the labels, by name within an event"""
    taken_bounds: NDArray[np.int64]
    """(B + 1,) bounds into them"""
    losses: NDArray[np.float64]
    """(B, 3) cross-entropy summed over the event's pairs, their number, and the running rate's cross-entropy"""
    labelled: NDArray[np.int64]
    """(n,) the events with labels"""
    rankings: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 1)))
    """(n, 3 M + 1) of each of these the measures of each ranking, and 1 if it was contested"""

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> EventScore: ...
    @overload
    def __getitem__(self, index: slice) -> list[EventScore]: ...
    def __getitem__(self, index: int | slice) -> EventScore | list[EventScore]:
        """Return the score of an event, or of some."""
        if isinstance(index, slice):
            return [self._score(event) for event in range(*index.indices(len(self)))]
        return self._score(range(len(self))[index])

    def __iter__(self) -> Iterator[EventScore]:
        return map(self._score, range(len(self)))

    def _score(self, event: int) -> EventScore:
        taken = self.taken[self.taken_bounds[event] : self.taken_bounds[event + 1]]
        size = int(self.possible[event])
        model, popularity, counts = (self._names(ranking[:size]) for ranking in self.best[event])
        bce_sum, pairs, rate_sum = self.losses[event].tolist()
        of_model = of_popularity = of_counts = None
        if len(taken):
            row = self.rankings[np.searchsorted(self.labelled, event), :-1]
            of_model, of_popularity, of_counts = (RankingQuality(*own) for own in row.reshape(3, -1).tolist())
        return EventScore(
            id=self.ids[event],
            schema_version=self.schema_version,
            top=list(zip(model, self.held[event, 0].tolist(), strict=False)),
            popularity=popularity,
            entity_attribute_counts=counts,
            possible=size,
            labels=self._names(taken),
            bce_sum=bce_sum,
            bce_pairs=int(pairs),
            running_rate_bce_sum=rate_sum,
            quality=of_model,
            popularity_quality=of_popularity,
            entity_attribute_counts_quality=of_counts,
        )

    def _names(self, slots: NDArray[np.int32]) -> list[str]:
        return [self.names[slot] or "" for slot in slots.tolist()]

    # -- of the whole batch ---------------------------------------------------------------------------------------

    @property
    def bce_sum(self) -> float:
        """Binary cross-entropy in nats over all pairs."""
        return float(self.losses[:, 0].sum())

    @property
    def running_rate_bce_sum(self) -> float:
        """The same of the running rate."""
        return float(self.losses[:, 2].sum())

    @property
    def contested_events(self) -> int:
        """How many events with labels had more possible offers than a ranking has places."""
        return int(self.rankings[:, -1].sum())

    def quality_sums(self) -> Mapping[str, Mapping[str, float]]:
        """Return each measure, by ranking and name, summed over the events with labels."""
        sums = self.rankings[:, :-1].sum(axis=0).reshape(len(RANKINGS), -1).tolist()
        return {whose: dict(zip(RANKING_MEASURES, row, strict=True)) for whose, row in zip(RANKINGS, sums, strict=True)}
