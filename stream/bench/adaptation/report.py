"""The report: an opening in words, the table of arms, the papers' claims, stream by stream, and its limits."""

from __future__ import annotations

import gzip
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from stream.bench.adaptation.advice import advice
from stream.bench.adaptation.arms import ARMS, DEFAULT, MAIN
from stream.bench.adaptation.claims import Claim, all_claims
from stream.bench.adaptation.intervals import Interval
from stream.bench.adaptation.kept import KEPT
from stream.bench.adaptation.markdown import markdown_table
from stream.bench.adaptation.overall import Standing, standings
from stream.bench.adaptation.results import Results
from stream.bench.adaptation.tables import ahead_table, arms_table, stream_tables

__all__ = ["Report", "make_report"]

_DASH: Final = "-"


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says, before it is written."""

    results: Results
    standings: list[Standing]
    claims: list[Claim]
    facts: Mapping[str, Any]
    """How the run was made: quick or full, seeds, seconds, machine."""

    @property
    def opening(self) -> str:
        """What to use when, and what it costs, in words."""
        return advice(self.results, self.standings)

    def write(self, directory: Path, plots: Sequence[str] = ()) -> None:
        """Write `report.md` and `report.json.gz`; `plots` are the file names of plots beside them."""
        (directory / "report.md").write_text(self.markdown(plots), encoding="utf-8")
        packed = gzip.compress(_lines(self.document()).encode(), mtime=0)  # the same bytes for the same results
        (directory / KEPT).write_bytes(packed)

    def markdown(self, plots: Sequence[str] = ()) -> str:
        """Return the whole report in Markdown."""
        parts = [
            "# Ways to adapt, compared\n",
            self.opening + "\n",
            _made(self.facts),
            *(f"![{name.rpartition('.')[0]}]({name})\n" for name in plots if name.endswith(".png")),
            "## The arms\n",
            arms_table(self.results, self.standings),
            "### Is the default ahead?\n",
            f"The goal: `{DEFAULT}` ahead of every one-pass arm and peer, and within 1 % of the oracle.\n",
            ahead_table(self.results),
            "## The papers' claims, one by one\n",
            _claims_table(self.claims),
            *(_claim_details(number, claim) for number, claim in enumerate(self.claims, 1)),
            "## Stream by stream\n",
            *(stream_tables(self.results, course) for course in self.results.courses),
            "## How it was measured\n",
            _METHOD,
            "## What was cut, and what these figures cannot say\n",
            _limits(self.results),
        ]
        return "\n".join(parts)

    def document(self) -> dict[str, Any]:
        """Return the whole report as JSON values: every run's measures, every claim."""
        runs = [
            {"stream": course, "arm": arm, "seed": seed, **run.as_json()}
            for course in self.results.courses
            for arm in self.results.arms(course)
            for seed, run in self.results.runs(course, arm).items()
        ]
        return {
            "made": dict(self.facts),
            "advice": self.opening,
            "arms": [
                {"name": arm.name, "family": arm.family, "kind": arm.kind, "settings": dict(arm.overrides)}
                for arm in ARMS.values()
            ],
            "standings": [_standing(each) for each in self.standings],
            "claims": [asdict(claim) for claim in self.claims],
            "missing": [asdict(each) for each in self.results.missing],
            "equal_seconds": [
                {"stream": course, "arm": arm, "loss": loss}
                for (course, arm), loss in self.results.equal_seconds.items()
            ],
            "beginnings": [
                {"stream": course, "arm": arm, "seed": seed, **run.as_json()}
                for (course, arm, seed, _), run in self.results.beginnings.items()
            ],
            "runs": runs,
        }


def _lines(document: Mapping[str, Any]) -> str:
    """Return a document as JSON, a line for each entry of its lists; figures to six digits."""
    parts = []
    for name, value in document.items():
        shown = json.dumps(_rounded(value), separators=(",", ":"))
        if isinstance(value, list) and value:
            entries = (json.dumps(_rounded(entry), separators=(",", ":")) for entry in value)
            shown = "[\n" + ",\n".join(entries) + "\n]"
        parts.append(f"{json.dumps(name)}: {shown}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(entry) for name, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list | tuple) else value


def make_report(results: Results, facts: Mapping[str, Any]) -> Report:
    """Compare what was measured; `facts` say how the run was made."""
    made = {
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        **facts,
    }
    return Report(results, standings(results), all_claims(results), made)


def _made(facts: Mapping[str, Any]) -> str:
    return "Made so: " + "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()) + ".\n"


def _standing(each: Standing) -> dict[str, Any]:
    def plain(interval: Interval | None) -> Any:
        return None if interval is None else asdict(interval)

    return {
        "arm": each.arm.name,
        "streams": each.courses,
        "same_by_construction_on": each.same_on,
        "runs_failed": each.runs_failed,
        "loss": plain(each.loss),
        "recall_at_5": plain(each.recall),
        "train_seconds": plain(each.seconds),
        "loss_at": plain(each.loss_at),
        "better_on": each.better_on,
        "worse_on": each.worse_on,
    }


def _claims_table(claims: Sequence[Claim]) -> str:
    header = ["", "paper", "claim", "arms", "effect", "verdict"]
    rows = [
        [str(number), claim.paper, claim.claim, claim.arms, claim.effect, f"**{claim.verdict}**"]
        for number, claim in enumerate(claims, 1)
    ]
    return markdown_table(header, rows)


def _claim_details(number: int, claim: Claim) -> str:
    what = (
        f"{claim.paper}. Arms: {claim.arms}. Streams: {claim.stream}. Effect: {claim.effect}. "
        f"**{claim.verdict.capitalize()}.** {claim.because}\n"
    )
    text = [f"### {number}. {claim.claim}\n", what]
    for table in claim.tables:
        text += [f"{table.title[0].upper()}{table.title[1:]}:\n", markdown_table(table.header, table.rows)]
    return "\n".join(text)


def _limits(results: Results) -> str:
    lines = list(_CANNOT)
    named = {each.arm for each in results.missing} | {arm for course in results.courses for arm in results.arms(course)}
    unplanned = [f"`{name}`" for name in MAIN if name not in named]
    if unplanned:
        lines.append(f"Not in the plan of this run, for want of time: {', '.join(unplanned)}.")
    if results.missing:
        lines.append("Not run, or failed:")
        text = "\n".join(f"- {line}" for line in lines) + "\n"
        grouped: dict[tuple[str, str, str], list[str]] = {}
        for each in results.missing:
            grouped.setdefault((each.arm, each.status, each.why), []).append(each.course)
        rows = [
            [
                f"`{arm}`",
                status,
                why or _DASH,
                str(len(courses)),
                ", ".join(courses[:4]) + (" ..." if courses[4:] else ""),
            ]
            for (arm, status, why), courses in grouped.items()
        ]
        return text + "\n" + markdown_table(["arm", "status", "why", "streams", "which"], rows)
    return "\n".join(f"- {line}" for line in lines) + "\n"


_METHOD: Final = """\
- Every event is scored before it is trained. Losses are binary cross-entropy in nats over the possible offers; summed
  loss is over the whole stream, loss a pair and rankings over the contract's last four fifths.
- Intervals are 95 % t-intervals over seeds; differences are paired by seed, and an average over streams leaves out
  those on which the two are the same by construction. The best of several arms is the best of those whose every seed
  came to an end, and its interval is wide enough for all of them. On synthetic streams a seed draws the
  stream as well as the weights; on recorded data the weights alone, so intervals there say nothing of other data.
- *Before*, *at*, *after* a change are the window before it and the two behind it; changes closer than a window count
  as one. *Events until back*: how far behind the change the first window starts whose loss is within 1 % of its level
  before the change. On synthetic streams the truth's loss on the same labels is taken off first, elsewhere the
  oracle's, where it ran. Where the loss is not back before the next change, the events watched are counted: a lower
  bound (*share back* says how often it was).
- *Jumps*: blocks of a quarter of a window, up to twelve behind the change, whose loss rises by more than two standard
  deviations of the steps before the change.
- *Old offers*, *new offers*: over the two windows behind a change, the new being those that came last.
- Peers see the beginning of a stream only; they are compared with what the default did on the same events. Their own
  rows by stream are over those events.
- *At equal seconds*: the loss of what an arm gets through in the training seconds of the fastest one-pass arm there.
- Training seconds are CPU time of encoding, predicting, training and schema changes, on one thread; peak memory is the
  resident set of the whole process, the stream itself included.
"""
_CANNOT: Final = (
    "Sizes were cut to fit the run: most arms see the beginning of the demo stream, and synthetic streams are short.",
    (
        "Every arm has the settings that are its defaults, and many of those were chosen on these very streams: "
        f"those of `{DEFAULT}` on several at once (two seeds each; the optimum is flat), rates and places of `iak`, "
        "`mlet` and `peterrec` on two or three synthetic ones. No stream here was kept from all choosing, so every "
        f"figure flatters, and `{DEFAULT}`, on which most care was spent, is flattered most."
    ),
    "On recorded data the intervals are over weights alone: another month or another shop may say otherwise.",
    "A refit trains to a fixed number of passes, the oracle too; more passes might be better or worse.",
    "The papers' own data, sizes and numbers could not be had: verdicts are about the direction of an effect here.",
    "Intervals over few seeds are wide, and of some forty comparisons about two exclude 0 by chance.",
)
