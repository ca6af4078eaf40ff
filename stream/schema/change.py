"""A single change of the schema: one operation on one feature or label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from stream.encoding.values import categorical_value
from stream.errors import InvalidVersion
from stream.records.event_time import MAX_TS_MS, TS_WANTED
from stream.records.reasons import VersionFault
from stream.records.strict_json import described, quoted
from stream.records.suggest import closest, did_you_mean
from stream.schema.kinds import Kind

__all__ = ["MEMBERS", "Change", "Op", "change_to_json", "parse_change"]

MakeError = Callable[[VersionFault, str], InvalidVersion]


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

    @property
    def action(self) -> str:
        """What is done: `add`, `remove`, `rename`, `retype` or `update`."""
        return self.value.partition("_")[0]

    @property
    def what(self) -> Literal["feature", "label"]:
        """To what it is done."""
        return "label" if self.value.endswith("label") else "feature"

    @property
    def sign(self) -> str:
        """How people see it: + for what is added, - for what is removed, ~ for what is changed."""
        return {"add": "+", "remove": "-"}.get(self.action, "~")


MEMBERS: Mapping[Op, tuple[str, ...]] = {
    Op.ADD_FEATURE: ("op", "name", "kind"),
    Op.REMOVE_FEATURE: ("op", "name"),
    Op.RENAME_FEATURE: ("op", "name", "to", "alias_until"),
    Op.RETYPE_FEATURE: ("op", "name", "kind"),
    Op.ADD_LABEL: ("op", "name", "attributes"),
    Op.REMOVE_LABEL: ("op", "name"),
    Op.RENAME_LABEL: ("op", "name", "to", "alias_until"),
    Op.UPDATE_LABEL: ("op", "name", "attributes"),
}
"""The members that each operation has; all are required but those in OPTIONAL. Any other is refused."""

OPTIONAL: Mapping[Op, frozenset[str]] = {
    Op.ADD_LABEL: frozenset({"attributes"}),
    Op.RENAME_FEATURE: frozenset({"alias_until"}),
    Op.RENAME_LABEL: frozenset({"alias_until"}),
}


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
        alias_until: for the renames, the event time (Unix ms) until which interactions may still use the old name;
            None if they may not.
    """

    op: Op
    name: str
    kind: Kind | None = None
    to: str | None = None
    attributes: Mapping[str, str] | None = None
    alias_until: int | None = None


def parse_change(value: object, where: str, error: MakeError = InvalidVersion) -> Change:
    """Return the change that a decoded JSON value describes.

    Args:
        value: the decoded JSON value.
        where: its place in the record (`changes[3]`, say), for the message.
        error: makes the error from a reason and a message.

    Raises:
        InvalidVersion: it is no object, the operation or the kind is unknown, a member is missing, of the wrong type,
            or none of its operation's. The message names operation and name as far as they could be read.
    """
    if not isinstance(value, dict):
        raise error(
            VersionFault.INVALID_CHANGE, f"{where} is {described(value)}; it has to be an object with op and name"
        )
    name = value.get("name")
    if isinstance(name, str):
        where = f"{where} ({value['op']} {quoted(name)})" if isinstance(value.get("op"), str) else where
    op = _op(value, where, error)
    _require_known_members(value, op, where, error)

    def text(member: str) -> str:
        found = value.get(member)
        if not isinstance(found, str):
            problem = f"is {described(found)}" if member in value else "is missing"
            raise error(VersionFault.INVALID_CHANGE, f"{where}: {member} {problem}; it has to be a string")
        return found

    name, kind, to, attributes = text("name"), None, None, None
    members = MEMBERS[op]
    if "kind" in members:
        kind = _kind(text("kind"), where, error)
    if "to" in members:
        to = text("to")
    alias_until = _time(value, where, error) if "alias_until" in value else None
    if "attributes" in value or ("attributes" in members and op not in OPTIONAL):
        attributes = _attributes(value, where, error)
    return Change(op, name, kind, to, attributes, alias_until)


def _op(value: dict[str, Any], where: str, error: MakeError) -> Op:
    word = value.get("op")
    if not isinstance(word, str):
        problem = f"is {described(word)}" if "op" in value else "is missing"
        raise error(
            VersionFault.INVALID_CHANGE, f"{where}: op {problem}; it has to be a string, one of {', '.join(Op)}"
        )
    try:
        return Op(word)
    except ValueError:
        meant = did_you_mean(word, Op) or f"; use one of {', '.join(Op)}"
        raise error(VersionFault.UNKNOWN_OP, f"{where}: the op {quoted(word)} is unknown{meant}") from None


def _require_known_members(value: dict[str, Any], op: Op, where: str, error: MakeError) -> None:
    members = MEMBERS[op]
    unknown = next((member for member in value if member not in members), None)
    if unknown is None:
        return
    lacking = [member for member in members if member not in value]
    # What is like nothing that is lacking stands in its place all the same, if only one is: "type" for "kind".
    required = [member for member in lacking if member not in OPTIONAL.get(op, ())]
    meant = closest(unknown, lacking) or (required[0] if len(required) == 1 else None)
    advice = f"did you mean {meant}?" if meant else f"it has {', '.join(members)}"
    raise error(VersionFault.UNKNOWN_MEMBER, f"{where}: the member {quoted(unknown)} is none that {op} has; {advice}")


def _kind(word: str, where: str, error: MakeError) -> Kind:
    try:
        return Kind(word)
    except ValueError:
        meant = did_you_mean(word, Kind) or f"; use one of {', '.join(Kind)}"
        raise error(VersionFault.UNKNOWN_KIND, f"{where}: the kind {quoted(word)} is unknown{meant}") from None


def _time(value: dict[str, Any], where: str, error: MakeError) -> int:
    found = value["alias_until"]
    if type(found) is not int or not -MAX_TS_MS <= found <= MAX_TS_MS:
        raise error(
            VersionFault.INVALID_CHANGE, f"{where}: alias_until is {described(found)}; it has to be {TS_WANTED}"
        )
    return found


def _attributes(value: dict[str, Any], where: str, error: MakeError) -> dict[str, str]:
    """Return the attributes of a change, numbers and booleans read as a categorical feature reads them."""
    found = value.get("attributes")
    wanted = "an object whose values are strings, numbers or booleans"
    if not isinstance(found, dict):
        problem = f"is {described(found)}" if "attributes" in value else "is missing"
        raise error(VersionFault.INVALID_CHANGE, f"{where}: attributes {problem}; it has to be {wanted}")
    attributes = {}
    for attribute, item in found.items():
        read = categorical_value(item)
        if not isinstance(read, str):
            raise error(
                VersionFault.INVALID_CHANGE,
                f"{where}: the attribute {quoted(attribute)} is {described(item)}; attributes has to be {wanted}",
            )
        attributes[attribute] = read
    return attributes


def change_to_json(change: Change) -> dict[str, Any]:
    """Return the JSON object, as a dict, that `parse_change` reads as an equal change."""
    value: dict[str, Any] = {"op": change.op.value, "name": change.name}
    if change.kind is not None:
        value["kind"] = change.kind.value
    if change.to is not None:
        value["to"] = change.to
    if change.attributes is not None:
        value["attributes"] = dict(change.attributes)
    if change.alias_until is not None:
        value["alias_until"] = change.alias_until
    return value
