"""A real Prometheus scrapes a live exporter and is asked every expression of the dashboard and of the alerts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from stream.metrics.catalogue import CATALOGUE
from stream.metrics.serve import serve_metrics
from stream.metrics.settings import MetricsSettings
from tests.metrics.dashboard_expressions import DASHBOARD, expressions, without_data
from tests.metrics.real_prometheus import DEPLOY, Prometheus, require, text_of
from tests.metrics.scripted_run import Script

ROOT = Path(__file__).parents[2]
WATCHED_SECONDS = 5.0


@dataclass
class Live:
    """A scripted learner's exporter and the Prometheus that has watched it for some seconds."""

    prometheus: Prometheus
    exporter: str


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    require("prometheus")
    ended = Event()
    with serve_metrics(MetricsSettings(port=0)) as served:
        assert served.url is not None
        script = Script(served.observer, time.monotonic)

        def learn() -> None:
            while not ended.wait(0.05):
                script.step()

        learner = Thread(target=learn)
        learner.start()
        try:
            prometheus = Prometheus(tmp_path_factory.mktemp("prometheus"), served.url.removeprefix("http://"))
            try:
                prometheus.wait_until(lambda: _scrapes(prometheus) >= 2 * WATCHED_SECONDS, "scraping on")
                yield Live(prometheus, served.url)
            finally:
                prometheus.close()
        finally:
            ended.set()
            learner.join()


def _scrapes(prometheus: Prometheus) -> float:
    counted = prometheus.query('sum(count_over_time(up{job="stream"}[1m]))')
    return float(counted[0]["value"][1]) if counted else 0.0


def test_every_expression_of_the_dashboard_has_data(live: Live) -> None:
    """Not only no error: a panel that stays empty over a run in which everything happens is misspelt."""
    assert len(list(expressions())) > 60
    assert without_data(live.prometheus, WATCHED_SECONDS) == {"annotation 'Restarts'"}


def test_the_instances_to_choose_from_are_those_that_are_scraped(live: Live) -> None:
    """The dashboard's variable asks label_values(metric, instance), which is this call."""
    (variable,) = [one for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    assert variable["definition"] == "label_values(stream_poll_gap_seconds, instance)"
    found = live.prometheus.ask("label/instance/values", **{"match[]": "stream_poll_gap_seconds"})
    assert found == [live.exporter.removeprefix("http://")]


def test_every_alert_is_evaluated_without_error_and_a_healthy_learner_raises_none(live: Live) -> None:
    live.prometheus.wait_until(
        lambda: all(rule["health"] != "unknown" for rule in _rules(live.prometheus)), "evaluating its rules"
    )
    rules = _rules(live.prometheus)
    assert len(rules) >= 10
    for rule in rules:
        assert (rule["health"], rule.get("lastError")) == ("ok", None), rule
        assert rule["state"] != "firing", rule
        live.prometheus.query(rule["query"])


def _rules(prometheus: Prometheus) -> list[Any]:
    groups = prometheus.ask("rules")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_prometheus_takes_types_and_every_name_of_the_catalogue(live: Live) -> None:
    metadata = live.prometheus.ask("metadata")
    types = {name: entries[0]["type"] for name, entries in metadata.items() if name.startswith("stream_")}
    # In OpenMetrics, which Prometheus asks for, a counter's family is named without its suffix.
    expected = {definition.name.removesuffix("_total"): str(definition.type) for definition in CATALOGUE}
    assert types == expected


def test_a_quantile_of_the_step_is_what_was_reported_in_seconds(live: Live) -> None:
    """The script's steps take 4 to 12 ms; milliseconds in buckets of seconds would all stand in the last."""
    (answer,) = live.prometheus.query(
        "histogram_quantile(0.5, sum by (le) (rate(stream_step_duration_seconds_bucket[5s])))"
    )
    assert 0.004 < float(answer["value"][1]) < 0.012


def test_promtool_finds_the_configuration_and_the_rules_in_order() -> None:
    _promtool("check", "config", str(DEPLOY / "prometheus.yml"))
    _promtool("check", "rules", "--lint=all", "--lint-fatal", str(DEPLOY / "alerts.yml"))


def test_promtool_finds_the_exposition_in_order(live: Live) -> None:
    """Prometheus' own linter of names, types and help texts."""
    _promtool("check", "metrics", given=text_of(live.exporter + "/metrics").encode())


def test_each_alert_fires_on_what_it_is_for_and_not_before() -> None:
    """Promtool plays series of hours against the rules: tests/deploy/alerts_test.yml."""
    _promtool("test", "rules", str(ROOT / "tests" / "deploy" / "alerts_test.yml"))


def test_each_alert_has_a_played_case() -> None:
    rules = (DEPLOY / "alerts.yml").read_text(encoding="utf-8")
    played = (ROOT / "tests" / "deploy" / "alerts_test.yml").read_text(encoding="utf-8")
    names = [line.split(":")[1].strip() for line in rules.splitlines() if line.strip().startswith("- alert:")]
    assert len(names) >= 10
    for name in names:
        assert f"alertname: {name}\n" in played, name


def _promtool(*arguments: str, given: bytes | None = None) -> None:
    done = subprocess.run([require("promtool"), *arguments], input=given, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
