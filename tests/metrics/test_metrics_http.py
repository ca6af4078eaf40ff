"""The three paths over a real socket."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import Message

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from stream.errors import ConfigurationError
from stream.metrics import http
from stream.metrics.catalogue import BORROWED, CATALOGUE
from stream.metrics.health import Health
from stream.metrics.http import MetricsServer
from stream.metrics.observer import PrometheusObserver
from stream.metrics.serve import serve_metrics
from stream.metrics.settings import MetricsSettings
from stream.observe import Start, Step
from tests.metrics.scripted_run import Clock, batch


class Served:
    """A server on a free port, with what it tells of."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.observer = PrometheusObserver(self.registry, self.clock)
        self.health = Health(self.clock, poll_bound_seconds=60)
        self.server = MetricsServer(MetricsSettings(port=0), self.registry, self.health)

    def get(self, path: str, accept: str = "*/*", method: str = "GET") -> tuple[int, Message, str]:
        request = urllib.request.Request(self.server.url + path, headers={"Accept": accept}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers, refusal.read().decode()


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    with served.server:
        yield served


def test_metrics_answer_in_the_text_format(served: Served) -> None:
    served.observer.trained(Step(batch(), 0.25, [0.25]))
    status, headers, text = served.get("/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "stream_events_trained_total 64.0\n" in text
    assert 'stream_step_duration_seconds_bucket{le="0.25"} 1.0\n' in text


def test_metrics_answer_in_openmetrics_where_that_is_asked_for(served: Served) -> None:
    served.observer.trained(Step(batch(), 0.25, [0.25]))
    status, headers, text = served.get("/metrics?x=1", accept="application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    families = parse_openmetrics(text)  # type: ignore[no-untyped-call]
    assert {family.name for family in families} >= {"stream_events_trained", "stream_phase"}


def test_the_exported_names_are_exactly_those_of_the_table(served: Served) -> None:
    """As Prometheus reads them, and without a `_created` series for each."""
    text = served.get("/metrics")[2]
    exported = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(text)
    }
    assert exported == {definition.name for definition in (*CATALOGUE, *BORROWED)}


def test_healthz_answers_503_with_a_sentence_when_polls_have_ceased(served: Served) -> None:
    status, headers, text = served.get("/healthz")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(text)["status"] == "ok"
    served.clock.seconds += 61
    status, _, text = served.get("/healthz")
    assert status == 503
    assert json.loads(text)["status"] == "failing"
    assert "no poll has completed yet" in json.loads(text)["reason"]


def test_readyz_answers_503_until_the_model_is_restored_and_tells_of_a_rejected_version(served: Served) -> None:
    assert served.get("/readyz")[0] == 503
    served.health.started(Start("files", "carry", {}, None))
    status, _, text = served.get("/readyz")
    assert (status, json.loads(text)["schema_rejection"]) == (200, None)
    served.health.schema_rejected(2, "version_gap")
    status, _, text = served.get("/readyz")
    assert status == 200, "another team's wrong version is no reason to hold back a rollout"
    assert "schema version 2 was rejected" in json.loads(text)["schema_rejection"]


def test_another_path_is_404_and_a_head_request_has_no_body(served: Served) -> None:
    assert served.get("/")[0] == 404
    status, headers, text = served.get("/metrics", method="HEAD")
    assert (status, text) == (200, "")
    assert int(headers["Content-Length"]) > 1_000
    assert served.get("/metrics", method="POST")[0] == 501


def test_the_default_address_is_this_machine_only() -> None:
    assert MetricsSettings().host == "127.0.0.1"


def test_a_port_that_is_taken_is_a_configuration_error_that_names_the_setting(served: Served) -> None:
    settings = MetricsSettings(port=served.server.port)
    with pytest.raises(ConfigurationError, match=rf"metrics\.port = {settings.port}: cannot listen there"):
        MetricsServer(settings, served.registry, served.health)


def test_a_client_that_sends_nothing_holds_up_neither_others_nor_the_end(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.server.port)):
        assert served.get("/healthz")[0] == 200
        served.server.close()
    served.server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", served.server.port), timeout=2).close()


def threads_of_requests() -> int:
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def test_idle_connections_hold_no_more_than_a_few_descriptors_and_keep_no_scrape_out(served: Served) -> None:
    """1,100 of them ended a learner: "Too many open files"."""
    before, most = threads_of_requests(), 0
    with ExitStack() as stack:
        idle = []
        for number in range(300):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", served.server.port)))
            if number % 3:  # slow, not mute
                client.sendall(b"GET /metrics HTTP/1.0\r\nX-Slow: ")
            idle.append(client)
            most = max(most, threads_of_requests() - before)
        assert served.get("/healthz")[0] == 200
        assert len(served.server._server._deadlines) <= http._CONNECTIONS
        assert 0 < most <= http._CONNECTIONS + 1  # one that has given its place back may not have ended yet
        # The oldest were closed to let the others in.
        assert idle[0].recv(100) == b""
    assert served.get("/metrics")[0] == 200


def test_a_request_has_one_deadline_however_often_a_byte_comes(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_REQUEST_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", served.server.port)) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\nX-Slow: ")
        client.settimeout(0.05)
        ended = False
        while not ended:  # or the test's own time-out
            try:
                client.sendall(b"x")
                ended = client.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
    assert served.get("/healthz")[0] == 200


def test_a_run_is_served_while_it_lasts_and_not_at_all_where_that_is_switched_off() -> None:
    with serve_metrics(MetricsSettings(port=0)) as served:
        assert served.url is not None
        served.observer.started(Start("files", "carry", {"name": "n"}, 3))
        with urllib.request.urlopen(served.url + "/readyz", timeout=10) as response:
            assert response.status == 200
        with urllib.request.urlopen(served.url + "/metrics", timeout=10) as response:
            assert b"stream_restored_checkpoint_number 3.0" in response.read()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(served.url + "/readyz", timeout=2)
    with serve_metrics(MetricsSettings(enabled=False)) as silent:
        assert silent.url is None
        silent.observer.dead_letter("not_json")
