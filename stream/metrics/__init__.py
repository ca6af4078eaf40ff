"""Metrics and health over HTTP, from what the service reports to its observers."""

from stream.metrics.health import Health, Verdict
from stream.metrics.http import MetricsServer
from stream.metrics.observer import PrometheusObserver
from stream.metrics.settings import MetricsSettings

__all__ = ["Health", "MetricsServer", "MetricsSettings", "PrometheusObserver", "Verdict"]
