"""What was found, as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stream.check.findings import Findings, Severity
from stream.check.interactions import InteractionCheck
from stream.check.versions import VersionCheck
from stream.records.strict_json import quoted

__all__ = ["as_json", "as_lines", "finish"]

_SHOWN = 20
_MISSING_SHOWN = 10


def finish(findings: Findings, events: InteractionCheck, versions: VersionCheck | None) -> None:
    """Add what only the whole can tell: versions that never come, features that no event has, values of many types."""
    if versions is None or not events.counts["interactions"]:
        return
    for name, number in events.missing.never_given():
        message = f"the feature {quoted(name)} is live and none of {number:,} events has it"
        findings.add(Severity.LOOKS_WRONG, "interactions", "never_given", "all", message, about=name)
    for name, types in events.missing.mixed_types():
        several = ", ".join(types)
        message = f"the categorical feature {quoted(name)} has values of the types {several}: 1 and 1.0 are two values"
        findings.add(Severity.LOOKS_WRONG, "interactions", "mixed_types", "all", message, about=name)


def as_json(findings: Findings, events: InteractionCheck, versions: VersionCheck | None) -> dict[str, Any]:
    """Return all findings, counts and missing rates as JSON values."""
    return {
        "wrong": findings.number(Severity.WRONG),
        "looks_wrong": findings.number(Severity.LOOKS_WRONG),
        **_counts(events, versions),
        "findings": [finding.to_json() for finding in findings.listed()],
        "missing_rates": {name: round(rate, 6) for name, rate in events.missing.rates().items()},
    }


def as_lines(findings: Findings, events: InteractionCheck, versions: VersionCheck | None, whole: bool) -> Iterator[str]:
    """Yield the table's lines; unless `whole`, no more than some of each severity."""
    counts = _counts(events, versions)
    yield ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items())
    for severity in Severity:
        found = [finding for finding in findings.listed() if finding.severity is severity]
        if not found:
            continue
        yield ""
        yield f"{severity.value}: {len(found):,}"
        for finding in found if whole else found[:_SHOWN]:
            places = ", ".join(finding.places)
            more = "" if finding.count <= len(finding.places) else f" and {finding.count - len(finding.places):,} more"
            yield f"  {finding.source} {finding.code}, {finding.count:,} times ({places}{more})"
            yield f"      {finding.message}"
        if not whole and len(found) > _SHOWN:
            yield f"  and {len(found) - _SHOWN:,} further ones; --all shows them"
    rates = {name: rate for name, rate in events.missing.rates().items() if whole or rate >= 0.005}
    if rates:
        yield ""
        yield "missing:"
        for name, rate in list(rates.items())[: None if whole else _MISSING_SHOWN]:
            yield f"  {rate:7.2%}  {name}"
        if not whole and len(rates) > _MISSING_SHOWN:
            yield f"  and {len(rates) - _MISSING_SHOWN:,} further features; --all shows them"
    if not findings.listed():
        yield "nothing is wrong, and nothing looks wrong"


def _counts(events: InteractionCheck, versions: VersionCheck | None) -> dict[str, int]:
    names = ("interactions", "dead_letters", "with_labels", "anonymous")
    found = {name: events.counts[name] for name in names}
    return found if versions is None else {"versions": versions.count, **found}
