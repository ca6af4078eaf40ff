"""`stream bench floor`, from the streams to the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from stream.bench.adaptation.stream import STREAMS, BenchStream, of_json
from stream.bench.floor.made import MADE
from stream.bench.floor.passes import pass_over
from stream.bench.floor.plot import draw_weights
from stream.bench.floor.results import FILE, Against, Results
from stream.bench.floor.tables import floor_table, summary_lines, units_table
from stream.bench.floor.units import UNITS, plain
from stream.data import open_bandit
from stream.errors import ConfigurationError

__all__ = ["Wanted", "bench_floor"]

_WITH_COURSE: Final = ("demo", "Open Bandit bts/men", "Open Bandit random/all")
"""The streams whose weights are drawn."""
_QUICK_SHARE: Final = 0.15
_LONGEST: Final = 20_000
"""Events of a stream of the other benchmark, so that none takes most of the time."""

_LOSSES: Final = """\
Nats, summed over all pairs from the first event on, means over the seeds. `excess` is what is published above the best
expert, `of` what is allowed: 0.3 % + 5 nats. `network %` is the network alone above the best of the other experts, bold
above 2 %. `tenths off` counts, of the ten tenths of the pairs by published probability over the last four fifths, those
whose labels are off by more than 10 % of those expected and two standard errors."""
_UNITS: Final = """\
How much higher the loss by pair is over the last four fifths, in %; after an outlier, from the 1,000th event on. The
rows without a bound are what weights cost, of which nothing is promised: events that count for less teach less."""

Load = Callable[[int], BenchStream]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    seeds: int = 1
    quick: bool = False
    only: Sequence[str] = ()
    """Streams whose name begins so; none: all."""
    units: bool = True
    share: float = 1.0
    """Of each stream's events, its beginning."""


def bench_floor(out: Path, wanted: Wanted, kept: Sequence[Path], say: Callable[[str], None]) -> Results:
    """Run the streams, or take what calls have kept, and write page, plot and results under `out`.

    Raises ConfigurationError if nothing has such a name, or a kept file cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    results = _kept(kept) if kept else _run(wanted, say)
    if not results.passes and not results.units:
        raise ConfigurationError(f"no stream of the floor begins with {' or '.join(wanted.only)}")
    results.write(out)
    first = [passes[0] for passes in results.by_stream().values()]
    _write_page(out / "report.md", results, draw_weights(first, out))
    for line in summary_lines(results):
        say(line)
    say(f"{out / 'report.md'}")
    return results


def _kept(files: Sequence[Path]) -> Results:
    try:
        return Results.read(files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"what a call has kept cannot be read ({error})") from error


def _run(wanted: Wanted, say: Callable[[str], None]) -> Results:
    share = wanted.share * (_QUICK_SHARE if wanted.quick else 1.0)
    results = Results({"seeds": wanted.seeds, "share": share})
    for name, load in _streams(share):
        if wanted.only and not name.startswith(tuple(wanted.only)):
            continue
        for seed in range(wanted.seeds):
            try:
                stream = replace(load(seed), name=name)
            except ConfigurationError as error:
                results.missing[name] = str(error)
                say(str(error))
                break
            began = time.process_time()
            found = pass_over(stream, seed, course=seed == 0 and name in _WITH_COURSE)
            results.passes.append(found)
            say(
                f"{name}, seed {seed}: {found.published:.1f} nats, {found.excess:+.1f} of {found.allowed:.1f} above "
                f"{found.best}, network {100 * found.network_excess:+.1f} %, {found.astray} tenths off, "
                f"{time.process_time() - began:.1f} s"
            )
    if wanted.units and not wanted.only:
        for seed in range(wanted.seeds):
            results.units += _units(seed, share, say)
    return results


def _units(seed: int, share: float, say: Callable[[str], None]) -> Iterator[Against]:
    stream = plain(seed, share)
    without: dict[int, dict[str, float]] = {}
    for case in UNITS:
        after = min(case.after, stream.events // 2)
        changed, other = case.pair(stream)
        found = pass_over(changed, seed, after=after).late
        if other is not stream:
            beside = pass_over(other, seed, after=after).late
        else:
            beside = without.setdefault(after, {}) or pass_over(other, seed, after=after).late
            without[after] = beside
        say(f"{case.name}, seed {seed}: {100 * (found['published'] / beside['published'] - 1):+.2f} %")
        yield Against(case.name, seed, case.percent, found, beside)


def _streams(share: float) -> Iterator[tuple[str, Load]]:
    for name, source in STREAMS.items():
        yield name, partial(_beginning, source, share)
    for part in open_bandit.PARTS:
        for propensity in (False, True):
            name = f"Open Bandit {part}{', 1/propensity' if propensity else ''}"
            yield name, partial(_open_bandit, part, propensity, share)
    for made in MADE:
        yield made.name, partial(made.stream, share=share)


def _beginning(source: Callable[[int, int], BenchStream], share: float, seed: int) -> BenchStream:
    return source(seed, max(int(_LONGEST * share), 500))


def _open_bandit(part: str, propensity: bool, share: float, seed: int) -> BenchStream:
    events = max(int(10_000 * share), 500)
    return BenchStream(part, list(of_json(open_bandit.stream(part, propensity=propensity, events=events))), "kind")


def _write_page(path: Path, results: Results, plots: Sequence[str]) -> None:
    seeds, share = results.made_of["seeds"], results.made_of["share"]
    made = f"default settings, {seeds} seed{'s' if seeds > 1 else ''}, {100 * share:.3g} % of each stream"
    lines = [
        "# What the published probability loses to the best of simple experts",
        f"Made by `stream bench floor`, {made}; `{FILE}` has every pass.",
        "\n".join(f"- {line}" for line in summary_lines(results)),
        *(f"![The weights of the mixture]({name})" for name in plots if name.endswith(".png")),
        "## Losses",
        _LOSSES,
        "\n".join(floor_table(results)),
    ]
    if results.units:
        lines += ["## Units", _UNITS, "\n".join(units_table(results))]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
