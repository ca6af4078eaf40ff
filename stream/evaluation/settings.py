"""What may be set about the measures: the baselines, the window, the bounds, the drift test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.settings import Section, setting

__all__ = ["DriftSettings", "EvaluationSettings"]


@dataclass(frozen=True)
class EvaluationSettings(Section):
    """How predictions are measured, and how much the baselines beside the model may remember."""

    prefix: ClassVar[str] = "evaluation"

    attribute: str = setting(
        "",
        "Offer attribute whose values the baseline entity_attribute_counts counts per key. Empty: each offer counts "
        "under its own name, as does an offer that lacks the attribute.",
    )
    popularity_half_life_days: float = setting(
        28.0, "Event time after which a taken label counts half in the baseline popularity.", above=0
    )
    window_events: int = setting(
        1000,
        "Length of the window: so many events for loss, AUC and calibration, so many with labels for rankings.",
        minimum=1,
    )
    max_key_values: int = setting(
        1_000_000,
        "Bound on the (key, attribute value) pairs in entity_attribute_counts; the longest untouched leave first.",
        unit="pairs",
        minimum=1,
    )
    finite: bool = setting(
        False,
        "Keep sums per labelled event, so that the summary can leave out the first fifth; for passes that end. The "
        "commands that end by themselves switch it on; in a service that runs for ever these sums would grow for ever.",
    )


@dataclass(frozen=True)
class DriftSettings(Section):
    """When a rise or fall of the loss counts as drift (ADWIN)."""

    prefix: ClassVar[str] = "drift"

    delta: float = setting(0.002, "Significance: the chance of a false alarm at each check.", above=0, below=1)
    check_every_events: int = setting(32, "How many events lie between two checks.", minimum=1)
    grace_events: int = setting(
        100, "No drift is reported before so many events since the start or the last drift.", minimum=1
    )
