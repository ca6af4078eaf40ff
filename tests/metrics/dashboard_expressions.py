"""The dashboard's expressions, as Grafana would send them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.metrics.real_prometheus import Prometheus

DASHBOARD = json.loads((Path(__file__).parents[2] / "dashboards" / "stream.json").read_text(encoding="utf-8"))


def expressions() -> Iterator[tuple[str, str]]:
    """Yield where an expression stands and the expression, its variables filled in for times of seconds."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']!r}", _filled_in(target["expr"])
    for annotation in DASHBOARD["annotations"]["list"]:
        if "expr" in annotation:
            yield f"annotation {annotation['name']!r}", _filled_in(annotation["expr"])


def _filled_in(expression: str) -> str:
    for variable, value in (("$__rate_interval", "3s"), ("$__range", "7s"), ("$instance", ".*"), ("[30s]", "[3s]")):
        expression = expression.replace(variable, value)
    assert "$" not in expression, f"unknown variable in {expression}"
    return expression


def without_data(prometheus: Prometheus, seconds: float) -> set[str]:
    """Ask for every expression over the last seconds; return where those stand that have no number to show."""
    empty = set()
    for where, expression in expressions():
        series = prometheus.query_range(expression, seconds)
        if not any(value not in ("NaN", "+Inf", "-Inf") for one in series for _, value in one["values"]):
            empty.add(where)
    return empty
