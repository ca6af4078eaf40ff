"""The figures of `stream bench speed` for people and for programs: rates, and ratios to what bounds them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from stream.bench.speed import BARE_STEP, RAW_POLL, Figure, Spread

__all__ = ["speed_json", "speed_table"]

_REFERENCES = (BARE_STEP, RAW_POLL)


def speed_table(figures: Sequence[Figure]) -> str:
    """Return a row a figure: events/s, and the ratios to both references of the same repeats."""
    rows: list[tuple[str, ...]] = [("workload", "source", "events/s", "x bare torch step", "x raw poll")]
    for figure in figures:
        ratios = _ratios(figure, figures)
        texts = [ratios[name].text(".3f") if name in ratios else "" for name in _REFERENCES]
        rows.append((figure.workload, figure.source, figure.events_per_second.text(",.0f"), *texts))
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


def _ratios(figure: Figure, figures: Iterable[Figure]) -> dict[str, Spread]:
    """Return the ratios to the references of the figure's workload, none to itself and none of a reference."""
    if figure.source in _REFERENCES:
        return {}
    return {
        other.source: figure.ratio_to(other)
        for other in figures
        if other.workload == figure.workload and other.source in _REFERENCES
    }
