"""How often each feature was missing while it was live, and which kinds of values a categorical one was given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from stream.records.interaction import Interaction
from stream.schema import Kind, Schema

__all__ = ["MissingRates"]


class MissingRates:
    """Counts by feature; as many as there are features in the schema."""

    def __init__(self) -> None:
        self._events: Counter[str] = Counter()
        self._given: Counter[str] = Counter()
        self._types: dict[str, Counter[str]] = {}

    def saw(self, event: Interaction, schema: Schema) -> None:
        """Count an event under the schema in force."""
        for name, kind in schema.features.items():
            self._events[name] += 1
            value = event.features.get(name)
            if value is None:
                continue
            self._given[name] += 1
            if kind is Kind.CATEGORICAL:
                self._types.setdefault(name, Counter())[type(value).__name__] += 1

    def rates(self) -> dict[str, float]:
        """Return the share of events without a value by feature, the largest first."""
        shares = {name: 1.0 - self._given[name] / events for name, events in self._events.items()}
        return dict(sorted(shares.items(), key=lambda entry: (-entry[1], entry[0])))

    def never_given(self) -> list[tuple[str, int]]:
        """Return the features that no event had, each with the events that could have had it."""
        return [(name, events) for name, events in self._events.items() if not self._given[name]]

    def mixed_types(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the categorical features whose values are of several types: 1, 1.0, "1" and true are four values."""
        for name, types in self._types.items():
            if len(types) > 1:
                yield name, sorted(types)
