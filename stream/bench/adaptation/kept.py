"""A report's JSON read back: every run's measures, so that a report can be made anew without a run."""

from __future__ import annotations

import gzip
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stream.bench.adaptation.measures import Measures
from stream.bench.adaptation.results import Missing, Results
from stream.errors import ConfigurationError

__all__ = ["KEPT", "Kept", "plots_beside", "read_kept"]

KEPT: Final = "report.json.gz"
"""The file beside `report.md` that has every run's measures."""

_NOT_OF_A_RUN: Final = frozenset({"stream", "arm", "seed"})


@dataclass(frozen=True, slots=True)
class Kept:
    """What one or several reports kept."""

    results: Results
    """Without traces: what is drawn from single events cannot be drawn anew."""
    facts: Mapping[str, Any]
    """How the first report was made; of what further ones added, `added`."""


def read_kept(paths: Sequence[Path]) -> Kept:
    """Read the `report.json.gz` of one or several calls as those of one; of a run that two have, the last counts.

    Raises ConfigurationError if a file is not there or is no such report.
    """
    measures: dict[tuple[str, str], dict[int, Measures]] = defaultdict(dict)
    beginnings: dict[tuple[str, str, int, int], Measures] = {}
    equal_seconds: dict[tuple[str, str], float] = {}
    missing: dict[tuple[str, str], Missing] = {}
    facts: dict[str, Any] = {}
    for path in paths:
        try:
            document = json.loads(gzip.decompress(path.read_bytes()))
            for run in document["runs"]:
                measures[run["stream"], run["arm"]][run["seed"]] = _measures(run)
            for run in document.get("beginnings", []):
                beginnings[run["stream"], run["arm"], run["seed"], run["events"]] = _measures(run)
            for entry in document.get("equal_seconds", []):
                equal_seconds[entry["stream"], entry["arm"]] = entry["loss"]
            for entry in document["missing"]:
                missing[entry["course"], entry["arm"]] = Missing(**entry)
            _add_facts(facts, document["made"], len(document["runs"]))
        except (gzip.BadGzipFile, ValueError, KeyError, TypeError, EOFError) as error:
            raise ConfigurationError(
                f"{path} is no report of this program ({type(error).__name__}: {error}); name the {KEPT} that "
                "`stream bench adaptation` wrote"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}; name a {KEPT}") from error
    return Kept(Results(measures, list(missing.values()), None, None, equal_seconds, beginnings), facts)


def plots_beside(path: Path, drawn: Sequence[str], out: Path) -> list[str]:
    """Return the plots of single events that lie beside a report and were not drawn, and put them into `out`."""
    kept = []
    for found in sorted(path.parent.glob("around-*.*")):
        if found.suffix in (".png", ".svg") and found.name not in drawn:
            kept.append(found.name)
            if found.resolve() != (out / found.name).resolve():
                shutil.copyfile(found, out / found.name)
    return kept


def _measures(run: Mapping[str, Any]) -> Measures:
    return Measures.of_json({name: value for name, value in run.items() if name not in _NOT_OF_A_RUN})


def _add_facts(facts: dict[str, Any], made: Mapping[str, Any], runs: int) -> None:
    if not facts:
        facts |= made
        return
    added = facts.get("added")
    more = f"{runs} runs by code {made.get('code', 'unknown')}"
    facts["added"] = more if added is None else f"{added}, {more}"
