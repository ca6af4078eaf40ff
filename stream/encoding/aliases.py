"""Old names that are still read as new ones: interactions of producers that have not heard of a rename yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from stream.records.interaction import Interaction
from stream.schema import Alias, Schema

__all__ = ["resolved"]


def resolved(interactions: Sequence[Interaction], schema: Schema) -> tuple[Sequence[Interaction], int]:
    """Return the interactions with the names that the schema has now, and how many names were old ones.

    An old name counts before its alias's event time; if an event has the new one too, that one's value stands. What
    was passed in stays as it was.
    """
    if not schema.feature_aliases and not schema.label_aliases:
        return interactions, 0
    events, total = [], 0
    for event in interactions:
        features = _in_force(schema.feature_aliases, event.features, event.ts)
        labels = _in_force(schema.label_aliases, event.labels, event.ts)
        listed = event.shown if isinstance(event.shown, tuple) else ()
        shown = _in_force(schema.label_aliases, listed, event.ts)
        number = len(features) + len(labels) + len(shown)
        if number:
            total += number
            event = replace(
                event,
                features=_renamed_features(event, features) if features else event.features,
                labels=_renamed(event.labels, labels),
                shown=_renamed(listed, shown) if shown else event.shown,
            )
        events.append(event)
    return events, total


def _in_force(aliases: Mapping[str, Alias], names: Iterable[str], ts: int) -> dict[str, str]:
    """Return what each old name among `names` is read as at event time `ts`."""
    if not aliases:
        return {}
    found = ((name, aliases.get(name)) for name in names)
    return {name: alias.to for name, alias in found if alias is not None and ts < alias.until_ms}


def _renamed_features(event: Interaction, aliases: Mapping[str, str]) -> dict[str, object]:
    features = {name: value for name, value in event.features.items() if name not in aliases}
    for old, new in aliases.items():
        features.setdefault(new, event.features[old])
    return features


def _renamed(names: tuple[str, ...], aliases: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(aliases.get(name, name) for name in names)) if aliases else names
