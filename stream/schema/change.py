"""A single change of the schema: one operation on one feature or label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stream.errors import InvalidVersion
from stream.schema.kinds import Kind
from stream.strict_json import described, quoted

__all__ = ["Change", "Op", "change_to_json", "parse_change"]


class Op(StrEnum):
    """The operations; the member's value is the contract's word for it."""

    ADD_FEATURE = "add_feature"
    REMOVE_FEATURE = "remove_feature"
    RENAME_FEATURE = "rename_feature"
    RETYPE_FEATURE = "retype_feature"
    ADD_LABEL = "add_label"
    REMOVE_LABEL = "remove_label"
    RENAME_LABEL = "rename_label"
    UPDATE_LABEL = "update_label"


_TAKES_KIND = frozenset({Op.ADD_FEATURE, Op.RETYPE_FEATURE})
_TAKES_TO = frozenset({Op.RENAME_FEATURE, Op.RENAME_LABEL})
_TAKES_ATTRIBUTES = frozenset({Op.ADD_LABEL, Op.UPDATE_LABEL})


@dataclass(frozen=True, slots=True)
class Change:
    """One operation on the feature or label `name`.

    Attributes:
        op: what happens.
        name: the feature or label to which it happens.
        kind: the (new) kind, for ADD_FEATURE and RETYPE_FEATURE.
        to: the new name, for RENAME_FEATURE and RENAME_LABEL.
        attributes: for UPDATE_LABEL all of the label's attributes from now on; for ADD_LABEL too, where None stands
            for none given (which is another JSON value than `{}`, though the label then has none either way). Not to
            be changed once passed in.
    """

    op: Op
    name: str
    kind: Kind | None = None
    to: str | None = None
    attributes: Mapping[str, str] | None = None


def parse_change(value: object, where: str, error: Callable[[str, str], InvalidVersion] = InvalidVersion) -> Change:
    """Return the change that a decoded JSON value describes; members that its operation does not take are ignored.

    Args:
        value: the decoded JSON value.
        where: its place in the record (`changes[3]`, say), for the message.
        error: makes the error from a reason and a message.

    Raises:
        InvalidVersion: where it is no object, the operation or the kind is unknown, or a member is missing or of the
            wrong type.
    """
    if not isinstance(value, dict):
        raise error("invalid_change", f"{where} is {described(value)}; it has to be an object with op and name")

    def member(name: str) -> str:
        found = value.get(name)
        if not isinstance(found, str):
            problem = f"is {described(found)}" if name in value else "is missing"
            raise error("invalid_change", f"{where}.{name} {problem}; it has to be a string")
        return found

    word = member("op")
    try:
        op = Op(word)
    except ValueError:
        raise error("unknown_op", f"{where}.op {quoted(word)} is unknown; use one of {', '.join(Op)}") from None
    name = member("name")
    kind = to = attributes = None
    if op in _TAKES_KIND:
        word = member("kind")
        try:
            kind = Kind(word)
        except ValueError:
            raise error(
                "unknown_kind", f"{where}.kind {quoted(word)} is unknown; use one of {', '.join(Kind)}"
            ) from None
    elif op in _TAKES_TO:
        to = member("to")
    elif op is Op.UPDATE_LABEL or (op in _TAKES_ATTRIBUTES and "attributes" in value):
        attributes = value.get("attributes")
        if not isinstance(attributes, dict) or not all(isinstance(item, str) for item in attributes.values()):
            problem = "holds another value" if "attributes" in value else "is missing"
            raise error("invalid_change", f"{where}.attributes {problem}; it has to be an object of strings")
    return Change(op, name, kind, to, attributes)


def change_to_json(change: Change) -> dict[str, Any]:
    """Return the JSON object, as a dict, that `parse_change` reads as an equal change."""
    value: dict[str, Any] = {"op": change.op.value, "name": change.name}
    if change.kind is not None:
        value["kind"] = change.kind.value
    if change.to is not None:
        value["to"] = change.to
    if change.attributes is not None:
        value["attributes"] = dict(change.attributes)
    return value
