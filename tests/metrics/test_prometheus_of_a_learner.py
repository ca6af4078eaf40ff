"""A real Prometheus watches a real learner: network, service and embedded log, with nothing scripted."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Thread
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from stream.checkpoint import CheckpointStore
from stream.checkpoint.settings import CheckpointSettings
from stream.data.synthetic.generator import generate
from stream.data.synthetic.scenarios import scenario
from stream.learner import Learner
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.embedded_source import EmbeddedInteractionSource, EmbeddedSchemaSource
from stream.log.file_commit import FileCommitLog
from stream.metrics.serve import serve_metrics
from stream.metrics.settings import MetricsSettings
from stream.service.start import Endpoints, open_service
from stream.settings.root import Settings
from tests.metrics.dashboard_expressions import without_data
from tests.metrics.real_prometheus import Prometheus, require, text_of

EVENTS = 3_000
SECONDS = 6.0
SETTINGS = Settings(idle_seconds=0.5, batch_size=32, checkpoint=CheckpointSettings(every_seconds=0.5, every_events=500))


def _produce(directory: Path) -> None:
    """Send events and ten schema changes over some seconds, each with the time of its sending, and bad records."""
    schema = EmbeddedWriter(EmbeddedTopic(directory, "feature-schema"), flush_records=1)
    interactions = EmbeddedWriter(EmbeddedTopic(directory, "interactions"), flush_records=20)
    start, events = time.time(), 0
    for item in generate(scenario("ten_changes", events=EVENTS)):
        time.sleep(max(0.0, start + events * SECONDS / EVENTS - time.time()))
        now_ms = round(time.time() * 1000)
        if isinstance(item, dict):
            interactions.flush()
            schema.send(None, json.dumps({**item, "ts": now_ms}).encode())
            continue
        event = item.interaction
        interactions.send(str(event["key"]).encode(), json.dumps({**event, "ts": now_ms}).encode())
        if events % 100 == 50:
            interactions.send(b"x", b"{not json")
        events += 1
    interactions.flush()


def test_a_live_learner_fills_the_dashboard_and_its_counters_agree_with_its_summary(tmp_path: Path) -> None:
    require("prometheus")
    log = tmp_path / "log"
    EmbeddedTopic.create(log, "feature-schema")
    EmbeddedTopic.create(log, "interactions", partitions=2)
    store = CheckpointStore(tmp_path / "checkpoints")
    endpoints = Endpoints(
        EmbeddedInteractionSource(log, "interactions"),
        EmbeddedSchemaSource(log, "feature-schema"),
        FileCommitLog(tmp_path / "commit.json", tmp_path / "dead-letters.jsonl"),
        store,
    )
    summary: dict[str, Any] = {}
    with serve_metrics(MetricsSettings(port=0)) as served:
        assert served.url is not None
        service = open_service(endpoints, SETTINGS, lambda _: Learner(SETTINGS), served.observer)
        prometheus = Prometheus(tmp_path, served.url.removeprefix("http://"))
        learner = Thread(target=lambda: summary.update(service.run()))
        begun = time.monotonic()
        learner.start()
        try:
            assert json.loads(text_of(served.url + "/readyz"))["status"] == "ok"
            _produce(log)
            prometheus.wait_until(lambda: _trained(served.url) == EVENTS, "up to date", seconds=60)
            time.sleep(0.6)  # one more scrape
            empty = without_data(prometheus, time.monotonic() - begun)
        finally:
            service.stop()
            learner.join(timeout=60)
            prometheus.close()
        counted = _samples(served.url)
    for part in (endpoints.source, endpoints.schema_source, endpoints.commit_log, store):
        part.close()
    # No version was rejected and the process did not restart; whether an event was held depends on moments.
    assert empty - {"panel 'Events held'"} == {"annotation 'Restarts'", "panel 'Schema changes and rejections'"}
    assert counted["stream_events_trained_total"] == summary["events_trained"] == EVENTS
    assert counted["stream_events_with_labels_total"] == summary["events_with_labels"]
    assert counted["stream_labels_dropped_total"] == summary["labels_dropped"]
    assert counted["stream_schema_changes_total"] == summary["schema_changes"]
    assert counted["stream_schema_version"] == summary["schema_version"] == 11
    assert counted["stream_warmups_started_total"] == summary["warmups"] > 0
    assert counted["stream_warmup_events_total"] == summary["events_frozen"] > 0
    assert counted['stream_dead_letters_total{reason="not_json"}'] == summary["events_dead_lettered"] == EVENTS / 100
    assert counted["stream_records_polled_total"] == summary["events_read"]
    assert counted["stream_event_to_trained_seconds_count"] == EVENTS


def _trained(url: str | None) -> float:
    return _samples(url)["stream_events_trained_total"]


def _samples(url: str | None) -> dict[str, float]:
    """Return all samples by name, those of dead letters with their reason."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text_of(f"{url}/metrics")):
        for sample in family.samples:
            reason = sample.labels.get("reason")
            found[f'{sample.name}{{reason="{reason}"}}' if reason else sample.name] = sample.value
    return found
