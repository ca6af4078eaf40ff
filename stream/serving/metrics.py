"""What the answering process tells Prometheus; with several workers, of all of them together."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from stream.serving.held import Held, Serving

__all__ = ["DIRECTORY", "ServingMetrics"]

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client's own variable: where the workers of one service keep their numbers."""

_REQUEST_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PATHS = frozenset({"/v1/recommend", "/v1/model", "/v1/offers", "/metrics", "/livez", "/readyz", "/openapi.json", "/"})


class ServingMetrics:
    """The metrics of one worker."""

    def __init__(self) -> None:
        # When a counter began is one series more for each, and nobody's question.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._together = DIRECTORY in os.environ
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "stream_serve_requests_total",
            "Requests answered, by path and status.",
            ("path", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "stream_serve_request_seconds",
            "Time from a request's head to its answer, of POST /v1/recommend.",
            registry=registry,
            buckets=_REQUEST_BUCKETS,
        )
        self._events = Counter("stream_serve_events_total", "Events that were scored.", registry=registry)
        self._refusals = Counter(
            "stream_serve_refusals_total", "Requests that were refused, by reason.", ("reason",), registry=registry
        )
        self._swaps = Counter(
            "stream_serve_swaps_total", "Versions put in place: full ones and deltas.", ("kind",), registry=registry
        )
        self._swap_seconds = Histogram(
            "stream_serve_swap_seconds",
            "Time for which answers waited while a version was put in place.",
            registry=registry,
            buckets=_REQUEST_BUCKETS,
        )

        def gauge(name: str, meaning: str, mode: str = "livemax") -> Gauge:
            return Gauge(name, meaning, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]

        self._version = gauge("stream_serve_model_version", "The version that answers come from.", "livemin")
        self._schema = gauge("stream_serve_schema_version", "Its schema version.", "livemin")
        self._event_time = gauge("stream_serve_event_time_seconds", "Its event time, Unix seconds.", "livemin")
        self._staleness = gauge(
            "stream_serve_staleness_seconds", "By how much the wall clock is ahead of the model's event time."
        )
        self._age = gauge("stream_serve_version_age_seconds", "Time since the version was published.")
        self._trouble = gauge("stream_serve_trouble", "1 while the newest version cannot be taken.")

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        known = "/v1/offers" if path.startswith("/v1/offers/") else path
        self._requests.labels(known if known in _PATHS else "other", str(status)).inc()
        if path == "/v1/recommend" and status == 200:
            self._seconds.observe(seconds)

    def scored(self, events: int) -> None:
        """Count events."""
        self._events.inc(events)

    def refused(self, reason: str) -> None:
        """Count a refusal; reasons are words of this program's own."""
        self._refusals.labels(reason).inc()

    def swapped(self, serving: Serving, full: bool, seconds: float) -> None:
        """Take in a version."""
        self._swaps.labels("full" if full else "delta").inc()
        self._swap_seconds.observe(seconds)

    def standing(self, held: Held) -> None:
        """Take in how things stand."""
        self._trouble.set(held.trouble is not None)
        serving = held.serving
        if serving is None:
            return
        now = held.unix_seconds()
        self._version.set(serving.pointer.version)
        self._schema.set(serving.scorer.schema_version)
        self._age.set(serving.age_seconds(now))
        if (staleness := serving.staleness_seconds(now)) is not None:
            self._staleness.set(staleness)
            self._event_time.set((serving.scorer.event_time_ms or 0) / 1000.0)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        if not self._together:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(Path(os.environ[DIRECTORY])))  # type: ignore[no-untyped-call]
        return generate_latest(registry)
