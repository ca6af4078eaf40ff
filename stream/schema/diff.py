"""What leads from one schema to another, as changes and as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from stream.records.event_time import utc
from stream.schema.change import Change, Op
from stream.schema.schema import Schema
from stream.schema.version import Version

__all__ = ["Renames", "describe", "describe_aliases", "diff", "renames"]

T = TypeVar("T")


Renames = tuple[Mapping[str, str], Mapping[str, str]]
"""New name by old name, of features and of labels."""


def renames(versions: Iterable[Version]) -> Renames:
    """Return what the versions, applied in this order, rename in the end: of what was live before and is live after."""
    origins: tuple[dict[str, str | None], dict[str, str | None]] = ({}, {})
    for version in versions:
        for change in version.changes:
            origin = origins[change.op.what == "label"]
            if change.to is not None:
                origin[change.to] = origin.pop(change.name, change.name)
            elif change.op.action != "update":
                origin[change.name] = None  # removed, or something else under the same name
    features, labels = ({old: new for new, old in origin.items() if old not in (None, new)} for origin in origins)
    return features, labels


def diff(old: Schema, new: Schema, renamed: Renames = ({}, {})) -> list[Change]:
    """Return changes that, applied to `old` in order, give the live features and labels of `new`.

    Two states do not tell a rename from a removal and an addition, so a rename that `renamed` does not name appears as
    those two; and what was removed and came back unchanged does not appear.
    """
    features, old_kinds = _moved(Op.RENAME_FEATURE, old.features, new.features, renamed[0])
    labels, old_labels = _moved(Op.RENAME_LABEL, old.labels, new.labels, renamed[1])
    features += [Change(Op.REMOVE_FEATURE, name) for name in old_kinds if name not in new.features]
    labels += [Change(Op.REMOVE_LABEL, name) for name in old_labels if name not in new.labels]
    for name, kind in new.features.items():
        if name not in old_kinds:
            features.append(Change(Op.ADD_FEATURE, name, kind=kind))
        elif old_kinds[name] is not kind:
            features.append(Change(Op.RETYPE_FEATURE, name, kind=kind))
    for name, attributes in new.labels.items():
        if name not in old_labels:
            labels.append(Change(Op.ADD_LABEL, name, attributes=dict(attributes)))
        elif old_labels[name] != attributes:
            labels.append(Change(Op.UPDATE_LABEL, name, attributes=dict(attributes)))
    return features + labels


def _moved(
    op: Op, old: Mapping[str, T], new: Mapping[str, object], renamed: Mapping[str, str]
) -> tuple[list[Change], dict[str, T]]:
    """Return the renames onto names that are free, and the old names after them."""
    to = {name: other for name, other in renamed.items() if name in old and other in new and other not in old}
    return [Change(op, name, to=other) for name, other in to.items()], {to.get(k, k): v for k, v in old.items()}


def describe(changes: Iterable[Change]) -> list[str]:
    """Return a line of text for each change: a sign (+ added, - removed, ~ changed), what it is, its name, the rest."""
    return [_line(change) for change in changes]


def describe_aliases(schema: Schema) -> list[str]:
    """Return a line of text for each old name that interactions may still use."""
    return [
        f"{what} {old}: read as {alias.to} before {alias.until_ms} ({utc(alias.until_ms)})"
        for what, aliases in (("feature", schema.feature_aliases), ("label", schema.label_aliases))
        for old, alias in aliases.items()
    ]


def _line(change: Change) -> str:
    line = f"{change.op.sign} {change.op.what} {change.name}"
    if change.to is not None:
        line += f" -> {change.to}"
    if change.alias_until is not None:
        line += f" (the old name is read as the new one before {change.alias_until}, {utc(change.alias_until)})"
    if change.kind is not None:
        line += f": {change.kind}"
    if change.attributes:
        line += " {" + ", ".join(f"{name}={value}" for name, value in sorted(change.attributes.items())) + "}"
    elif change.op is Op.UPDATE_LABEL:
        line += " {}"
    return line
