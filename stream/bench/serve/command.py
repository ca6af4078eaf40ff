"""`stream bench serve`, from the processes to the page."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stream.bench.serve.catalogue import measure_catalogue
from stream.bench.serve.fresh import measure_freshness
from stream.bench.serve.report import page
from stream.bench.serve.swaps import measure_swaps

__all__ = ["PARTS", "Wanted", "bench_serve"]

PARTS: Final = ("fresh", "offers", "swaps")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    parts: tuple[str, ...] = PARTS
    offers: tuple[int, ...] = (1_000, 100_000)
    seconds: float = 20.0
    """Of requests by size of the catalogue."""
    fresh_seconds: float = 120.0
    swap_seconds: float = 300.0
    events_per_second: float = 500.0
    requests_per_second: float = 50.0


def bench_serve(out: Path, wanted: Wanted, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure what is wanted, and write report.md and serve.json under `out`; parts measured before stay."""
    out.mkdir(parents=True, exist_ok=True)
    kept = out / "serve.json"
    results: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    results["machine"] = {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    for part in wanted.parts:
        with tempfile.TemporaryDirectory(prefix="stream-bench-serve-") as place:
            results[part] = _measure(part, Path(place), wanted, say)
        results[part]["load_before_and_after"] = results[part].pop("load")
        kept.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "report.md").write_text(page(results), encoding="utf-8")
    say(f"{out / 'report.md'}")
    return results


def _measure(part: str, place: Path, wanted: Wanted, say: Callable[[str], None]) -> dict[str, Any]:
    before = os.getloadavg()[0]
    say(f"{part} ...")
    found: dict[str, Any]
    if part == "fresh":
        rates = wanted.events_per_second, wanted.requests_per_second
        found = measure_freshness(place, wanted.fresh_seconds, *rates, say)
    elif part == "offers":
        found = {"sizes": []}
        for number in wanted.offers:
            found["sizes"].append(measure_catalogue(place / str(number), number, wanted.seconds))
            say(json.dumps(found["sizes"][-1]))
    else:
        found = measure_swaps(place, wanted.swap_seconds)
    say(json.dumps(found))
    return {**found, "load": [before, os.getloadavg()[0]]}
