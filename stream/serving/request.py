"""What a request asks for: one event or many, each with what it wants to know; or which member is wrong, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from stream.errors import InvalidInteraction
from stream.records.interaction import Interaction, interaction_of
from stream.records.reasons import Unreadable
from stream.records.strict_json import described, quoted, strict_object
from stream.records.suggest import did_you_mean
from stream.serving.settings import ServeSettings

__all__ = ["DEFAULT_K", "MEMBERS", "Asked", "Question", "Refused", "read_question"]

DEFAULT_K = 5
MEMBERS = ("id", "ts", "key", "features", "shown", "k", "why")
_OF_INTERACTIONS = ("labels", "weight", "schema_version")
"""Members that an interaction may have and a question does not need: they are checked, and ignored."""


class Refused(Exception):
    """A request that is not answered: the HTTP status, a word, a sentence, and the member that is wrong."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field

    def body(self) -> dict[str, Any]:
        """Return what is sent."""
        return {"error": {"code": self.code, "field": self.field, "message": self.message}}


@dataclass(frozen=True, slots=True)
class Asked:
    """One event, and what is to be said of it."""

    event: Interaction
    k: int
    why: bool


@dataclass(frozen=True, slots=True)
class Question:
    """The events of one request."""

    asked: tuple[Asked, ...]
    many: bool
    """Whether they came as a list: then the answers go as one."""


def read_question(body: bytes, settings: ServeSettings, now_ms: int) -> Question:
    """Return what a body asks for; an event without `ts` happens at `now_ms`. Raises Refused."""
    decoded = _decoded(body)
    if isinstance(decoded, Mapping):
        return Question((_asked(decoded, settings, now_ms, ""),), False)
    if not isinstance(decoded, list):
        raise Refused(
            422, "not_object", f"the body is {described(decoded)}; send an object for one event, or a list of objects"
        )
    if len(decoded) > settings.max_events:
        raise Refused(
            413,
            "too_many_events",
            f"the body has {len(decoded):,} events, {settings.max_events:,} are allowed; send several requests",
        )
    return Question(tuple(_asked(one, settings, now_ms, f"[{place}]") for place, one in enumerate(decoded)), True)


def _decoded(body: bytes) -> Any:
    """Return the body's JSON value by the strict reading of records, which keeps integers exact."""
    try:
        quick = orjson.loads(body)
        again = orjson.dumps(quick)
    except (orjson.JSONDecodeError, TypeError):
        quick, again = None, b""
    # A string is read and written with equally many quotes: where the counts differ, a repeated name was dropped.
    if quick is not None and b"\\u0022" not in body and body.count(b'"') == again.count(b'"') and _exact(quick):
        return quick
    try:
        if body.lstrip()[:1] == b"{":
            return strict_object(body, InvalidInteraction)
        wrapped = strict_object(b'{"value":' + body + b"}", InvalidInteraction)
        if len(wrapped) > 1:  # the body closed what it did not open
            raise InvalidInteraction(Unreadable.NOT_JSON, "the value is not JSON: it goes on after its end")
        json.loads(body, object_pairs_hook=_once)
    except InvalidInteraction as error:
        status = 400 if error.reason in (Unreadable.NOT_JSON, Unreadable.NOT_UTF8) else 422
        raise Refused(status, str(error.reason), f"the body cannot be read: {error}") from None
    return wrapped["value"]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InvalidInteraction(Unreadable.DUPLICATE_KEY, f"the key {quoted(twice)} is there twice; send it once")
    return found


def _exact(value: Any) -> bool:
    """Say whether no number can have been an integer beyond 64 bits."""
    if type(value) is float:
        return -9.0e18 < value < 9.0e18
    if type(value) is list:
        return all(map(_exact, value))
    return all(map(_exact, value.values())) if type(value) is dict else True


def _asked(one: Any, settings: ServeSettings, now_ms: int, where: str) -> Asked:
    def refused(field: str, message: str, code: str | None = None) -> Refused:
        path = f"{where}.{field}" if where and field else where or field
        return Refused(422, code or f"invalid_{field}", message, path)

    if not isinstance(one, Mapping):
        raise refused("", f"the event is {described(one)}; it has to be an object", "not_object")
    for name in one:
        if name not in MEMBERS and name not in _OF_INTERACTIONS:
            meant = did_you_mean(name, MEMBERS) or f"; it can have {', '.join(MEMBERS)}"
            raise refused(name[:80], f"no member {quoted(name)} is known{meant}", "unknown_member")
    k, why = one.get("k", DEFAULT_K), one.get("why", False)
    if type(k) is not int or not 1 <= k <= settings.max_k:
        raise refused("k", f"the field k is {described(k)}; it has to be an integer from 1 to {settings.max_k:,}")
    if type(why) is not bool:
        raise refused("why", f"the field why is {described(why)}; it has to be true or false")
    if why and k > settings.max_explained:
        raise refused("k", f"the field k is {k}; with why it is {settings.max_explained} at most")
    try:
        event = interaction_of({name: value for name, value in one.items() if name not in ("k", "why")}, now_ms)
    except InvalidInteraction as error:
        code = str(error.reason)
        field = code.partition("_")[2] if code.startswith(("invalid_", "missing_")) else ""
        raise refused(field, str(error), code) from None
    return Asked(event, k, why)
