"""The figures of `stream bench speed` for people and for programs: rates, and ratios to what they stand beside."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from stream.bench.speed.figure import Figure, Spread
from stream.bench.speed.measure import BARE_STEP, EMBEDDED, KAFKA, MEMORY, RAW_POLL

__all__ = ["speed_json", "speed_table"]

_OURS = (MEMORY, EMBEDDED, KAFKA)
_NOTE = "From memory, events per CPU second; from a log, per second of the clock. A ratio is taken within each repeat."


def speed_table(figures: Sequence[Figure]) -> str:
    """Return a row a figure with its rate and loss, then a row for each two of one workload that compare."""
    rates = [("workload", "source", "events/s", "nats a pair")]
    rates += [
        (
            figure.workload,
            figure.source,
            figure.events_per_second.text(",.0f"),
            "" if figure.loss is None else f"{figure.loss:.5f}",
        )
        for figure in figures
    ]
    ratios = [("workload", "ours", "is so many times", "ratio")]
    ratios += [
        (figure.workload, figure.source, name, ratio.text(".3f"))
        for figure in figures
        for name, ratio in _ratios(figure, figures).items()
    ]
    return f"{_aligned(rates)}\n\n{_aligned(ratios)}\n\n{_NOTE}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def speed_json(figures: Sequence[Figure]) -> str:
    """Return the same as a JSON array, with every repeat's seconds."""
    rows: list[dict[str, Any]] = [
        {
            **dataclasses.asdict(figure),
            "events_per_second": dataclasses.asdict(figure.events_per_second),
            "ratios": {name: dataclasses.asdict(ratio) for name, ratio in _ratios(figure, figures).items()},
        }
        for figure in figures
    ]
    return json.dumps(rows, indent=2) + "\n"


def _ratios(figure: Figure, figures: Sequence[Figure]) -> dict[str, Spread]:
    """Return what a figure of ours is to each other that it compares with, in the same workload."""
    if figure.source not in _OURS:
        return {}
    return {
        other.source: figure.ratio_to(other)
        for other in figures
        if other.workload == figure.workload and _compares(figure.source, other.source)
    }


def _compares(ours: str, other: str) -> bool:
    if other in (BARE_STEP, RAW_POLL):
        return other == BARE_STEP or ours == KAFKA
    if other in _OURS:
        return other == MEMORY and ours != MEMORY
    return ours == MEMORY  # the code of before, and peers
