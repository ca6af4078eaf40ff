"""What the learner says of each step: plain records that the service, metrics and views read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream.evaluation import EventScore, WindowedMeasures
from stream.records.reasons import WarmupEnd
from stream.schema import Change

__all__ = ["BatchReport", "MixtureReport", "ModelReport", "SchemaReport", "SlotCount", "WarmupReport"]


@dataclass(frozen=True, slots=True)
class WarmupReport:
    """A frozen warm-up that has ended: after how many events, and why."""

    version: int
    """Schema version in effect when it ended."""
    events: int
    """Events trained inside it."""
    reason: WarmupEnd
    """`removed`: what was new has left again."""
    parameters_frozen: int
    """Parameters that stood still while it ran."""


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """One schema version taken into effect (or recognised as one that already was)."""

    version: int
    changes: Sequence[Change]
    """What it changes, in its order."""
    duplicate: bool = False
    replaced_input: bool = False
    """The input layer, or something new in it, is being warmed up."""
    replaced_output: bool = False
    warmup_started: bool = False
    warmup_joined: bool = False
    remarks: Sequence[str] = ()
    """What the strategy's methods had to give up or do for it, a sentence each."""


@dataclass(frozen=True, slots=True)
class SlotCount:
    """Slots of one kind: how many carry a live name, and how many a removal has freed for a new one (tombstones)."""

    live: int
    tombstoned: int


@dataclass(frozen=True, slots=True)
class MixtureReport:
    """Who has a say in the published probability, and what each would have lost; over the model's life."""

    weights: Mapping[str, float]
    """By expert (`stream.network.experts.EXPERTS` says what each is); they sum to 1."""
    loss_sums: Mapping[str, float]
    """By expert: binary cross-entropy of its own predictions, each given before its event was trained, in nats."""
    loss_sum: float
    """That of the published probability."""
    regret_bound: float
    """By how many nats it can be above the best expert's, by the proof."""
    pairs: int
    """(event, offer) pairs behind these sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """The model as it stands: restored, new, or after a batch."""

    schema_version: int
    phase: str
    """`warm_up` | `train` | `idle` (no live offer to train); a batch's report says in which it was trained."""
    read_window: Callable[[], WindowedMeasures]
    """Returns the measures over the window as they stand when it is called: ask before the next batch."""
    mixture: MixtureReport
    parameters: int
    parameters_frozen: int
    features_live: int
    labels_live: int
    slots: Mapping[str, SlotCount]
    """By kind: `numeric` (with boolean), `categorical` (with multi_categorical), `offer`."""
    events_trained_total: int
    events_frozen_total: int
    warmups_total: int
    event_time_ms: int | None
    vocabulary: Mapping[str, int]
    """Rows in use by table: `values` (of all features), `entities`, `attribute_values`, `candidates`."""
    unknown_names: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict)
    """By where they stood (`feature`, `label`, `shown`), the most frequent names that the schema lacks, with how
    often each was met at least."""

    @property
    def window(self) -> WindowedMeasures:
        """The measures over the window as they stand now."""
        return self.read_window()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport(ModelReport):
    """One predict-then-train step over `events` events, and the model after it; further counts are of this batch."""

    events: int
    events_with_labels: int
    pairs: int
    """(event, offer in R or T) pairs, the terms of the loss."""
    loss: float
    """Mean binary cross-entropy over the pairs in nats, before training on them; 0 if there are none."""
    logits: np.ndarray
    """float32 `(pairs,)`, in the order of the batch's pairs, from before training on them: the network's own."""
    published: np.ndarray
    """float64 `(pairs,)`, likewise: the log-odds of the published probability."""
    scores: Sequence[EventScore]
    running_rate_loss: float
    """Cross-entropy of the running rate, in nats, summed over the pairs."""
    contested_events: int
    """Events with labels and more possible offers than a ranking has places."""
    quality_sums: Mapping[str, Mapping[str, float]]
    """By ranking (`model` and the baselines) and measure: its sum over the events with labels."""
    labels_dropped: int
    unknown_features: int
    unknown_shown: int
    mistyped_values: int
    unresolved_values: int
    """Numeric values of inputs whose values float64 cannot tell apart."""
    drift: bool
    warmup_ended: WarmupReport | None = None
    labels: int = 0
    """Labels of the batch's events, those that were dropped included."""
    feature_values: int = 0
    """Feature values of the batch's events, those that were ignored included."""
    names_aliased: int = 0
    """Old names that were read as the new ones."""
    evictions: int = 0
    """Rows and counts given up in this batch because a bound was met."""
