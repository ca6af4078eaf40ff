"""Turns what the service reports into metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

import stream
from stream.metrics.catalogue import (
    CONTESTED_MEASURES,
    MEASURES,
    MODELS,
    OTHER,
    PHASES,
    PUBLISH_STATES,
    VERSION_KINDS,
    VOCABULARIES,
)
from stream.metrics.instruments import Instruments
from stream.observe import Observer, Poll, Start, Step
from stream.records.reasons import DEAD_LETTER_REASONS, REJECTION_REASONS, WarmupEnd

if TYPE_CHECKING:
    from stream.evaluation import WindowedMeasures
    from stream.report import BatchReport, MixtureReport, ModelReport, SchemaReport

__all__ = ["PrometheusObserver"]


class PrometheusObserver(Observer):
    """Fills every metric of the catalogue; the service calls it, Prometheus reads it from other threads.

    Args:
        registry: the metrics are registered here, never in prometheus-client's global registry.
        clock: the service's monotonic clock in seconds; ages and gaps are taken from it at each scrape, so that they
            go on growing when the service hangs.
    """

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        instruments = Instruments(registry)
        self._clock = clock
        self._counters, self._gauges = instruments.counters, instruments.gauges
        self._histograms, self._event_to_trained = instruments.histograms, instruments.event_to_trained
        self._last_poll = self._last_checkpoint = clock()
        self._warm_since: float | None = None
        self._partitions: set[int] = set()
        self._held: set[int] = set()
        self._unknown: set[tuple[str, str]] = set()
        self._gauges["stream_poll_gap_seconds"].set_function(lambda: max(0.0, clock() - self._last_poll))
        self._gauges["stream_checkpoint_age_seconds"].set_function(lambda: max(0.0, clock() - self._last_checkpoint))
        self._gauges["stream_schema_rejection_open"].set(0)
        self._gauges["stream_log_away_seconds"].set(0)
        self._create_children()

    def _create_children(self) -> None:
        """Start bounded label values at 0: `increase` does not see the first event of a series that begins with it."""
        for name, reasons in (
            ("stream_dead_letters_total", DEAD_LETTER_REASONS),
            ("stream_schema_rejections_total", REJECTION_REASONS),
        ):
            for reason in (*reasons, OTHER):
                self._counters[name].labels(reason)
        for end in WarmupEnd:
            self._counters["stream_warmups_ended_total"].labels(end)
        sums = self._counters["stream_quality_sum_total"]
        self._expert_losses: dict[str, float] = {}
        for model in MODELS:
            for measure in MEASURES:
                sums.labels(model, measure)
        for kind in VERSION_KINDS:
            self._counters["stream_versions_published_total"].labels(kind)
        for state in PUBLISH_STATES:
            self._gauges["stream_publish_state"].labels(state).set(0)
        for phase in PHASES:
            self._gauges["stream_phase"].labels(phase).set(0)
            self._step(phase, 0, 0.0, 0.0)

    def started(self, start: Start) -> None:
        """Say which build runs and how; ages count from here."""
        self._last_poll = self._last_checkpoint = self._clock()
        named = (str(start.settings_masked.get(key, "")) for key in ("name", "seed", "batch_size", "device"))
        info = self._gauges["stream_run_info"]
        info.clear()
        info.labels(stream.__version__, start.source, start.strategy, *named).set(1)
        self._gauges["stream_restored_checkpoint_number"].set(start.restored_checkpoint or 0)

    def restored(self, model: ModelReport) -> None:
        """Show the model as it stands before the first batch, which may be long in coming."""
        self._expert_losses = dict(model.mixture.loss_sums)  # of another process
        self._model(model)

    def polled(self, poll: Poll) -> None:
        """Count the poll; the lag of a partition that is not assigned any more is not left standing."""
        self._last_poll = poll.at_monotonic_seconds
        self._histograms["stream_poll_duration_seconds"].observe(max(0.0, poll.seconds))
        self._counters["stream_records_polled_total"].inc(poll.records)
        gauge = self._gauges["stream_consumer_lag_records"]
        for partition, behind in poll.lag.items():
            gauge.labels(str(partition)).set(max(0, behind))
        for partition in self._partitions - poll.lag.keys():
            gauge.remove(str(partition))
        self._partitions = set(poll.lag)
        for partition in self._held - poll.lag.keys():
            self._gauges["stream_held_events"].remove(str(partition))
        self._held &= poll.lag.keys()

    def log_away(self, reason: str, seconds: float) -> None:
        """Show for how long the log has been away; asking it is a sign of life."""
        self._gauges["stream_log_away_seconds"].set(seconds)
        self._last_poll = self._clock()

    def log_back(self, seconds: float) -> None:
        """It is away no longer."""
        self._gauges["stream_log_away_seconds"].set(0)

    def decoded(self, seconds: float, events: int) -> None:
        """Time one poll's decoding."""
        self._histograms["stream_decode_duration_seconds"].observe(max(0.0, seconds))

    def encoded(self, seconds: float, events: int) -> None:
        """Time one batch's encoding."""
        self._histograms["stream_encode_duration_seconds"].observe(max(0.0, seconds))

    def trained(self, step: Step) -> None:
        """Count the batch, and show the model as it is after it."""
        report = step.report
        self._histograms["stream_step_duration_seconds"].observe(max(0.0, step.seconds))
        self._step(report.phase, report.events, step.seconds, step.cpu_seconds)
        self._event_to_trained.observe_all(step.event_to_trained_seconds)
        for name, amount in (
            ("stream_events_trained_total", report.events),
            ("stream_events_with_labels_total", report.events_with_labels),
            ("stream_batches_total", 1),
            ("stream_pairs_total", report.pairs),
            ("stream_loss_nats_total", report.loss * report.pairs),
            ("stream_running_rate_loss_nats_total", report.running_rate_loss),
            ("stream_contested_events_total", report.contested_events),
            ("stream_drift_detections_total", int(report.drift)),
            ("stream_labels_total", report.labels),
            ("stream_labels_dropped_total", report.labels_dropped),
            ("stream_names_aliased_total", report.names_aliased),
            ("stream_feature_values_total", report.feature_values),
            ("stream_unknown_features_total", report.unknown_features),
            ("stream_unknown_shown_total", report.unknown_shown),
            ("stream_mistyped_values_total", report.mistyped_values),
            ("stream_unresolved_values_total", report.unresolved_values),
            ("stream_evictions_total", report.evictions),
        ):
            if amount:
                self._counters[name].inc(amount)
        if report.pairs:
            self._gauges["stream_batch_loss_nats"].set(report.loss)
        self._model(report)
        self._sums(report.quality_sums)
        self._warmup(report, step.seconds)

    def _model(self, model: ModelReport) -> None:
        for name, value in (
            ("stream_schema_version", model.schema_version),
            ("stream_parameters", model.parameters),
            ("stream_parameters_frozen", model.parameters_frozen),
            ("stream_model_events_trained", model.events_trained_total),
            ("stream_model_events_frozen", model.events_frozen_total),
            ("stream_model_warmups", model.warmups_total),
        ):
            self._gauges[name].set(value)
        if model.event_time_ms is not None:
            self._gauges["stream_event_time_seconds"].set(model.event_time_ms / 1000)
        for kind, count in model.slots.items():
            self._gauges["stream_slots_live"].labels(kind).set(count.live)
            self._gauges["stream_slots_tombstoned"].labels(kind).set(count.tombstoned)
        for phase in PHASES:
            self._gauges["stream_phase"].labels(phase).set(phase == model.phase)
        self._name_the_unknown(model.unknown_names)
        self._vocabulary(model.vocabulary)
        self._window(model.window)
        self._mixture(model.mixture)

    def _name_the_unknown(self, unknown_names: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        gauge = self._gauges["stream_unknown_names"]
        now = {(what, name): count for what, names in unknown_names.items() for name, count in names}
        for labels in self._unknown - now.keys():
            gauge.remove(*labels)
        for labels, count in now.items():
            gauge.labels(*labels).set(count)
        self._unknown = set(now)

    def _step(self, phase: str, events: int, seconds: float, cpu_seconds: float) -> None:
        self._counters["stream_step_events_total"].labels(phase).inc(events)
        self._counters["stream_step_seconds_total"].labels(phase).inc(max(0.0, seconds))
        self._counters["stream_step_cpu_seconds_total"].labels(phase).inc(max(0.0, cpu_seconds))

    def _vocabulary(self, rows_by_table: Mapping[str, int]) -> None:
        rows = dict.fromkeys((*VOCABULARIES, OTHER), 0)
        for table, count in rows_by_table.items():
            rows[_bounded(table, VOCABULARIES)] += count
        for table, count in rows.items():
            self._gauges["stream_vocabulary_rows"].labels(table).set(count)

    def _mixture(self, mixture: MixtureReport) -> None:
        for expert, weight in mixture.weights.items():
            self._gauges["stream_expert_weight"].labels(expert).set(weight)
        for expert, total in mixture.loss_sums.items():
            more = total - self._expert_losses.get(expert, 0.0)
            self._counters["stream_expert_loss_nats_total"].labels(expert).inc(max(0.0, more))
        self._expert_losses = dict(mixture.loss_sums)
        best = min(mixture.loss_sums.values(), default=mixture.loss_sum)
        self._gauges["stream_regret_nats"].set(mixture.loss_sum - best)
        self._gauges["stream_regret_bound_nats"].set(mixture.regret_bound)

    def _window(self, window: WindowedMeasures) -> None:
        for name, value in (
            ("stream_window_loss_nats", window.bce),
            ("stream_window_running_rate_loss_nats", window.running_rate_bce),
            ("stream_normalised_entropy", window.normalised_entropy),
            ("stream_micro_auc", window.micro_auc),
            ("stream_expected_calibration_error", window.expected_calibration_error),
        ):
            self._gauges[name].set(math.nan if value is None else value)
        self._gauges["stream_window_contested_events"].set(window.contested_events)
        for prefix, measures, qualities in (
            ("stream", MEASURES, {"network": window, **window.baselines}),
            ("stream_contested", CONTESTED_MEASURES, {"network": window.contested, **window.contested_baselines}),
        ):
            for model in MODELS:
                for measure in measures:
                    value = getattr(qualities.get(model), measure, None)
                    self._gauges[f"{prefix}_{measure}"].labels(model).set(math.nan if value is None else value)

    def _sums(self, sums: Mapping[str, Mapping[str, float]]) -> None:
        for model, of in zip(MODELS, sums.values(), strict=True):
            for measure, total in of.items():
                self._counters["stream_quality_sum_total"].labels(model, measure).inc(total)

    def _warmup(self, report: BatchReport, seconds: float) -> None:
        ended = report.warmup_ended
        if report.phase == "warm_up":
            now = self._clock()
            since = now - seconds if self._warm_since is None else self._warm_since
            self._counters["stream_warmup_events_total"].inc(report.events)
            self._counters["stream_warmup_seconds_total"].inc(max(0.0, now - since))
            self._warm_since = now
        if ended is not None:  # after this batch, or just before it
            self._counters["stream_warmups_ended_total"].labels(ended.reason).inc()
        if ended is not None or report.phase != "warm_up":
            self._warm_since = None

    def schema_changed(self, report: SchemaReport, seconds: float) -> None:
        """Count the version, its changes and what it sets going."""
        if report.duplicate:
            self._counters["stream_schema_versions_repeated_total"].inc()
            return
        self._histograms["stream_schema_change_duration_seconds"].observe(max(0.0, seconds))
        self._counters["stream_schema_versions_applied_total"].inc()
        self._counters["stream_schema_changes_total"].inc(len(report.changes))
        self._gauges["stream_schema_version"].set(report.version)
        self._gauges["stream_schema_rejection_open"].set(0)
        if report.warmup_started:
            self._counters["stream_warmups_started_total"].inc()
            self._warm_since = self._clock()
        if report.warmup_joined:
            self._counters["stream_warmups_joined_total"].inc()

    def schema_rejected(self, version: int | None, reason: str) -> None:
        """Count the rejection and leave it standing."""
        self._counters["stream_schema_rejections_total"].labels(_bounded(reason, REJECTION_REASONS)).inc()
        self._gauges["stream_schema_rejection_open"].set(1)

    def dead_letter(self, reason: str) -> None:
        """Count the record by its reason."""
        self._counters["stream_dead_letters_total"].labels(_bounded(reason, DEAD_LETTER_REASONS)).inc()

    def held(self, partition: int, events: int) -> None:
        """Show how many events of the partition wait."""
        self._held.add(partition)
        self._gauges["stream_held_events"].labels(str(partition)).set(events)

    def checkpointed(self, number: int, seconds: float, size_bytes: int, stood_seconds: float = 0.0) -> None:
        """Time the checkpoint and start its age."""
        self._last_checkpoint = self._clock()
        self._histograms["stream_checkpoint_duration_seconds"].observe(max(0.0, seconds))
        self._histograms["stream_checkpoint_stop_seconds"].observe(max(0.0, stood_seconds))
        self._gauges["stream_checkpoint_number"].set(number)
        self._gauges["stream_checkpoint_size_bytes"].set(size_bytes)

    def checkpoint_damaged(self, name: str) -> None:
        """Count the checkpoint that was passed over."""
        self._counters["stream_checkpoints_damaged_total"].inc()

    def version_published(self, kind: str, version: int, schema_version: int, size_bytes: int, seconds: float) -> None:
        """Count the version, its size and how long it took."""
        self._counters["stream_versions_published_total"].labels(kind).inc()
        self._gauges["stream_published_size_bytes"].labels(kind).set(size_bytes)
        self._gauges["stream_published_version"].set(version)
        self._histograms["stream_publish_duration_seconds"].observe(max(0.0, seconds))

    def version_refused(self, version: int, sentence: str) -> None:
        """Count the refusal."""
        self._counters["stream_versions_refused_total"].inc()

    def publishing(self, state: str, sentence: str) -> None:
        """Show the state."""
        for known in PUBLISH_STATES:
            self._gauges["stream_publish_state"].labels(known).set(known == state)

    def publishing_failed(self, sentence: str) -> None:
        """Count the failure."""
        self._counters["stream_publish_failures_total"].inc()

    def publishing_cost(self, cpu_seconds: float) -> None:
        """Count what it cost."""
        self._counters["stream_publish_cpu_seconds_total"].inc(max(0.0, cpu_seconds))


def _bounded(value: str, known: Container[str]) -> str:
    return value if value in known else OTHER
