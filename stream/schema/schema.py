"""The schema in force: which features and labels are live, and how a version turns one schema into the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Self, TypeVar

from stream.errors import SchemaRejected
from stream.reasons import VersionFault
from stream.schema.change import Change, Op
from stream.schema.kinds import Kind
from stream.schema.version import Version
from stream.strict_json import quoted

__all__ = ["Schema"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Schema:
    """The live features and labels after `version` versions; immutable, so that anyone may keep one.

    Attributes:
        version: number of the last version applied; 0 before the first.
        event_time_ms: the largest `ts` of the versions applied, Unix ms; None before the first.
        features: kind by feature name, in the order in which the names arrived (a rename or a retype is an arrival).
        labels: attributes by label name, in the same order.
        applied: the content digests of the versions applied; that of version v stands at v - 1.
    """

    version: int
    event_time_ms: int | None
    features: Mapping[str, Kind]
    labels: Mapping[str, Mapping[str, str]]
    applied: tuple[str, ...]

    @classmethod
    def empty(cls) -> Self:
        """Return the schema before version 1: nothing is live."""
        return cls(0, None, MappingProxyType({}), MappingProxyType({}), ())

    def event_time_of(self, version: Version) -> int:
        """Return when `version` takes effect, were it the next: the largest `ts` of the versions up to it, Unix ms."""
        return version.ts if self.event_time_ms is None else max(self.event_time_ms, version.ts)

    def check(self, version: Version) -> Literal["new", "duplicate"]:
        """Say whether `version` is the next one, and can be applied, or was applied already with the same content.

        Raises:
            SchemaRejected: with the reason `version_gap` (a number was left out), `version_conflict` (this number was
                applied with other content), or one of `feature_absent`, `feature_live`, `label_absent`, `label_live`.
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
            MappingProxyType(features),
            MappingProxyType(labels),
            (*self.applied, version.content),
        )

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values; names stand in lists, which keep their order anywhere."""
        return {
            "version": self.version,
            "event_time_ms": self.event_time_ms,
            "features": [[name, kind.value] for name, kind in self.features.items()],
            "labels": [[name, dict(attributes)] for name, attributes in self.labels.items()],
            "applied": list(self.applied),
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

    def _changed(self, version: Version) -> tuple[dict[str, Kind], dict[str, Mapping[str, str]]]:
        features, labels = dict(self.features), dict(self.labels)
        for index, change in enumerate(version.changes):
            where = f"version {version.version}, changes[{index}] ({change.op} {quoted(change.name)})"
            if change.op in _ON_FEATURES:
                _change_feature(features, change, where)
            else:
                _change_label(labels, change, where)
        return features, labels


_ABSENT = {"feature": VersionFault.FEATURE_ABSENT, "label": VersionFault.LABEL_ABSENT}
_LIVE = {"feature": VersionFault.FEATURE_LIVE, "label": VersionFault.LABEL_LIVE}
_ON_FEATURES = frozenset({Op.ADD_FEATURE, Op.REMOVE_FEATURE, Op.RENAME_FEATURE, Op.RETYPE_FEATURE})


def _change_feature(features: dict[str, Kind], change: Change, where: str) -> None:
    match change:
        case Change(op=Op.ADD_FEATURE, name=name, kind=Kind() as kind):
            _require_absent(features, name, "feature", where)
            features[name] = kind
        case Change(op=Op.REMOVE_FEATURE, name=name):
            _take(features, name, "feature", where)
        case Change(op=Op.RENAME_FEATURE, name=name, to=str() as to):
            kind = _take(features, name, "feature", where, unless_live=to)
            features[to] = kind
        case Change(op=Op.RETYPE_FEATURE, name=name, kind=Kind() as kind):
            _take(features, name, "feature", where)
            features[name] = kind
        case _:
            raise _incomplete(where)


def _change_label(labels: dict[str, Mapping[str, str]], change: Change, where: str) -> None:
    match change:
        case Change(op=Op.ADD_LABEL, name=name, attributes=attributes):
            _require_absent(labels, name, "label", where)
            labels[name] = MappingProxyType(dict(attributes or {}))
        case Change(op=Op.REMOVE_LABEL, name=name):
            _take(labels, name, "label", where)
        case Change(op=Op.RENAME_LABEL, name=name, to=str() as to):
            labels[to] = _take(labels, name, "label", where, unless_live=to)
        case Change(op=Op.UPDATE_LABEL, name=name, attributes=attributes) if attributes is not None:
            _require_live(labels, name, "label", where)
            labels[name] = MappingProxyType(dict(attributes))
        case _:
            raise _incomplete(where)


def _require_live(live: Mapping[str, object], name: str, what: str, where: str) -> None:
    if name not in live:
        raise SchemaRejected(
            _ABSENT[what], f"{where}: no {what} {quoted(name)} is live; add it first, or correct the name"
        )


def _require_absent(live: Mapping[str, object], name: str, what: str, where: str) -> None:
    if name in live:
        raise SchemaRejected(
            _LIVE[what], f"{where}: a {what} {quoted(name)} is live already; remove it first, or take another name"
        )


def _take(live: dict[str, _T], name: str, what: str, where: str, unless_live: str | None = None) -> _T:
    """Remove and return what `name` has, once it is sure that it has something and that `unless_live` is free."""
    _require_live(live, name, what, where)
    if unless_live is not None:
        _require_absent(live, unless_live, what, where)
    return live.pop(name)


def _incomplete(where: str) -> SchemaRejected:
    return SchemaRejected(
        VersionFault.INVALID_CHANGE,
        f"{where}: the operation lacks its kind, to or attributes; `parse_version` lets none through",
    )
