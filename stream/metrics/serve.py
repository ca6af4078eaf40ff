"""Metrics and health of one run, from its start to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from stream.metrics.health import Health
from stream.metrics.http import MetricsServer
from stream.metrics.observer import PrometheusObserver
from stream.metrics.settings import MetricsSettings
from stream.observe import CompositeObserver, Observer

__all__ = ["Served", "serve_metrics"]


@dataclass(frozen=True, slots=True)
class Served:
    """What the service has to report to, and where the outside can read it.

    Attributes:
        observer: to be handed to the service.
        url: `http://host:port`; None if the settings say not to serve.
    """

    observer: Observer
    url: str | None


@contextmanager
def serve_metrics(settings: MetricsSettings, clock: Callable[[], float] = time.monotonic) -> Iterator[Served]:
    """Serve /metrics, /healthz and /readyz while the block runs; `clock` is the service's monotonic clock.

    Enter it before the checkpoint is restored: /readyz says so meanwhile.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    if not settings.enabled:
        yield Served(Observer(), None)
        return
    registry = CollectorRegistry()
    health = Health(clock, settings.poll_bound_seconds)
    observer = CompositeObserver([PrometheusObserver(registry, clock), health])
    with MetricsServer(settings, registry, health) as server:
        yield Served(observer, server.url)
