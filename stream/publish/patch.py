"""What changed between two manifests: members by name, of long lists the places.

A patch is a JSON object of one of these forms:

    {"value": X}                                    X stands there now
    {"members": {name: patch, ...}, "gone": [...]}  of an object: what changed in it, what is not there any more
    {"places": [[place, X], ...], "length": N}      of a list: what stands at these places now, and how long it is

Applied twice it changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["difference", "patched", "went"]

Patch = dict[str, Any]

_SHARE = 0.5
"""If more of a list's places than this changed, the whole list is shorter."""


def difference(before: Any, after: Any) -> Patch | None:
    """Return the patch that leads from one JSON value to another; None if they are equal."""
    if type(before) is type(after) and before == after and not _blurred(before):
        return None
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _members(before, after)
    if isinstance(before, list) and isinstance(after, list):
        return _places(before, after)
    return {"value": after}


def _blurred(value: Any) -> bool:
    """Say whether `==` may hide a difference that JSON would show: 1, 1.0 and True are equal to Python."""
    return not isinstance(value, str | int | float | bool | type(None)) and not _plain(value)


def _plain(value: Any) -> bool:
    return isinstance(value, list) and set(map(type, value)) <= {str, type(None)}


def _members(before: Mapping[str, Any], after: Mapping[str, Any]) -> Patch | None:
    members: dict[str, Patch] = {}
    for name, value in after.items():
        change = difference(before[name], value) if name in before else {"value": value}
        if change is not None:
            members[name] = change
    gone = [name for name in before if name not in after]
    return {"members": members, "gone": gone} if members or gone else None


def _places(before: list[Any], after: list[Any]) -> Patch | None:
    both = min(len(before), len(after))
    places = [place for place in range(both) if not _same(before[place], after[place])]
    if not places and len(before) == len(after):
        return None
    places += range(both, len(after))
    if len(places) > _SHARE * len(after):
        return {"value": after}
    return {"places": [[place, after[place]] for place in places], "length": len(after)}


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and one == other and difference(one, other) is None)


def patched(value: Any, patch: Mapping[str, Any]) -> Any:
    """Return a JSON value with a patch applied; what is given is left as it is.

    Raises ValueError if the patch is of no known form, or does not fit the value.
    """
    if "value" in patch:
        return patch["value"]
    if "members" in patch and isinstance(value, Mapping):
        changed = {name: value_ for name, value_ in value.items() if name not in patch["gone"]}
        for name, change in patch["members"].items():
            changed[name] = patched(changed.get(name), change)
        return changed
    if "places" in patch and isinstance(value, list):
        length = patch["length"]
        items = value[:length] + [None] * max(0, length - len(value))
        for place, item in patch["places"]:
            if not 0 <= place < length:
                raise ValueError(f"the place {place} is outside of a list of {length}")
            items[place] = item
        return items
    raise ValueError(f"a patch with the members {sorted(patch)} does not fit {type(value).__name__}")


def went(before: Any, patch: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return, by the member that lists them, the names that a patch of a manifest takes out of its lists."""
    found: dict[str, list[str]] = {}
    _collect(before, patch, "", found)
    return found


def _collect(before: Any, patch: Mapping[str, Any], where: str, found: dict[str, list[str]]) -> None:
    if isinstance(before, Mapping):
        for name, change in patch.get("members", {}).items():
            if name in before:
                _collect(before[name], change, f"{where}.{name}" if where else name, found)
        for name in patch.get("gone", ()):
            if _plain(before[name]):
                found[f"{where}.{name}" if where else name] = [item for item in before[name] if item is not None]
    elif isinstance(before, list) and _plain(before) and isinstance(patch.get("value", []), list):
        if "value" in patch:
            old, new = before, patch["value"]
        else:
            length = patch["length"]
            old = [before[place] for place, _ in patch["places"] if place < len(before)] + before[length:]
            new = [item for _, item in patch["places"]]
        there = {item for item in new if isinstance(item, str)}
        gone = [item for item in old if item is not None and item not in there]
        if gone:
            found[where] = gone
