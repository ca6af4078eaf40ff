"""Both tables, as Markdown: what is lost to the best expert on each stream, and what should not matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from stream.bench.floor.passes import NETWORK, Pass
from stream.bench.floor.results import Against, Results

__all__ = ["floor_table", "summary_lines", "units_table"]

_TITLES = {
    "rate": "rate",
    "recent_rate": "recent",
    "offer_rate": "offer",
    "recent_offer_rate": "offer, recent",
    "key_counts": "key",
    "network_alone": "alone",
    NETWORK: "network",
}


def floor_table(results: Results) -> list[str]:
    """Return a row a stream, means over the seeds; losses in nats, summed over the whole stream."""
    experts = list(results.passes[0].experts) if results.passes else []
    titles = [_TITLES.get(name, name) for name in experts]
    head = ["stream", "pairs", "labels", *titles, "published", "excess", "of", "%", "network %", "tenths off"]
    return _table(head, [_floor_row(stream, passes) for stream, passes in results.by_stream().items()])


def _floor_row(stream: str, passes: Sequence[Pass]) -> list[str]:
    best = fmean(each.experts[each.best] for each in passes)
    excess = fmean(each.excess for each in passes)
    late = max(each.excess - each.allowed for each in passes) > 0.0
    network = 100 * fmean(each.network_excess for each in passes)
    return [
        stream,
        f"{fmean(each.pairs for each in passes):,.0f}",
        f"{fmean(each.taken for each in passes):,.0f}",
        *(f"{fmean(each.experts[name] for each in passes):,.1f}" for name in passes[0].experts),
        f"{fmean(each.published for each in passes):,.1f}",
        f"{excess:+.1f}",
        f"{fmean(each.allowed for each in passes):.1f}{' **over**' if late else ''}",
        f"{100 * excess / best:+.2f}",
        f"**{network:+.1f}**" if network > 2.0 else f"{network:+.1f}",
        f"{fmean(each.astray for each in passes):.1f}",
    ]


def units_table(results: Results) -> list[str]:
    """Return a row a case: by how much the loss is higher, mean over the seeds and worst of them."""
    head = ["what should not matter", "published %", "worst", "network %", "worst", "allowed"]
    return _table(head, [_units_row(case, each) for case, each in results.by_case().items()])


def _units_row(case: str, found: Sequence[Against]) -> list[str]:
    cells = []
    for what in ("published", NETWORK):
        each = [100 * (one.changed[what] / one.other[what] - 1.0) for one in found]
        cells += [f"{fmean(each):+.2f}", f"{max(each):+.2f}"]
    return [case, *cells, "" if found[0].percent is None else f"{found[0].percent:g}"]


def summary_lines(results: Results) -> list[str]:
    """Return in sentences whether what is promised holds."""
    streams = results.by_stream()
    over = [s for s, passes in streams.items() if any(each.excess > each.allowed for each in passes)]
    high = [s for s, passes in streams.items() if fmean(each.network_excess for each in passes) > 0.02]
    tenths = sum(len(each.tenths) for each in results.passes)
    astray = sum(each.astray for each in results.passes)
    units = [
        case
        for case, found in results.by_case().items()
        if found[0].percent is not None
        and fmean(one.changed["published"] / one.other["published"] - 1.0 for one in found) > found[0].percent / 100
    ]
    all_of, seeds = len(streams), max((len(passes) for passes in streams.values()), default=0)
    lines = []
    if streams:
        within = f"{all_of - len(over)} of {all_of} streams, from each of {seeds} seeds"
        lines.append(f"At most 0.3 % + 5 nats above the best expert: {within}{_but(over)}.")
        alone = f"{all_of - len(high)} of {all_of} streams"
        lines.append(f"The network alone at most 2 % above the best of the others: {alone}{_but(high)}.")
    if tenths:
        lines.append(
            f"Calibration: in {astray} of {tenths} tenths ({100 * astray / tenths:.1f} %) the labels are off by more "
            "than 10 % of those expected and two standard errors; of tenths that are right, chance alone puts up to "
            "4.6 % there."
        )
    if results.units:
        lines.append(f"What should not matter does not: {len(results.by_case())} cases{_but(units)}.")
    lines += [f"{stream} is not among them: {why}" for stream, why in results.missing.items()]
    return lines


def _but(names: Sequence[str]) -> str:
    return f"; not {', '.join(names)}" if names else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return list(_lines(head, rows))


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("---" if place == 0 else "---:" for place in range(len(head))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
