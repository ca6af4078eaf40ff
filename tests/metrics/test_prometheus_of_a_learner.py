"""A real Prometheus watches a real `stream run`: process, network, service and embedded log, with nothing scripted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.data.synthetic.generator import generate
from stream.data.synthetic.scenarios import scenario
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from tests.metrics.dashboard_expressions import without_data
from tests.metrics.real_prometheus import Prometheus, free_port, require, text_of

EVENTS = 2_000
SECONDS = 4.0
CONFIGURATION = """\
batch_size = 32
idle_seconds = 0.5

[log]
directory = "{directory}/log"

[checkpoint]
directory = "{directory}/checkpoints"
every_seconds = 0.5
every_events = 500

[publish]
directory = "{directory}/versions"

[metrics]
port = {port}
"""


@pytest.mark.slow
def test_a_live_learner_fills_the_dashboard_and_its_counters_agree_with_its_summary(tmp_path: Path) -> None:
    require("prometheus")
    EmbeddedTopic.create(tmp_path / "log", "feature-schema")
    EmbeddedTopic.create(tmp_path / "log", "interactions", partitions=2)
    address = f"127.0.0.1:{free_port()}"
    configuration, summary_file = tmp_path / "stream.toml", tmp_path / "summary.json"
    configuration.write_text(
        CONFIGURATION.format(directory=tmp_path, port=address.rpartition(":")[2]), encoding="utf-8"
    )
    command = [sys.executable, "-m", "stream", "run", "--config", str(configuration), "--summary", str(summary_file)]
    said = tmp_path / "learner.log"
    with said.open("wb") as log:
        learner = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def runs_and(condition: bool) -> bool:
        assert learner.poll() is None, said.read_text(encoding="utf-8")
        return condition

    try:
        prometheus = Prometheus(tmp_path, address)
        try:
            prometheus.wait_until(lambda: runs_and(_is_ready(address)), "ready to learn", seconds=60)
            begun = time.monotonic()
            _produce(tmp_path / "log")
            prometheus.wait_until(
                lambda: _samples(address)["stream_events_trained_total"] == EVENTS, "done", seconds=60
            )
            time.sleep(0.6)  # one more scrape
            empty = without_data(prometheus, time.monotonic() - begun)
            counted = _samples(address)
        finally:
            prometheus.close()
        learner.send_signal(signal.SIGTERM)
        assert learner.wait(timeout=60) == 0, said.read_text(encoding="utf-8")
    finally:
        if learner.poll() is None:
            learner.kill()
            learner.wait()
    summary = json.loads(summary_file.read_text(encoding="utf-8"))
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
    assert counted["stream_published_version"] > 2
    assert counted["stream_publish_failures_total"] == counted["stream_versions_refused_total"] == 0
    pointer = json.loads((tmp_path / "versions" / "current.json").read_text(encoding="utf-8"))
    assert pointer["events_trained"] == EVENTS
    assert pointer["schema_version"] == 11


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


def _is_ready(address: str) -> bool:
    try:
        return bool(json.loads(text_of(f"http://{address}/readyz"))["status"] == "ok")
    except urllib.error.URLError as not_yet:
        if isinstance(not_yet, urllib.error.HTTPError):
            not_yet.close()
        return False


def _trained(address: str) -> float:
    return _samples(address)["stream_events_trained_total"]


def _samples(address: str) -> dict[str, float]:
    """Return all samples by name, those of dead letters with their reason."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text_of(f"http://{address}/metrics")):
        for sample in family.samples:
            reason = sample.labels.get("reason")
            found[f'{sample.name}{{reason="{reason}"}}' if reason else sample.name] = sample.value
    return found
