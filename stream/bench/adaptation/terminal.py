"""The report's first table on a terminal."""

from __future__ import annotations

import math

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream.bench.adaptation.arms import DEFAULT
from stream.bench.adaptation.report import Report

__all__ = ["print_report"]


def print_report(report: Report, console: Console) -> None:
    """Print the opening words, each arm beside the default, and how the claims fared."""
    console.print()
    for paragraph in report.opening.split("\n\n"):
        console.print(escape(paragraph.replace("`", "").replace("**", "")), highlight=False)
        console.print()
    table = Table(
        title=f"Against {DEFAULT}, averaged over streams", title_justify="left", box=box.SIMPLE_HEAD, padding=0
    )
    for number, title in enumerate(("arm", "loss, %", "recall@5", "seconds", "streams", "better", "worse")):
        table.add_column(f" {title}", justify="right" if number else "left", no_wrap=True)
    for each in report.standings:
        colour = {-1: "green", 0: "", 1: "red"}[each.loss.sign]
        loss = each.loss.text("+.2f", 100)
        table.add_row(
            each.arm.name,
            f"[{colour}]{loss}[/]" if colour else loss,
            "-" if each.recall is None else f"{each.recall.mean:+.4f}",
            "-" if each.seconds is None or math.isnan(each.seconds.mean) else f"x {each.seconds.mean + 1:.2f}",
            str(len(each.courses)),
            str(len(each.better_on)),
            str(len(each.worse_on)),
        )
    console.print(table)
    verdicts: dict[str, int] = {}
    for claim in report.claims:
        verdicts[claim.verdict] = verdicts.get(claim.verdict, 0) + 1
    console.print(
        "Claims of the papers: " + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()) + "."
    )
    if report.results.missing:
        names = sorted({each.arm for each in report.results.missing})
        console.print(f"Not run, or failed, on some stream: {escape(', '.join(names))}. The report says why.")
