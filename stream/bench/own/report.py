"""The report on a user's own stream: the advice, a row an arm, a plot by block, and how it was measured."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream.bench.adaptation.arms import DEFAULT
from stream.bench.adaptation.intervals import Interval
from stream.bench.adaptation.markdown import markdown_table
from stream.bench.own.advice import advice, chosen
from stream.bench.own.blocks import BLOCKS
from stream.bench.own.reading import KeptRange
from stream.bench.own.rows import Row

__all__ = ["OwnReport"]

_HEADER = (
    *("strategy", f"summed loss against {DEFAULT}", "loss a pair", "normalised entropy", "recall@5", "against"),
    *("CPU ms an event", "times", "peak MiB"),
)
_METHOD = f"""\
- Every arm is the learner itself from nothing, with your settings and its strategy, over the same events: each event is
  scored, then trained. Loss is binary cross-entropy in nats over the offers that could have been taken.
- Counted are the last four fifths of the events. Intervals are 95 % t-intervals over {BLOCKS} blocks of equally many
  events: they say how steady a difference was over that time, and hold for the future as far as it is like it.
- Another strategy than the default is advised where its interval, widened for the number of them tried, lies below 0,
  and where it gains half a per cent or costs a tenth less.
- Normalised entropy is the loss over that of who knows only the share of pairs taken so far.
- The baselines of the contract count and give no probability: they have a ranking and no loss.
"""


@dataclass(frozen=True, slots=True)
class OwnReport:
    """What was compared on which part of whose stream."""

    rows: list[Row]
    kept: KeptRange
    changes: int
    """Schema versions that took effect after the first event."""
    seeds: int
    missing: Mapping[str, str]
    """Why an arm has no row."""

    @property
    def opening(self) -> str:
        """Which strategy to use, by how much and at what cost."""
        return advice(self.rows)

    @property
    def part(self) -> str:
        """Which part of the stream it was."""
        kept = self.kept
        text = f"{kept.source}, {kept.events:,} events"
        if kept.records > kept.events:
            text += f" (the last of {kept.records:,} records)"
        text += f", {self.changes} schema changes within them; {self.seeds} {'seed' if self.seeds == 1 else 'seeds'}."
        if kept.skipped:
            text += " Left out as invalid: " + ", ".join(f"{n:,} {reason}" for reason, n in kept.skipped.items()) + "."
        if kept.rejected:
            text += f" **Schema versions rejected: {len(kept.rejected)}, first {kept.rejected[0]}**"
        return text

    def write(self, out: Path, plots: Sequence[str]) -> None:
        """Write `report.md` and `report.json`."""
        parts = [
            "# Which way to adapt on this stream\n",
            self.opening + "\n",
            self.part + "\n",
            *(f"![{name.rpartition('.')[0]}]({name})\n" for name in plots if name.endswith(".png")),
            markdown_table(_HEADER, [_cells(row, self._default) for row in self.rows]),
            *([_missing(self.missing)] if self.missing else []),
            "## How it was measured\n",
            _METHOD,
        ]
        (out / "report.md").write_text("\n".join(parts), encoding="utf-8")
        (out / "report.json").write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")

    def document(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        kept = self.kept
        return {
            "advice": self.opening,
            "use": chosen(self.rows).arm.name,
            "stream": {
                "source": kept.source,
                "events": kept.events,
                "records": kept.records,
                "schema_versions": kept.versions,
                "schema_changes_within": self.changes,
                "skipped": kept.skipped,
                "rejected": list(kept.rejected),
            },
            "seeds": self.seeds,
            "missing": dict(self.missing),
            "arms": [
                {
                    "arm": row.arm.name,
                    "settings": dict(row.arm.overrides),
                    "same_by_construction": row.same,
                    "loss": _number(row.loss),
                    "normalised_entropy": _number(row.normalised_entropy),
                    "recall_at_5": _number(row.recall_at_5),
                    "loss_against": _plain(row.loss_against),
                    "recall_against": _plain(row.recall_against),
                    "cpu_seconds_per_event": row.seconds_per_event,
                    "peak_memory_bytes": row.peak_memory_bytes,
                    "loss_against_by_block": list(row.by_block.values()),
                }
                for row in self.rows
            ],
        }

    def print(self, console: Console) -> None:
        """Print the advice and the table."""
        console.print()
        console.print(escape(self.opening.replace("`", "").replace("**", "")), highlight=False)
        console.print(f"\n{escape(self.part.replace('**', ''))}\n", highlight=False)
        table = Table(box=box.SIMPLE_HEAD, padding=0)
        for number, title in enumerate(("strategy", "loss, %", "NE", "recall@5", "ms an event")):
            table.add_column(f" {title}", justify="right" if number else "left", no_wrap=True)
        for row in self.rows:
            against = (
                "the same" if row.same else "-" if row.loss_against is None else row.loss_against.text("+.2f", 100)
            )
            entropy = "-" if math.isnan(row.normalised_entropy) else f"{row.normalised_entropy:.4f}"
            cells = (row.arm.name, against, entropy, f"{row.recall_at_5:.4f}", f"{row.seconds_per_event * 1e3:.2f}")
            table.add_row(*(f" {cell}" for cell in cells))
        console.print(table)
        for arm, why in self.missing.items():
            console.print(escape(f"Not compared: {arm}: {why}"), highlight=False)

    @property
    def _default(self) -> Row:
        return next(row for row in self.rows if row.arm.name == DEFAULT)


def _cells(row: Row, default: Row) -> list[str]:
    against = "0" if row is default else "the same" if row.same else "-"
    if row.loss_against is not None:
        against = row.loss_against.text("+.2f", 100, " %")
    return [
        f"`{row.arm.name}`",
        against,
        _text(row.loss, ".5f"),
        _text(row.normalised_entropy, ".4f"),
        _text(row.recall_at_5, ".4f"),
        "-" if row.recall_against is None else row.recall_against.text("+.4f"),
        f"{row.seconds_per_event * 1e3:.2f}",
        f"{row.seconds_per_event / default.seconds_per_event:.2f}",
        f"{row.peak_memory_bytes / 2**20:,.0f}",
    ]


def _missing(missing: Mapping[str, str]) -> str:
    return "Not compared:\n\n" + "\n".join(f"- `{arm}`: {why}" for arm, why in missing.items()) + "\n"


def _text(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else asdict(interval)
