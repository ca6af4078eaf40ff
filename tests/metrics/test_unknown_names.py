"""The metric that names what does not match has fifteen series at most: those of the names that are among the top."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from stream.encoding.top_names import TOP_UNKNOWN, UNKNOWN, TopNames
from stream.metrics.observer import PrometheusObserver
from stream.observe import Step
from tests.metrics.scripted_run import Clock, batch


def test_series_come_and_go_with_the_top_and_stay_few() -> None:
    registry = CollectorRegistry()
    observer = PrometheusObserver(registry, Clock())
    names = {what: TopNames() for what in UNKNOWN}
    for step in range(300):
        for number, top in enumerate(names.values()):
            top.add({f"{step}-{number}-{other}": 1 + step for other in range(20)})
        shown = {what: top.top(TOP_UNKNOWN) for what, top in names.items()}
        observer.trained(Step(batch(unknown_names=shown), 0.1, []))
        found = {
            (sample.labels["what"], sample.labels["name"]): sample.value
            for family in registry.collect()
            for sample in family.samples
            if sample.name == "stream_unknown_names"
        }
        assert found == {(what, name): count for what, listed in shown.items() for name, count in listed}
        assert len(found) == 15
