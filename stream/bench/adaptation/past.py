"""A stream's past, told under the schema of today: what a refit on everything so far is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stream.bench.adaptation.pairs import admits
from stream.records.interaction import Interaction
from stream.schema import Change, Op, Schema, Version

__all__ = ["Past"]

Names = dict[str, str]
"""Today's name by the name of then; what has left since is not in it."""


@dataclass(slots=True)
class _Stretch:
    """Events under one schema, and the version that ended it."""

    schema: Schema
    events: list[Interaction] = field(default_factory=list)
    ended_by: Version | None = None


class Past:
    """Everything so far, as it came.

    Told today, an old event has today's names; features and labels that have left are dropped, also if a name came
    back, because that is another one; and its `shown` names what was possible then and is live still: an offer that
    came later could not have been taken, so it is no negative.
    """

    def __init__(self) -> None:
        self.schema = Schema.empty()
        self.events = 0
        self._stretches: list[_Stretch] = []

    def apply(self, version: Version) -> None:
        """Take the next version."""
        if self._stretches:
            self._stretches[-1].ended_by = version
        self.schema = self.schema.apply(version)
        self._stretches.append(_Stretch(self.schema))

    def add(self, events: Sequence[Interaction]) -> None:
        """Take the next events; raises ValueError before the first version."""
        if not self._stretches:
            raise ValueError("no version has been applied yet; the stream begins with one")
        self._stretches[-1].events += events
        self.events += len(events)

    def creating_version(self) -> Version:
        """Return today's schema as the first and only version of a new learner."""
        schema = self.schema
        features = [Change(Op.ADD_FEATURE, name, kind=kind) for name, kind in schema.features.items()]
        labels = [Change(Op.ADD_LABEL, name, attributes=dict(found)) for name, found in schema.labels.items()]
        return Version.of(1, schema.event_time_ms or 0, [*features, *labels])

    def told_today(self) -> list[Interaction]:
        """Return all events in training order under today's schema."""
        features: Names = {name: name for name in self.schema.features}
        labels: Names = {name: name for name in self.schema.labels}
        told: list[list[Interaction]] = []
        for stretch in reversed(self._stretches):
            if stretch.ended_by is not None:
                for change in reversed(stretch.ended_by.changes):
                    _undo(features if change.op in _ON_FEATURES else labels, change)
            told.append(list(_told(stretch, features, labels, everything=len(labels) == len(self.schema.labels))))
        return [event for events in reversed(told) for event in events]


_ON_FEATURES = frozenset({Op.ADD_FEATURE, Op.REMOVE_FEATURE, Op.RENAME_FEATURE, Op.RETYPE_FEATURE})


def _undo(names: Names, change: Change) -> None:
    """Turn the names after a change into those before it."""
    if change.op in (Op.RENAME_FEATURE, Op.RENAME_LABEL) and change.to is not None:
        today = names.pop(change.to, None)
        if today is not None:
            names[change.name] = today
    elif change.op not in (Op.UPDATE_LABEL, Op.REMOVE_FEATURE, Op.REMOVE_LABEL):
        names.pop(change.name, None)


def _told(stretch: _Stretch, features: Names, labels: Names, *, everything: bool) -> Iterator[Interaction]:
    """Yield the stretch's events as of today; `everything` says that all of today's offers were live then."""
    features, labels = dict(features), dict(labels)
    # Nothing is listed if nothing was: a list lets cells of keys begin that had none.
    all_then = None if everything else tuple(labels.values())
    selected: dict[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]] = {}
    for event in stretch.events:
        shown = event.shown
        now: tuple[str, ...] | None
        if shown is None:
            now = all_then
        elif isinstance(shown, dict):
            selector = tuple(sorted(shown.items()))
            if selector not in selected:
                selected[selector] = tuple(
                    today for then, today in labels.items() if admits(shown, stretch.schema.labels[then])
                )
            now = selected[selector]
        else:
            now = tuple(labels[name] for name in shown if name in labels)
        yield Interaction(
            id=event.id,
            key=event.key,
            ts=event.ts,
            features={features[name]: value for name, value in event.features.items() if name in features},
            labels=tuple(labels[name] for name in event.labels if name in labels),
            shown=now,
            weight=event.weight,
        )
