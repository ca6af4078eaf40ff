"""What was found, grouped: many lines with one fault are one finding, with the first of them named."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Finding", "Findings", "Severity"]

_GROUPS = 1000
"""Findings told apart; beyond them those of one code are counted together."""
_PLACES = 5


class Severity(StrEnum):
    """How bad it is, worst first."""

    WRONG = "wrong"
    """A learner refuses it: a dead letter, or a rejected version."""
    LOOKS_WRONG = "looks wrong"
    """A learner takes it, and something in it has no effect or is probably not meant."""


@dataclass(slots=True)
class Finding:
    """One thing that is or looks wrong, in one line or many."""

    severity: Severity
    source: str
    """`interactions` or `schema`."""
    code: str
    """A short word for what it is; of what a learner refuses, its reason (`stream.records.reasons`)."""
    message: str
    """The sentence, about the first of the lines."""
    count: int = 0
    places: list[str] = field(default_factory=list)
    """The first lines, or partitions and offsets, at which it stands."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "severity": self.severity.value,
            "source": self.source,
            "code": self.code,
            "count": self.count,
            "message": self.message,
            "places": self.places,
        }


class Findings:
    """Findings by source, code and what they are about; bounded, whatever comes."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str], Finding] = {}

    def known(self, source: str, code: str, about: str = "") -> bool:
        """Say whether such a finding is there: then its sentence need not be made again."""
        return (source, code, about[:200]) in self._groups

    def add(
        self, severity: Severity, source: str, code: str, place: str, message: str = "", about: str = "", times: int = 1
    ) -> None:
        """Count a finding at a place; `about` (a name, say) tells findings of one code apart."""
        key = (source, code, about[:200])
        if key not in self._groups and len(self._groups) >= _GROUPS:
            key = (source, code, "")  # one for all that is beyond the bound; there are few codes
            message = f"further ones of this kind, at first: {message}" if key not in self._groups else message
        finding = self._groups.get(key)
        if finding is None:
            finding = self._groups[key] = Finding(severity, source, code, message)
        finding.count += times
        if len(finding.places) < _PLACES and place not in finding.places:
            finding.places.append(place)

    def listed(self) -> list[Finding]:
        """Return them: what is wrong first, of it the schema first, then the most frequent."""
        order = list(Severity)
        return sorted(
            self._groups.values(), key=lambda one: (order.index(one.severity), one.source != "schema", -one.count)
        )

    def number(self, severity: Severity) -> int:
        """Return how many findings of a severity there are."""
        return sum(finding.severity is severity for finding in self._groups.values())
