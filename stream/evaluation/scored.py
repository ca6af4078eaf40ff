"""The forms in which a batch of predictions enters the measures, and in which they leave it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLACES", "EventScore", "RankingQuality", "ScoredEvents", "WindowedMeasures"]


PLACES = 5
"""How many offers of a ranking count (contract, part 6)."""


class RankingQuality(NamedTuple):
    """How good the first five of a ranking are, for one event or as a mean; each between 0 and 1."""

    recall_at_5: float
    """|top5 and T| / min(5, |T|)"""
    ndcg_at_5: float
    """Discounted hits over the best that |T| labels allow."""
    precision_at_5: float
    """|top5 and T| / 5"""


@dataclass(slots=True)
class ScoredEvents:
    """The logits of B events in training order, over P (event, offer) pairs, from before these events were trained.

    The pairs of event b are those from ``offsets[b]`` to ``offsets[b + 1]``: every live offer in R or T once, in any
    order.
    """

    ids: list[str]
    keys: list[str | None]
    """None where an event is anonymous."""
    ts: NDArray[np.int64]
    """(B,) event times in Unix ms"""
    schema_version: int
    """The version in effect; a batch never spans two."""
    offsets: NDArray[np.int64]
    """(B + 1,) bounds into the arrays over pairs"""
    slot: NDArray[np.int32]
    """(P,) the offer's slot"""
    possible: NDArray[np.bool_]
    """(P,) the offer is in R: live, and admitted by ``shown``"""
    taken: NDArray[np.bool_]
    """(P,) the offer is in T: live, and among the event's labels"""
    logit: NDArray[np.floating]
    """(P,) finite scores: the log-odds of the published probability"""


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


@dataclass(frozen=True, slots=True)
class WindowedMeasures:
    """Measures over a window or over the whole life; None where no event or pair defines one."""

    events: int
    """Events behind loss, AUC and calibration."""
    events_with_labels: int
    """Events behind the rankings' means."""
    recall_at_5: float | None
    ndcg_at_5: float | None
    precision_at_5: float | None
    bce: float | None
    """Mean binary cross-entropy per pair in nats."""
    micro_auc: float | None
    """Area under the ROC curve over all pairs pooled; logits in bins of 1/64 (:mod:`stream.evaluation.calibration`)."""
    expected_calibration_error: float | None
    """Mean distance of predicted and observed rate over 15 groups of like predictions."""
    baselines: Mapping[str, RankingQuality | None]
    """By name: ``popularity`` and ``entity_attribute_counts``."""
    running_rate_bce: float | None = None
    """Mean cross-entropy per pair of the running rate, over the same pairs as ``bce``."""
    contested_events: int = 0
    """Of the events behind the rankings, those with more possible offers than places: |R| > 5."""
    contested: RankingQuality | None = None
    """The model's means over those alone: an event with five candidates has all of them in its first five."""
    contested_baselines: Mapping[str, RankingQuality | None] = field(default_factory=dict)

    @property
    def normalised_entropy(self) -> float | None:
        """The model's loss over the running rate's: below 1 it knows more than how often pairs are taken.

        (He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014, with the rate so far in
        place of the rate of all.) None where there is no pair, or the rate itself has no loss.
        """
        return self.bce / self.running_rate_bce if self.bce is not None and self.running_rate_bce else None
