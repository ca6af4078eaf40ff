"""What the service reports becomes the metric that says it, in seconds, in the right bucket, under bounded labels."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from stream.evaluation import RankingQuality
from stream.metrics.catalogue import CATALOGUE
from stream.metrics.observer import PrometheusObserver
from stream.observe import Poll, Start, Step
from stream.records.reasons import DEAD_LETTER_REASONS, REJECTION_REASONS, WarmupEnd
from stream.report import SchemaReport, SlotCount, WarmupReport
from tests.metrics.scripted_run import CHANGE, Clock, Script, batch, score, window


class Watched:
    """An observer with a registry and a clock of its own."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.observer = PrometheusObserver(self.registry, self.clock)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def bucket(self, name: str, at_most: str) -> float | None:
        return self.value(f"{name}_bucket", le=at_most)


@pytest.fixture
def watched() -> Watched:
    return Watched()


LATENCIES = {
    "stream_poll_duration_seconds": lambda observer, seconds: observer.polled(Poll(seconds, 1, {0: 0}, 1_000.0)),
    "stream_decode_duration_seconds": lambda observer, seconds: observer.decoded(seconds, 1),
    "stream_encode_duration_seconds": lambda observer, seconds: observer.encoded(seconds, 1),
    "stream_step_duration_seconds": lambda observer, seconds: observer.trained(Step(batch(), seconds, [])),
    "stream_event_to_trained_seconds": lambda observer, seconds: observer.trained(Step(batch(), 0.0, [seconds])),
    "stream_schema_change_duration_seconds": lambda observer, seconds: observer.schema_changed(
        SchemaReport(1, changes=[CHANGE]), seconds
    ),
    "stream_publish_duration_seconds": lambda observer, seconds: observer.version_published("full", 1, 1, 1, seconds),
    "stream_checkpoint_duration_seconds": lambda observer, seconds: observer.checkpointed(1, seconds, 1, 0.0),
    "stream_checkpoint_stop_seconds": lambda observer, seconds: observer.checkpointed(1, 9.0, 1, seconds),
}


@pytest.mark.parametrize("name", LATENCIES)
def test_a_sample_of_250_ms_lands_in_the_bucket_that_ends_at_a_quarter_second(watched: Watched, name: str) -> None:
    LATENCIES[name](watched.observer, 0.25)
    assert watched.bucket(name, "0.1") == 0
    assert watched.bucket(name, "0.25") == 1
    assert watched.bucket(name, "+Inf") == 1
    assert watched.value(f"{name}_sum") == 0.25
    LATENCIES[name](watched.observer, 0.2501)
    assert watched.bucket(name, "0.25") == 1
    assert watched.bucket(name, "0.5") == 2


def test_every_latency_of_the_catalogue_is_among_those_tried() -> None:
    assert set(LATENCIES) == {definition.name for definition in CATALOGUE if definition.buckets}


def test_event_time_may_be_days_old_or_ahead_of_this_clock(watched: Watched) -> None:
    """Old events keep buckets of their own instead of all falling into +Inf; a negative age never lowers the sum."""
    watched.observer.trained(Step(batch(), 0.1, [7_200.0, 86_400.0 * 20, -3.0]))
    name = "stream_event_to_trained_seconds"
    assert watched.bucket(name, "0.01") == 1
    assert watched.bucket(name, "3600.0") == 1
    assert watched.bucket(name, "14400.0") == 2
    assert watched.bucket(name, "2592000.0") == 3
    assert watched.value(f"{name}_count") == 3
    assert watched.value(f"{name}_sum") == 7_200 + 86_400 * 20


def test_lag_of_a_partition_that_vanished_is_not_left_standing(watched: Watched) -> None:
    watched.observer.polled(Poll(0.1, 3, {0: 7, 1: 9}, 1_000.0))
    watched.observer.held(1, 4)
    assert watched.value("stream_consumer_lag_records", partition="1") == 9
    assert watched.value("stream_held_events", partition="1") == 4
    watched.observer.polled(Poll(0.1, 3, {0: 5}, 1_000.1))
    assert watched.value("stream_consumer_lag_records", partition="0") == 5
    assert watched.value("stream_consumer_lag_records", partition="1") is None
    assert watched.value("stream_held_events", partition="1") is None
    assert watched.value("stream_records_polled_total") == 6


def test_gap_and_checkpoint_age_go_on_growing_while_the_service_says_nothing(watched: Watched) -> None:
    watched.clock.seconds += 3
    assert watched.value("stream_poll_gap_seconds") == 3
    assert watched.value("stream_checkpoint_age_seconds") == 3
    watched.observer.polled(Poll(0.1, 0, {}, watched.clock()))
    watched.observer.checkpointed(4, 0.1, 77)
    watched.clock.seconds += 11
    assert watched.value("stream_poll_gap_seconds") == 11
    assert watched.value("stream_checkpoint_age_seconds") == 11
    assert watched.value("stream_checkpoint_number") == 4
    assert watched.value("stream_checkpoint_size_bytes") == 77


def test_an_unknown_reason_or_table_adds_no_series(watched: Watched) -> None:
    before = len(_series(watched.registry))
    for number in range(100):
        watched.observer.dead_letter(f"made up {number}")
        watched.observer.schema_rejected(number, f"made up {number}")
    watched.observer.dead_letter("not_json")
    assert len(_series(watched.registry)) == before
    assert watched.value("stream_dead_letters_total", reason="other") == 100
    assert watched.value("stream_dead_letters_total", reason="not_json") == 1
    assert watched.value("stream_schema_rejections_total", reason="other") == 100
    watched.observer.trained(Step(batch(vocabulary={"values": 3, "surprise": 4, "another": 5}), 0.1, []))
    assert watched.value("stream_vocabulary_rows", table="values") == 3
    assert watched.value("stream_vocabulary_rows", table="other") == 9
    assert watched.value("stream_vocabulary_rows", table="surprise") is None


def test_series_do_not_multiply_over_a_long_run_with_many_schema_versions(watched: Watched) -> None:
    script = Script(watched.observer, watched.clock)
    for _ in range(100):
        script.step()
    early = _series(watched.registry)
    for _ in range(400):
        script.step()
    assert _series(watched.registry) == early
    assert len(early) < 350


def test_every_metric_of_the_catalogue_gets_a_value_from_a_run(watched: Watched) -> None:
    """A metric that nothing fills would be a promise that the dashboard cannot keep."""
    script = Script(watched.observer, watched.clock)
    for _ in range(100):
        watched.clock.seconds += 0.1
        script.step()
    watched.observer.schema_changed(SchemaReport(9, changes=[CHANGE], warmup_joined=True), 0.1)
    watched.observer.schema_changed(SchemaReport(9, changes=[CHANGE], duplicate=True), 0.1)
    more = replace(batch().mixture, loss_sums={"rate": 50.0, "network": 35.0})
    last = batch(unknown_shown=1, unknown_names={"shown": [("teh", 1)]}, mixture=more)
    watched.observer.trained(Step(last, 0.1, []))
    watched.observer.checkpoint_damaged("checkpoint-000007.ckpt")
    watched.observer.version_refused(9, "worse")
    watched.observer.publishing_failed("the disk is full")
    watched.observer.started(Start("files", "replace", {}, 12))
    still_zero = {"stream_schema_rejection_open", "stream_poll_gap_seconds", "stream_parameters_frozen"}
    still_zero |= {"stream_checkpoint_age_seconds", "stream_log_away_seconds"}
    for definition in CATALOGUE:
        name = f"{definition.name}_count" if definition.buckets else definition.name
        values = [
            sample.value for family in watched.registry.collect() for sample in family.samples if sample.name == name
        ]
        assert values, f"{name} is not exported"
        assert not any(math.isnan(value) for value in values), f"{name} has no value"
        assert any(values) != (name in still_zero), f"{name}: {values}"


def test_counts_of_a_batch_add_up_and_states_replace_each_other(watched: Watched) -> None:
    watched.observer.trained(Step(batch(loss=0.25, pairs=640, drift=True, evictions=2), 0.1, []))
    slots = {"numeric": SlotCount(12, 1), "categorical": SlotCount(8, 0), "offer": SlotCount(120, 11)}
    watched.observer.trained(Step(batch(loss=0.5, pairs=320, phase="idle", slots=slots, labels_dropped=3), 0.1, []))
    assert watched.value("stream_events_trained_total") == 128
    assert watched.value("stream_events_with_labels_total") == 80
    assert watched.value("stream_batches_total") == 2
    assert watched.value("stream_loss_nats_total") == 0.25 * 640 + 0.5 * 320
    assert watched.value("stream_batch_loss_nats") == 0.5
    assert watched.value("stream_drift_detections_total") == 1
    assert watched.value("stream_evictions_total") == 2
    assert watched.value("stream_labels_dropped_total") == 3
    assert watched.value("stream_phase", phase="idle") == 1
    assert watched.value("stream_phase", phase="train") == 0
    assert [watched.value("stream_slots_tombstoned", kind=kind) for kind in slots] == [1, 0, 11]
    assert [watched.value("stream_slots_live", kind=kind) for kind in slots] == [12, 8, 120]
    assert watched.value("stream_model_events_trained") == 6_400
    assert watched.value("stream_event_time_seconds") == 1_485_690_806


def test_a_restored_model_is_shown_before_its_first_batch(watched: Watched) -> None:
    watched.observer.started(Start("files", "carry", {}, 3))
    watched.observer.restored(batch(phase="warm_up", parameters_frozen=40_000))
    assert watched.value("stream_model_events_trained") == 6_400
    assert watched.value("stream_parameters_frozen") == 40_000
    assert watched.value("stream_phase", phase="warm_up") == 1
    assert watched.value("stream_slots_live", kind="offer") == 120
    assert watched.value("stream_recall_at_5", model="network") == 0.4
    assert watched.value("stream_vocabulary_rows", table="values") == 900
    assert watched.value("stream_events_trained_total") == 0
    assert watched.value("stream_batch_loss_nats") != watched.value("stream_batch_loss_nats"), "no batch yet: NaN"


def test_steps_are_counted_by_phase_with_their_time_and_processor_time(watched: Watched) -> None:
    assert watched.value("stream_step_events_total", phase="warm_up") == 0
    watched.observer.trained(Step(batch(), 0.5, [], 0.25))
    watched.observer.trained(Step(batch(phase="warm_up"), 0.125, [], 0.0625))
    watched.observer.trained(Step(batch(phase="warm_up"), 0.125, [], 0.0625))
    found = {
        phase: [
            watched.value(f"stream_step_{what}_total", phase=phase) for what in ("events", "seconds", "cpu_seconds")
        ]
        for phase in ("train", "warm_up", "idle")
    }
    assert found == {"train": [64, 0.5, 0.25], "warm_up": [128, 0.25, 0.125], "idle": [0, 0, 0]}


def test_quality_stands_beside_both_baselines_and_is_unknown_rather_than_0_before_there_is_any(
    watched: Watched,
) -> None:
    watched.observer.trained(Step(batch(window=window(None)), 0.1, []))
    unknown = watched.value("stream_recall_at_5", model="network")
    assert unknown is not None
    assert math.isnan(unknown)
    watched.observer.trained(
        Step(
            batch(
                window=window(0.4),
                scores=[
                    score(RankingQuality(0.5, 0.4, 0.2), RankingQuality(0.25, 0.2, 0.1)),
                    score(None),
                    score(RankingQuality(1.0, 1.0, 0.2), RankingQuality(0.25, 0.2, 0.1)),
                ],
            ),
            0.1,
            [],
        )
    )
    assert watched.value("stream_recall_at_5", model="network") == 0.4
    assert watched.value("stream_recall_at_5", model="popularity") == 0.32
    assert watched.value("stream_ndcg_at_5", model="entity_attribute_counts") == 0.37
    assert watched.value("stream_precision_at_5", model="network") == 0.2
    assert watched.value("stream_micro_auc") == 0.7
    assert watched.value("stream_window_running_rate_loss_nats") == 0.6
    assert watched.value("stream_normalised_entropy") == pytest.approx(0.5)
    assert watched.value("stream_window_contested_events") == 400
    assert watched.value("stream_contested_recall_at_5", model="network") == pytest.approx(0.3)
    assert watched.value("stream_contested_ndcg_at_5", model="popularity") == 0.2
    assert watched.value("stream_running_rate_loss_nats_total") == pytest.approx(3 * 0.9)
    assert watched.value("stream_expert_weight", expert="network") == 0.75
    assert watched.value("stream_expert_loss_nats_total", expert="rate") == 40.0  # both batches report the same sum
    assert watched.value("stream_regret_nats") == -1.0
    assert watched.value("stream_regret_bound_nats") == 3.0
    assert watched.value("stream_contested_events_total") == 2  # eight offers each, and two with labels
    assert watched.value("stream_quality_sum_total", model="network", measure="recall_at_5") == 1.5
    assert watched.value("stream_quality_sum_total", model="popularity", measure="recall_at_5") == 0.5
    assert watched.value("stream_quality_sum_total", model="entity_attribute_counts", measure="precision_at_5") == 0.2


def test_what_experts_lost_in_another_process_is_not_counted_here(watched: Watched) -> None:
    first = batch()
    watched.observer.restored(first)
    assert watched.value("stream_expert_loss_nats_total", expert="rate") == 0.0
    more = replace(first.mixture, loss_sums={"rate": 47.5, "network": 31.0})
    watched.observer.trained(Step(batch(mixture=more), 0.1, []))
    assert watched.value("stream_expert_loss_nats_total", expert="rate") == 7.5
    assert watched.value("stream_expert_loss_nats_total", expert="network") == 1.0


def test_a_warm_up_is_counted_with_its_events_and_the_seconds_that_it_ran(watched: Watched) -> None:
    warm = batch(phase="warm_up", parameters_frozen=40_000)
    watched.observer.schema_changed(SchemaReport(4, changes=[CHANGE] * 2, warmup_started=True), 0.1)
    watched.clock.seconds += 2
    watched.observer.trained(Step(warm, 0.5, []))
    assert watched.value("stream_parameters_frozen") == 40_000
    watched.clock.seconds += 3
    ended = batch(phase="warm_up", warmup_ended=WarmupReport(4, 128, WarmupEnd.BOUND, 40_000))
    watched.observer.trained(Step(ended, 0.5, []))
    watched.clock.seconds += 100
    watched.observer.trained(Step(batch(), 0.5, []))
    assert watched.value("stream_parameters_frozen") == 0
    assert watched.value("stream_warmups_started_total") == 1
    assert watched.value("stream_warmup_events_total") == 128
    assert watched.value("stream_warmup_seconds_total") == 5
    assert watched.value("stream_warmups_ended_total", reason="bound") == 1
    assert watched.value("stream_warmups_ended_total", reason="flattened") == 0


def test_a_warm_up_that_ends_before_a_batch_does_not_count_that_batch(watched: Watched) -> None:
    """The bound on frozen events may end it between two batches; the report of the second one says so."""
    watched.observer.schema_changed(SchemaReport(4, changes=[CHANGE] * 2, warmup_started=True), 0.1)
    watched.observer.trained(Step(batch(phase="warm_up"), 0.5, []))
    watched.observer.trained(Step(batch(warmup_ended=WarmupReport(4, 64, WarmupEnd.BUDGET, 40_000)), 0.5, []))
    assert watched.value("stream_warmup_events_total") == 64
    assert watched.value("stream_warmups_ended_total", reason="budget") == 1


def test_a_warm_up_that_was_running_in_the_checkpoint_counts_from_its_first_step_here(watched: Watched) -> None:
    watched.observer.started(Start("files", "carry", {}, 3))
    watched.clock.seconds += 60
    watched.observer.trained(Step(batch(phase="warm_up"), 0.5, []))
    assert watched.value("stream_warmup_seconds_total") == 0.5
    assert watched.value("stream_warmups_started_total") == 0
    assert watched.value("stream_restored_checkpoint_number") == 3


def test_a_rejection_stands_until_a_next_version_is_applied(watched: Watched) -> None:
    open_rejection = "stream_schema_rejection_open"
    assert watched.value(open_rejection) == 0
    watched.observer.schema_rejected(5, "version_gap")
    assert watched.value(open_rejection) == 1
    watched.observer.schema_changed(SchemaReport(3, changes=[CHANGE] * 2, duplicate=True), 0.1)
    assert watched.value(open_rejection) == 1
    assert watched.value("stream_schema_versions_repeated_total") == 1
    assert watched.value("stream_schema_versions_applied_total") == 0
    watched.observer.schema_changed(SchemaReport(4, changes=[CHANGE] * 2), 0.1)
    assert watched.value(open_rejection) == 0
    assert watched.value("stream_schema_version") == 4
    assert watched.value("stream_schema_changes_total") == 2
    assert watched.value("stream_schema_rejections_total", reason="version_gap") == 1


def test_every_reason_there_is_has_a_series_of_its_own_from_the_start(watched: Watched) -> None:
    """The series come from the enumeration that errors take their word from (tests/records/test_reasons.py)."""
    for reason in DEAD_LETTER_REASONS:
        assert watched.value("stream_dead_letters_total", reason=reason) == 0
        watched.observer.dead_letter(reason.value)
        assert watched.value("stream_dead_letters_total", reason=reason) == 1
    for rejection in REJECTION_REASONS:
        assert watched.value("stream_schema_rejections_total", reason=rejection) == 0
        watched.observer.schema_rejected(1, rejection.value)
        assert watched.value("stream_schema_rejections_total", reason=rejection) == 1
    for end in WarmupEnd:
        assert watched.value("stream_warmups_ended_total", reason=end) == 0
        watched.observer.trained(Step(batch(warmup_ended=WarmupReport(4, 64, end, 40_000)), 0.5, []))
        assert watched.value("stream_warmups_ended_total", reason=end) == 1
    assert watched.value("stream_dead_letters_total", reason="other") == 0
    assert watched.value("stream_schema_rejections_total", reason="other") == 0


def _series(registry: CollectorRegistry) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith("stream_") and not sample.name.endswith("_created")
    }
