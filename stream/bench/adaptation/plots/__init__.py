"""The report's plots: each is one file here, drawn from the results alone, as PNG and SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stream.bench.adaptation.plots.around import draw_around
from stream.bench.adaptation.plots.calibration import draw_reliability
from stream.bench.adaptation.plots.cost import draw_cost
from stream.bench.adaptation.plots.recovery import draw_recovery
from stream.bench.adaptation.plots.standing import draw_standing
from stream.bench.adaptation.plots.sweeps import draw_sweeps

if TYPE_CHECKING:
    from stream.bench.adaptation.report import Report

__all__ = ["draw_all"]


def draw_all(report: Report, directory: Path) -> list[str]:
    """Draw whatever the results allow and return the file names, PNG and SVG of each plot."""
    results = report.results
    return [
        *draw_standing(report.standings, results, directory),
        *draw_cost(report.standings, directory),
        *draw_around(results, directory),
        *draw_recovery(results, directory),
        *draw_sweeps(results, directory),
        *draw_reliability(results, directory),
    ]
