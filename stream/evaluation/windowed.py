"""The measures over a window or a whole life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream.evaluation.measures import RANKING_MEASURES
from stream.evaluation.quality import RankingQuality

__all__ = ["WindowedMeasures"]


@dataclass(frozen=True, slots=True)
class WindowedMeasures:
    """Measures over a window or over the whole life; None if no event or pair defines one.

    The model's measures of rankings are its attributes too: `recall_at_5` and the others.
    """

    events: int
    """Events behind loss, AUC and calibration."""
    events_with_labels: int
    """Events behind the rankings' means."""
    model: RankingQuality | None
    bce: float | None
    """Mean binary cross-entropy per pair in nats."""
    micro_auc: float | None
    """Area under the ROC curve over all pairs pooled; logits in bins of 1/64 (`stream.evaluation.calibration`)."""
    expected_calibration_error: float | None
    """Mean distance of predicted and observed rate over 15 groups of like predictions."""
    baselines: Mapping[str, RankingQuality | None]
    """By name: `popularity` and `entity_attribute_counts`."""
    running_rate_bce: float | None = None
    """Mean cross-entropy per pair of the running rate, over the same pairs as `bce`."""
    contested_events: int = 0
    """Of the events behind the rankings, those with more possible offers than places: |R| > 5."""
    contested: RankingQuality | None = None
    """The model's means over those alone: an event with five candidates has all of them in its first five."""
    contested_baselines: Mapping[str, RankingQuality | None] = field(default_factory=dict)

    def __getattr__(self, name: str) -> float | None:
        """Return the model's mean of a measure of rankings."""
        if name not in RANKING_MEASURES:
            raise AttributeError(f"{name} is neither a field nor a measure of rankings")
        return None if self.model is None else getattr(self.model, name)

    @property
    def normalised_entropy(self) -> float | None:
        """The model's loss over the running rate's: below 1 it knows more than how often pairs are taken.

        (He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014, with the rate so far in
        place of the rate of all.) None if there is no pair, or the rate itself has no loss.
        """
        return self.bce / self.running_rate_bce if self.bce is not None and self.running_rate_bce else None
