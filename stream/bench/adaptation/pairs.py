"""What could be taken and what was, by name: the pairs of an event for an arm that has no learner of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream.records.interaction import Interaction
from stream.schema import Schema

__all__ = ["Pairs", "admits", "pairs_of"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """The offers in R or T, each once; `possible` and `taken` stand beside them."""

    offers: list[str]
    possible: list[bool]
    taken: list[bool]


def pairs_of(event: Interaction, schema: Schema) -> Pairs:
    """Return an event's pairs under a schema (contract, part 1)."""
    shown = event.shown
    if shown is None:
        admitted = list(schema.labels)
    elif isinstance(shown, dict):
        admitted = [name for name, attributes in schema.labels.items() if admits(shown, attributes)]
    else:
        admitted = [name for name in shown if name in schema.labels]
    taken = {name for name in event.labels if name in schema.labels}
    outside = [name for name in event.labels if name in taken.difference(admitted)]
    offers = admitted + outside
    return Pairs(offers, [True] * len(admitted) + [False] * len(outside), [name in taken for name in offers])


def admits(selector: Mapping[str, tuple[str, ...]], attributes: Mapping[str, str]) -> bool:
    """Say whether a selector admits an offer: every attribute by one of its values."""
    return all(attributes.get(attribute) in values for attribute, values in selector.items())
