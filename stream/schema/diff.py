"""What leads from one schema to another, as changes and as lines for people."""

from __future__ import annotations

from collections.abc import Iterable

from stream.event_time import utc
from stream.schema.change import Change, Op
from stream.schema.schema import Schema

__all__ = ["describe", "describe_aliases", "diff"]


def diff(old: Schema, new: Schema) -> list[Change]:
    """Return changes that, applied to `old` in order, give the live features and labels of `new`.

    Two states do not tell a rename from a removal and an addition, so a rename appears as those two; and what was
    removed and came back unchanged does not appear.
    """
    features = [Change(Op.REMOVE_FEATURE, name) for name in old.features if name not in new.features]
    labels = [Change(Op.REMOVE_LABEL, name) for name in old.labels if name not in new.labels]
    for name, kind in new.features.items():
        if name not in old.features:
            features.append(Change(Op.ADD_FEATURE, name, kind=kind))
        elif old.features[name] is not kind:
            features.append(Change(Op.RETYPE_FEATURE, name, kind=kind))
    for name, attributes in new.labels.items():
        if name not in old.labels:
            labels.append(Change(Op.ADD_LABEL, name, attributes=dict(attributes)))
        elif old.labels[name] != attributes:
            labels.append(Change(Op.UPDATE_LABEL, name, attributes=dict(attributes)))
    return features + labels


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
    action, what = change.op.value.split("_")
    sign = {"add": "+", "remove": "-"}.get(action, "~")
    line = f"{sign} {what} {change.name}"
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
