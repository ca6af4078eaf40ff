"""The schema in force: which features and labels are live, and how a version turns one schema into the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Self

from stream.errors import SchemaRejected
from stream.records.reasons import VersionFault
from stream.records.strict_json import quoted
from stream.schema.change import Change, Op
from stream.schema.kinds import Kind
from stream.schema.living import Alias, Living
from stream.schema.version import Version

__all__ = ["Schema"]


@dataclass(frozen=True, slots=True)
class Schema:
    """The live features and labels after `version` versions; immutable, so that anyone may keep one.

    Attributes:
        version: number of the last version applied; 0 before the first.
        event_time_ms: the largest `ts` of the versions applied, Unix ms; None before the first.
        features: kind by feature name, in the order in which the names arrived (a rename or a retype is an arrival).
        labels: attributes by label name, in the same order.
        feature_aliases: by an old name, what feature it is read as in interactions, and until when.
        label_aliases: likewise of labels.
        applied: the content digests of the versions applied; that of version v stands at v - 1.
    """

    version: int
    event_time_ms: int | None
    features: Mapping[str, Kind]
    labels: Mapping[str, Mapping[str, str]]
    applied: tuple[str, ...]
    feature_aliases: Mapping[str, Alias]
    label_aliases: Mapping[str, Alias]

    @classmethod
    def empty(cls) -> Self:
        """Return the schema before version 1: nothing is live."""
        nothing: Mapping[str, Any] = MappingProxyType({})
        return cls(0, None, nothing, nothing, (), nothing, nothing)

    def event_time_of(self, version: Version) -> int:
        """Return when `version` takes effect, were it the next: the largest `ts` of the versions up to it, Unix ms."""
        return version.ts if self.event_time_ms is None else max(self.event_time_ms, version.ts)

    def check(self, version: Version) -> Literal["new", "duplicate"]:
        """Say whether `version` is the next one, and can be applied, or was applied already with the same content.

        Raises:
            SchemaRejected: with the reason `version_gap` (a number was left out), `version_conflict` (this number was
                applied with other content), or what is wrong with a name: absent, live, or still an alias.
        """
        if self._place(version) == "duplicate":
            return "duplicate"
        self._changed(version)
        return "new"

    def apply(self, version: Version) -> Self:
        """Return the schema after `version`: all of its changes in order, or, for a duplicate, this schema itself.

        Raises:
            SchemaRejected: as `check` does; this schema is as it was in any case.
        """
        if self._place(version) == "duplicate":
            return self
        features, labels = self._changed(version)
        return type(self)(
            version.version,
            self.event_time_of(version),
            MappingProxyType(features.live),
            MappingProxyType(labels.live),
            (*self.applied, version.content),
            MappingProxyType(features.aliases),
            MappingProxyType(labels.aliases),
        )

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values; names stand in lists, which keep their order anywhere."""
        return {
            "version": self.version,
            "event_time_ms": self.event_time_ms,
            "features": [[name, kind.value] for name, kind in self.features.items()],
            "labels": [[name, dict(attributes)] for name, attributes in self.labels.items()],
            "applied": list(self.applied),
            "feature_aliases": [[name, *alias] for name, alias in self.feature_aliases.items()],
            "label_aliases": [[name, *alias] for name, alias in self.label_aliases.items()],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the schema whose `state()` this is."""
        labels = {name: MappingProxyType(dict(attributes)) for name, attributes in state["labels"]}
        return cls(
            state["version"],
            state["event_time_ms"],
            MappingProxyType({name: Kind(kind) for name, kind in state["features"]}),
            MappingProxyType(labels),
            tuple(state["applied"]),
            *(
                MappingProxyType({name: Alias(to, until_ms) for name, to, until_ms in state[aliases]})
                for aliases in ("feature_aliases", "label_aliases")
            ),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only views can be neither pickled nor deep-copied, and slots of a frozen class have no setter.
        return (type(self).from_state, (self.state(),))

    def _place(self, version: Version) -> Literal["new", "duplicate"]:
        number, expected = version.version, self.version + 1
        if 1 <= number < expected:
            if self.applied[number - 1] == version.content:
                return "duplicate"
            raise SchemaRejected(
                VersionFault.VERSION_CONFLICT,
                f"version {number} was applied already with another ts or other changes; "
                f"publish these as version {expected}",
            )
        if number != expected:
            raise SchemaRejected(
                VersionFault.VERSION_GAP,
                f"version {number} does not follow version {self.version}; publish {expected} first",
            )
        return "new"

    def _changed(self, version: Version) -> tuple[Living[Kind], Living[Mapping[str, str]]]:
        now_ms = self.event_time_of(version)
        features: Living[Kind] = Living("feature", self.features, self.feature_aliases, now_ms)
        labels: Living[Mapping[str, str]] = Living("label", self.labels, self.label_aliases, now_ms)
        for index, change in enumerate(version.changes):
            where = f"version {version.version}, changes[{index}] ({change.op} {quoted(change.name)})"
            if change.op in _ON_FEATURES:
                _change_feature(features, change, where)
            else:
                _change_label(labels, change, where)
        return features, labels


_ON_FEATURES = frozenset({Op.ADD_FEATURE, Op.REMOVE_FEATURE, Op.RENAME_FEATURE, Op.RETYPE_FEATURE})


def _change_feature(features: Living[Kind], change: Change, where: str) -> None:
    match change:
        case Change(op=Op.ADD_FEATURE, name=name, kind=Kind() as kind):
            features.add(name, kind, where)
        case Change(op=Op.REMOVE_FEATURE, name=name):
            features.remove(name, where)
        case Change(op=Op.RENAME_FEATURE, name=name, to=str() as to):
            features.rename(name, to, change.alias_until, where)
        case Change(op=Op.RETYPE_FEATURE, name=name, kind=Kind() as kind):
            features.remove(name, where)
            features.add(name, kind, where)
        case _:
            raise _incomplete(where)


def _change_label(labels: Living[Mapping[str, str]], change: Change, where: str) -> None:
    match change:
        case Change(op=Op.ADD_LABEL, name=name, attributes=attributes):
            labels.add(name, MappingProxyType(dict(attributes or {})), where)
        case Change(op=Op.REMOVE_LABEL, name=name):
            labels.remove(name, where)
        case Change(op=Op.RENAME_LABEL, name=name, to=str() as to):
            labels.rename(name, to, change.alias_until, where)
        case Change(op=Op.UPDATE_LABEL, name=name, attributes=attributes) if attributes is not None:
            labels.require_live(name, where)
            labels.live[name] = MappingProxyType(dict(attributes))
        case _:
            raise _incomplete(where)


def _incomplete(where: str) -> SchemaRejected:
    return SchemaRejected(
        VersionFault.INVALID_CHANGE,
        f"{where}: the operation lacks its kind, to or attributes; `parse_version` lets none through",
    )
