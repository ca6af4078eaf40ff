"""The page of `stream bench serve`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["page"]


def page(results: Mapping[str, Any]) -> str:
    """Return the report of what was measured."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Mapping[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    yield "# How fresh, how fast and how steady the answers are"
    yield ""
    yield f"Written by `stream bench serve` on {machine['cpus']} CPUs, Python {machine['python']}, {machine['system']}."
    yield "Producer, broker, learner, scorer and client share this machine; the load average says what else did."
    if fresh := results.get("fresh"):
        yield from _fresh(fresh)
    if offers := results.get("offers"):
        yield from _offers(offers)
    if swaps := results.get("swaps"):
        yield from _swaps(swaps)


def _load(part: Mapping[str, Any]) -> str:
    before, after = part["load_before_and_after"]
    return f"Load average before {before:.1f}, after {after:.1f}."


def _fresh(fresh: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## From Kafka to an answer", "")
    yield (
        f"{fresh['events_per_second']:g} events a second are sent and trained, {fresh['requests_per_second']:g} "
        f"questions a second asked; a schema version with a new offer every two seconds or so. {_load(fresh)}"
    )
    yield from ("", "| | number | p50 | p99 |", "|---|---|---|---|")
    yield (
        f"| event sent -> answer that reflects it | {fresh['events']:,} | {fresh['event_p50_seconds']:.2f} s | "
        f"{fresh['event_p99_seconds']:.2f} s |"
    )
    yield (
        f"| schema version sent -> answer with the new offer | {fresh['schema_versions']:,} | "
        f"{fresh['schema_p50_seconds']:.2f} s | {fresh['schema_p99_seconds']:.2f} s |"
    )
    yield (
        f"| question -> answer | {fresh['requests']:,} | {fresh['request_p50_ms']:.1f} ms | "
        f"{fresh['request_p99_ms']:.1f} ms |"
    )
    yield ""
    yield f"{fresh['errors']} errors, {fresh['model_versions_met']:,} model versions met."


def _offers(offers: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## One request, by the number of offers", "")
    yield "Over HTTP, one client, k = 10, every live offer is scored. Batches are scored in one process."
    yield _load(offers)
    yield from (
        "",
        "| offers | p50 | p99 | requests/s | pairs/s in batches | pairs per CPU second | start | of it CPU |",
    )
    yield "|---|---|---|---|---|---|---|---|"
    for size in offers["sizes"]:
        rates = (size[name] / 1e6 for name in ("pairs_per_second", "pairs_per_cpu_second"))
        yield (
            f"| {size['offers']:,} | {size['p50_ms']:.1f} ms | {size['p99_ms']:.1f} ms | "
            f"{size['requests_per_second']:,.0f} | {' | '.join(f'{rate:.1f} million' for rate in rates)} | "
            f"{size['start_seconds']:.1f} s | {size['start_cpu_seconds'] or 0.0:.1f} s |"
        )


def _swaps(swaps: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Swaps under load", "")
    yield (
        f"100 questions a second for {swaps['seconds']:g} s without swaps, then as long with {swaps['swaps']} of them, "
        f"{swaps['schema_changes']} with a schema change. Each answer is held against what its version has to say. "
        f"{_load(swaps)}"
    )
    yield from ("", "| | p50 | p99 |", "|---|---|---|")
    yield f"| without | {swaps['still_p50_ms']:.1f} ms | {swaps['still_p99_ms']:.1f} ms |"
    yield f"| with | {swaps['p50_ms']:.1f} ms | {swaps['p99_ms']:.1f} ms |"
    yield ""
    yield (
        f"{swaps['requests']:,} answers from {swaps['versions_met']} versions: {swaps['errors']} errors, "
        f"{swaps['mixed']} that mix versions; the slowest took {swaps['slowest_ms']:.0f} ms."
    )
