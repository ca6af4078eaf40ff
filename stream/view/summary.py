"""The contract's summary as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

__all__ = ["summary_table"]

_MEASURES = ("recall_at_5", "ndcg_at_5", "bce")


def summary_table(summary: Mapping[str, Any]) -> Group:
    """Return the measures beside both baselines, the better of each in bold, and the counts below."""
    rows = {"model": summary["model"], **summary["baselines"]}
    table = Table(title="Predicted before it was trained on", title_justify="left", title_style="bold")
    table.add_column("")
    for measure in _MEASURES:
        table.add_column(measure, justify="right")
    best = {measure: _best(measure, rows) for measure in _MEASURES}
    for name, row in rows.items():
        styles = ["bold green" if name == best[measure] else "" for measure in _MEASURES]
        cells = [Text(_number(row.get(measure)), style) for measure, style in zip(_MEASURES, styles, strict=True)]
        table.add_row(name, *cells)
    counts = Table.grid(padding=(0, 2))
    for label, text in _facts(summary):
        counts.add_row(Text(label, style="dim"), text)
    return Group(table, counts)


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    rate = summary["events_per_second"]
    trained = f"{summary['events_trained']:,} trained ({summary['events_with_labels']:,} with labels)"
    lost = f"{summary['events_dead_lettered']:,} dead-lettered, {summary['labels_dropped']:,} labels dropped"
    schema = f"version {summary['schema_version']} after {summary['schema_changes']:,} changes"
    steps = f"{_step(summary, 'unfrozen')}; in warm-ups {_step(summary, 'frozen')}"
    return [
        ("source", f"{summary['source']}, strategy {summary['strategy']}, seed {summary['seed']}"),
        ("events", f"{trained}, {lost}"),
        ("against the rate", _against_rate(summary)),
        ("experts", _experts(summary)),
        ("contested", _contested(summary)),
        ("calibration", _calibration(summary["model"])),
        ("schema", f"{schema}; {summary['warmups']} warm-ups over {summary['events_frozen']:,} events"),
        ("time", f"{summary['seconds']:.1f} s" + (f", {rate:,.0f} events/s" if rate is not None else "")),
        ("training step", steps),
        ("ids", summary["ids_digest"]),
        ("state", summary["state_digest"]),
    ]


def _against_rate(summary: Mapping[str, Any]) -> str:
    entropy, auc = summary["model"]["normalised_entropy"], summary["model"]["micro_auc"]
    if entropy is None:
        return "-"
    text = f"loss {entropy:.4f} of the running rate's, {_number(summary['running_rate']['bce'])} nats a pair"
    return f"{text}; AUC {_number(auc)}" + ("; the rate alone predicts better" if entropy > 1 else "")


def _experts(summary: Mapping[str, Any]) -> str:
    """Say who has a say in the published probability, the largest first, and what each would have lost alone."""
    if summary["mixture"]["bce"] is None:
        return "-"
    rows = sorted(summary["experts"].items(), key=lambda each: -each[1]["weight"])
    said = ", ".join(f"{name} {row['weight']:.0%} ({_number(row['bce'])})" for name, row in rows)
    return f"{said}; together {_number(summary['mixture']['bce'])} nats a pair, the first fifth too"


def _contested(summary: Mapping[str, Any]) -> str:
    """Say how rankings fared on the events on which they could be wrong."""
    events = summary["contested_events"]
    if not events:
        return "none of the events with labels had more than five possible offers: recall@5 says nothing"
    rows = {"model": summary["model"], **summary["baselines"]}
    means = ", ".join(f"{name} {_number(row['contested']['recall_at_5'])}" for name, row in rows.items())
    return f"{events:,} events with more than five possible offers, recall@5 there: {means}"


def _calibration(model: Mapping[str, Any]) -> str:
    error, groups = model["expected_calibration_error"], model["reliability"]
    if error is None:
        return "-"
    rate = sum(group["observed"] * group["pairs"] for group in groups) / sum(group["pairs"] for group in groups)
    return f"off by {error:.4f} in the mean, at a rate of {rate:.4f} taken (all pairs, the first fifth too)"


def _step(summary: Mapping[str, Any], which: str) -> str:
    rate, cpu_seconds = summary[f"events_per_second_{which}"], summary[f"cpu_seconds_per_event_{which}"]
    if rate is None or cpu_seconds is None:
        return "-"
    return f"{rate:,.0f} events/s, {cpu_seconds * 1e6:,.0f} us of CPU each"


def _best(measure: str, rows: Mapping[str, Mapping[str, float | None]]) -> str | None:
    known = {name: value for name, row in rows.items() if (value := row.get(measure)) is not None}
    if len(known) < 2:
        return None
    return min(known, key=known.__getitem__) if measure == "bce" else max(known, key=known.__getitem__)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
