"""The metrics by name: what each means, its labels and buckets.

The names are part of the contract with whoever watches the process. One table, three readers: `Instruments` builds the
metrics from it, the observer fills them, and `docs/metrics.md` is printed from it (`python -m stream.metrics`).
Units are base units (seconds, bytes) and stand in the name, and the name of a counter ends in `_total`, as
https://prometheus.io/docs/practices/naming/ asks.

Labels are bounded: partitions are those of one topic, everything else is a set written down here; but the names that do
not match (`stream_unknown_names`), of which there are fifteen at a time. No other feature, offer, key or value ever
becomes a label (client_python#568: so a registry outgrows the model that it describes).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stream.evaluation.measures import RANKING_MEASURES, RankingMeasure
from stream.records.reasons import WarmupEnd

__all__ = [
    "BORROWED",
    "CATALOGUE",
    "CONTESTED_MEASURES",
    "MEASURES",
    "MODELS",
    "OTHER",
    "PHASES",
    "PUBLISH_STATES",
    "VERSION_KINDS",
    "VOCABULARIES",
    "Definition",
    "MetricType",
    "contested_gauges",
    "markdown_page",
    "quality_gauges",
]

MODELS = ("network", "popularity", "entity_attribute_counts")
MEASURES = tuple(RANKING_MEASURES)
CONTESTED_MEASURES = tuple(name for name, measure in RANKING_MEASURES.items() if measure.reported)
"""Those of them that are given over contested events alone, too."""
PHASES = ("warm_up", "train", "idle")
PUBLISH_STATES = ("on", "stopped", "held")
VERSION_KINDS = ("full", "delta")
VOCABULARIES = ("values", "entities", "attribute_values", "candidates")
OTHER = "other"
"""Where a word is counted that is not on its list: from a checkpoint of another version of the program, say."""

# A poll or a step takes 0.1 ms to some seconds; a slow disk or an absent broker may hold a checkpoint for a minute.
_STEP_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COMMIT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# Event time may be hours or, on a first start from the earliest offset, months old: milliseconds up to thirty days.
_EVENT_AGE_BUCKETS = (
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0, 2_592_000.0),
)


class MetricType(StrEnum):
    """Prometheus' own types, as far as they are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric: its full name, its type, its unit in words, its labels and what it tells.

    `buckets` are the upper bounds of a histogram in seconds, without `+Inf`.
    """

    name: str
    type: MetricType
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, unit: str, meaning: str, *labels: str) -> Definition:
    return Definition(name, MetricType.COUNTER, unit, meaning, labels)


def _gauge(name: str, unit: str, meaning: str, *labels: str) -> Definition:
    return Definition(name, MetricType.GAUGE, unit, meaning, labels)


def _histogram(name: str, meaning: str, buckets: tuple[float, ...]) -> Definition:
    return Definition(name, MetricType.HISTOGRAM, "seconds", meaning, (), buckets)


def quality_gauges(measures: Iterable[RankingMeasure]) -> list[Definition]:
    """Return the gauges of measures of rankings over the window."""
    return [
        _gauge(f"stream_{measure.name}", "ratio", f"{measure.sentence} over the evaluation's window.", "model")
        for measure in measures
    ]


def contested_gauges(measures: Iterable[RankingMeasure]) -> list[Definition]:
    """Return those over the window's contested events, of the measures that are reported."""
    which = "over the window's contested events alone: more offers possible than a ranking has places."
    return [
        _gauge(f"stream_contested_{measure.name}", "ratio", f"{measure.sentence} {which}", "model")
        for measure in measures
        if measure.reported
    ]


# Counters count since this process started (a restart is a counter reset, which `rate` and `increase` understand).
# Gauges named `stream_model_…` are totals of the model that survives restarts; a crash takes them to its checkpoint.
CATALOGUE: tuple[Definition, ...] = (
    _gauge(
        "stream_run_info",
        "1",
        "Always 1; the labels say which build runs, how, and from which log.",
        *("version", "source", "strategy", "name", "seed", "batch_size", "device"),
    ),
    _gauge("stream_restored_checkpoint_number", "number", "Checkpoint that this process started from; 0: a new model."),
    # Input
    _counter("stream_records_polled_total", "records", "Interactions fetched from the log by this process."),
    _gauge(
        "stream_consumer_lag_records",
        "records",
        "Records before the read-committed end that are neither trained nor dead-lettered, fetched or not.",
        "partition",
    ),
    _gauge("stream_log_away_seconds", "seconds", "For how long the log has not answered; 0 while it does."),
    _gauge(
        "stream_poll_gap_seconds",
        "seconds",
        "Time since the last completed poll, at first since the start.",
    ),
    _gauge("stream_held_events", "events", "Decoded events that wait for a schema boundary or version.", "partition"),
    _counter(
        "stream_dead_letters_total",
        "records",
        "Interactions dead-lettered by this process; unlisted reasons are `other`.",
        "reason",
    ),
    # Training
    _counter("stream_events_trained_total", "events", "Events trained by this process."),
    _counter("stream_events_with_labels_total", "events", "Those of them that had at least one live label."),
    _counter("stream_batches_total", "batches", "Batches trained by this process."),
    _counter("stream_pairs_total", "pairs", "(event, offer) pairs in the loss."),
    _counter(
        "stream_loss_nats_total",
        "nats",
        "Cross-entropy summed over those pairs, before training; over pairs: the mean loss.",
    ),
    _gauge(
        "stream_batch_loss_nats", "nats", "Mean cross-entropy over the pairs of the last batch, before training on it."
    ),
    _gauge("stream_model_events_trained", "events", "Events that the surviving model was trained on."),
    _gauge("stream_model_events_frozen", "events", "Those of them trained inside a warm-up."),
    _gauge("stream_model_warmups", "warm-ups", "Warm-ups that the surviving model has started."),
    _gauge("stream_event_time_seconds", "Unix seconds", "Largest event time trained."),
    # Quality: gauges over the evaluation's window; the sums give the mean over any other span
    *quality_gauges(RANKING_MEASURES.values()),
    _counter(
        "stream_quality_sum_total",
        "ratio",
        "A `measure` summed over this process's labelled events; its mean: over `stream_events_with_labels_total`.",
        *("model", "measure"),
    ),
    _gauge("stream_window_loss_nats", "nats", "The network's mean cross-entropy per pair over the same window."),
    _gauge(
        "stream_window_running_rate_loss_nats",
        "nats",
        "The same of who knows only how often pairs were taken so far: the running rate.",
    ),
    _gauge(
        "stream_normalised_entropy",
        "ratio",
        "The network's loss over the running rate's, over the window; above 1 the rate alone predicts better.",
    ),
    _counter(
        "stream_running_rate_loss_nats_total",
        "nats",
        "The running rate's cross-entropy summed over the pairs; `stream_loss_nats_total` over it: normalised entropy.",
    ),
    *contested_gauges(RANKING_MEASURES.values()),
    _gauge("stream_window_contested_events", "events", "How many of the window's labelled events were contested."),
    _counter("stream_contested_events_total", "events", "Contested labelled events of this process."),
    _gauge(
        "stream_expert_weight", "ratio", "What say an expert has in the published probability; they sum to 1.", "expert"
    ),
    _counter(
        "stream_expert_loss_nats_total",
        "nats",
        "Cross-entropy of an expert's own predictions, summed over this process's pairs.",
        "expert",
    ),
    _gauge(
        "stream_regret_nats",
        "nats",
        "How much more the published probability has lost than the best expert, over the surviving model's life.",
    ),
    _gauge("stream_regret_bound_nats", "nats", "How much more that can be at most, by the proof."),
    _gauge("stream_micro_auc", "ratio", "The network's micro AUC over the pairs of the evaluation's window."),
    _gauge("stream_expected_calibration_error", "ratio", "Mean distance of predicted and observed rate over it."),
    _counter("stream_drift_detections_total", "detections", "Times that ADWIN found the loss to have changed."),
    # Schema and layers
    _gauge("stream_schema_version", "version", "Schema version in effect."),
    _counter("stream_schema_versions_applied_total", "versions", "Schema versions that took effect in this process."),
    _counter(
        "stream_schema_versions_repeated_total",
        "versions",
        "Versions ignored because the same content had been applied.",
    ),
    _counter("stream_schema_changes_total", "changes", "Single changes in the versions that took effect."),
    _counter(
        "stream_schema_rejections_total",
        "versions",
        "Schema versions refused, one that stood so at the start included; unlisted reasons are `other`.",
        "reason",
    ),
    _gauge(
        "stream_schema_rejection_open",
        "0 or 1",
        "1 from a rejected version until a next is applied; `/readyz` says which.",
    ),
    _gauge(
        "stream_slots_live", "slots", "Slots that carry a live name, by `kind` (numeric, categorical, offer).", "kind"
    ),
    _gauge("stream_slots_tombstoned", "slots", "Slots freed by a removal that wait for a new name, by `kind`.", "kind"),
    _gauge(
        "stream_phase",
        "0 or 1",
        "1 for the phase (warm_up, train, idle) of the last batch, else 0; before one: of the model.",
        "phase",
    ),
    _gauge("stream_parameters", "parameters", "Parameters of the network."),
    _gauge("stream_parameters_frozen", "parameters", "Those of them that stand still now."),
    _counter("stream_warmups_started_total", "warm-ups", "Frozen warm-ups started by this process."),
    _counter("stream_warmups_joined_total", "changes", "Schema versions that joined a running warm-up."),
    _counter(
        "stream_warmups_ended_total",
        "warm-ups",
        f"Warm-ups ended, by `reason` ({', '.join(WarmupEnd)}).",
        "reason",
    ),
    _counter("stream_warmup_events_total", "events", "Events trained inside a warm-up by this process."),
    _counter("stream_warmup_seconds_total", "seconds", "Time during which a warm-up ran in this process."),
    # What the steps cost, frozen (phase warm_up) and not (train)
    _counter(
        "stream_step_events_total",
        "events",
        "Events of this process's training steps, by the step's `phase` (warm_up, train, idle).",
        "phase",
    ),
    _counter("stream_step_seconds_total", "seconds", "Time of those steps.", "phase"),
    _counter("stream_step_cpu_seconds_total", "seconds", "The process's CPU time during those steps.", "phase"),
    # What the input looked like
    _counter("stream_labels_total", "labels", "Labels of the events trained, those that were dropped included."),
    _counter("stream_labels_dropped_total", "labels", "Labels that were not live when their event was trained."),
    _counter("stream_feature_values_total", "values", "Feature values of the events trained, those ignored included."),
    _counter("stream_unknown_features_total", "values", "Feature values ignored because the schema lacks the feature."),
    _counter(
        "stream_unknown_shown_total",
        "names",
        "Names in `shown` that are no live offer; of a selector that admits none, attributes that no offer has.",
    ),
    _counter("stream_names_aliased_total", "names", "Old names of renamed features and labels, read as the new ones."),
    _gauge(
        "stream_unknown_names",
        "times",
        "How often at least the five most frequent unknown names were met, by `what` (feature, label, shown).",
        *("what", "name"),
    ),
    _counter(
        "stream_mistyped_values_total", "values", "Feature values of another type than their kind, read as missing."
    ),
    _counter(
        "stream_unresolved_values_total",
        "values",
        "Numeric values of features whose values float64 cannot tell apart: subtract a constant at the producer.",
    ),
    _gauge(
        "stream_vocabulary_rows",
        "rows",
        "Rows in use by `table` (values, entities, attribute_values, candidates, other).",
        "table",
    ),
    _counter("stream_evictions_total", "rows", "Rows and counts given up because a bound was met."),
    # Latency
    _histogram("stream_poll_duration_seconds", "Time of one poll of the interactions.", _STEP_BUCKETS),
    _histogram("stream_decode_duration_seconds", "Time to parse and validate what one poll returned.", _STEP_BUCKETS),
    _histogram("stream_encode_duration_seconds", "Time to turn one batch into arrays.", _STEP_BUCKETS),
    _histogram("stream_step_duration_seconds", "Time to predict, score and train one batch.", _STEP_BUCKETS),
    _histogram("stream_schema_change_duration_seconds", "Time to put one schema version into effect.", _COMMIT_BUCKETS),
    _histogram(
        "stream_checkpoint_duration_seconds", "Time to write, commit and rename one checkpoint.", _COMMIT_BUCKETS
    ),
    _histogram(
        "stream_checkpoint_stop_seconds", "Time for which training stood still for one checkpoint.", _COMMIT_BUCKETS
    ),
    _histogram(
        "stream_event_to_trained_seconds",
        "From an event's own time to its training.",
        _EVENT_AGE_BUCKETS,
    ),
    # Checkpoints
    _gauge(
        "stream_checkpoint_age_seconds",
        "seconds",
        "Time since this process's last checkpoint, at first since its start.",
    ),
    _gauge("stream_checkpoint_size_bytes", "bytes", "Size of the last checkpoint."),
    _gauge("stream_checkpoint_number", "number", "Number of the last durable and committed checkpoint."),
    _counter(
        "stream_checkpoints_damaged_total",
        "checkpoints",
        "Damaged checkpoints that this process passed over at its start and set aside.",
    ),
    # Model versions
    _gauge("stream_published_version", "version", "Newest model version that this process has served."),
    _counter("stream_versions_published_total", "versions", "Model versions served, by `kind` (full, delta).", "kind"),
    _counter("stream_versions_refused_total", "versions", "Full model versions that the gate refused."),
    _counter("stream_publish_failures_total", "versions", "Model versions that could not be written."),
    _gauge(
        "stream_published_size_bytes", "bytes", "Size of the newest model version, by `kind` (full, delta).", "kind"
    ),
    _histogram(
        "stream_publish_duration_seconds",
        "From the copy of a state to its being served; a full version's holds the gate's time.",
        _COMMIT_BUCKETS,
    ),
    _counter(
        "stream_publish_cpu_seconds_total",
        "seconds",
        "CPU time of publishing, on the learner's thread and on others; at most publish.share of the time that passes.",
    ),
    _gauge(
        "stream_publish_state",
        "0 or 1",
        "1 for the state: on, stopped (by a bound on the loss or by the gate), held (by an operator); else 0.",
        "state",
    ),
)

# From prometheus-client's own collectors; `process_*` is read from /proc and so exists on Linux only.
BORROWED: tuple[Definition, ...] = (
    _counter("process_cpu_seconds_total", "seconds", "User and system CPU time of the process (Linux)."),
    _gauge("process_resident_memory_bytes", "bytes", "Resident memory of the process (Linux)."),
    _gauge("process_virtual_memory_bytes", "bytes", "Virtual memory of the process (Linux)."),
    _gauge("process_start_time_seconds", "Unix seconds", "When the process started (Linux)."),
    _gauge("process_open_fds", "descriptors", "Open file descriptors (Linux)."),
    _gauge("process_max_fds", "descriptors", "How many may be open (Linux)."),
    _gauge(
        "python_info",
        "1",
        "Always 1; the labels say which Python runs.",
        "implementation",
        "major",
        "minor",
        "patchlevel",
        "version",
    ),
)


_INTRODUCTION = """# Metrics

Counters count since the process started. `stream_model_...` are totals of the model that survives: a crash takes them
back to its checkpoint. The labels' values are few and bounded.

This page is written by `python -m stream.metrics`.
"""


def markdown_page(definitions: Iterable[Definition] = (*CATALOGUE, *BORROWED)) -> str:
    """Return the documentation's page of metrics, a row each, in the order of the catalogue."""
    rows = [_INTRODUCTION, "| Metric | Type | Unit | Labels | Meaning |", "|---|---|---|---|---|"]
    for definition in definitions:
        labels = ", ".join(f"`{label}`" for label in definition.labels)
        rows.append(
            f"| `{definition.name}` | {definition.type} | {definition.unit} | {labels} | {definition.meaning} |"
        )
    return "\n".join(rows) + "\n"
