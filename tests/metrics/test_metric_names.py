"""Names that Prometheus' rules agree with."""

from __future__ import annotations

import re

from stream.metrics.catalogue import CATALOGUE, MetricType


def test_names_follow_the_rules_for_names() -> None:
    """https://prometheus.io/docs/practices/naming/: one prefix, base units, `_total` for counters and only for them."""
    names = [definition.name for definition in CATALOGUE]
    assert len(set(names)) == len(names)
    for definition in CATALOGUE:
        assert re.fullmatch(r"stream_[a-z0-9]+(_[a-z0-9]+)*", definition.name)
        assert definition.name.endswith("_total") == (definition.type is MetricType.COUNTER), definition.name
        assert bool(definition.buckets) == (definition.type is MetricType.HISTOGRAM), definition.name
        if definition.unit in ("seconds", "bytes", "nats"):
            assert definition.unit in definition.name, definition.name
        assert not re.search(r"milli|micro_?s|_ms(_|$)|minute|_(bucket|count|sum|created)$", definition.name)
        assert definition.meaning.endswith(".")
        assert list(definition.buckets) == sorted(set(definition.buckets))


def test_no_label_could_carry_a_name_out_of_the_data() -> None:
    allowed = {"partition", "reason", "model", "measure", "kind", "phase", "table", "expert", "state"}
    for definition in CATALOGUE:
        # The names that do not match are shown as they are, fifteen at most (tests/metrics/test_unknown_names.py).
        if definition.name not in ("stream_run_info", "stream_unknown_names"):
            assert set(definition.labels) <= allowed, definition.name
