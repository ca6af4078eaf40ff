"""The catalogue made real: one prometheus-client metric for each definition, in the registry that was handed in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from threading import Lock

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from stream.metrics.catalogue import CATALOGUE, Definition, MetricType

__all__ = ["BulkHistogram", "Instruments"]


class BulkHistogram(Collector):
    """A histogram that takes a batch of values in one call.

    prometheus-client's own takes one value a call, about 2 us; at one value an event that is felt in the training rate.
    """

    def __init__(self, definition: Definition, registry: CollectorRegistry) -> None:
        self._definition = definition
        self._bounds = np.asarray(definition.buckets, dtype=np.float64)
        self._counts = np.zeros(len(self._bounds) + 1, dtype=np.int64)
        self._sum = 0.0
        self._lock = Lock()
        registry.register(self)

    def observe_all(self, values: Sequence[float]) -> None:
        """Count each value in the first bucket whose upper bound is not below it; values below 0 count as 0.

        (A producer's clock may be ahead of ours; a sum that falls would look like a restart.)
        """
        if not len(values):
            return
        observed = np.maximum(np.asarray(values, dtype=np.float64), 0.0)
        counts = np.bincount(np.searchsorted(self._bounds, observed, side="left"), minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum += float(observed.sum())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Return the one family, its buckets cumulative as the format wants them."""
        with self._lock:
            cumulative, total = np.cumsum(self._counts).tolist(), self._sum
        bounds = [repr(bound) for bound in self._definition.buckets] + ["+Inf"]
        family = HistogramMetricFamily(self._definition.name, self._definition.meaning)
        family.add_metric([], list(zip(bounds, cumulative, strict=True)), total)
        return [family]


class Instruments:
    """Every metric of the catalogue, found by its full name; an unknown name is a KeyError.

    Args:
        registry: where they are registered, with prometheus-client's process and platform metrics beside them. One
            registry takes one set.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.counters: dict[str, Counter] = {}
        self.gauges: dict[str, Gauge] = {}
        self.histograms: dict[str, Histogram] = {}
        self.event_to_trained: BulkHistogram
        for definition in CATALOGUE:
            name, meaning, labels = definition.name, definition.meaning, definition.labels
            if definition.type is MetricType.COUNTER:
                self.counters[name] = Counter(name, meaning, labels, registry=registry)
            elif definition.type is MetricType.GAUGE:
                self.gauges[name] = Gauge(name, meaning, labels, registry=registry)
                if not labels:
                    self.gauges[name].set(math.nan)  # not known yet, which is not the same as 0
            elif name == "stream_event_to_trained_seconds":
                self.event_to_trained = BulkHistogram(definition, registry)
            else:
                self.histograms[name] = Histogram(name, meaning, labels, buckets=definition.buckets, registry=registry)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
