"""An interaction: one event of the stream, and its reading from a record's bytes.

Two readings of the same contract stand here. The fast one takes what `orjson` makes of a record, where cheap checks
prove that the exact one would make the same of it; everything unusual, and everything invalid, goes to the exact one
(`stream.records.strict_json`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from stream.errors import InvalidInteraction
from stream.records.event_time import MAX_TS_MS, TS_WANTED, YEAR_MS, in_words, seems_to_be, utc
from stream.records.reasons import InteractionFault, Unreadable
from stream.records.strict_json import described, quoted, strict_object

__all__ = ["MAX_AHEAD_MS", "MAX_BEHIND_MS", "Interaction", "decode_interaction", "interaction_of"]

MAX_AHEAD_MS = 3_600_000
"""How far `ts` may lie ahead of its record's own timestamp: clocks differ."""
MAX_BEHIND_MS = 20 * YEAR_MS
"""How far it may lie behind: seconds in place of milliseconds lie half a century behind."""

_SIXTY_FOUR_BITS = float(2**63)
"""From here on `orjson` may have made a float of an integer."""

_ESCAPED_QUOTE = rb"\u0022"
"""The one spelling of a quote inside a string that has none in it; `orjson` writes a backslash and a quote."""

_REQUIRED = ("id", "ts", "features", "labels")
_MISSING = {field: InteractionFault(f"missing_{field}") for field in _REQUIRED}
_INVALID = {
    field: InteractionFault(f"invalid_{field}") for field in (*_REQUIRED, "key", "shown", "schema_version", "weight")
}
_EXACT = frozenset({str, int, bool})
"""What both readings make alike wherever it comes from `orjson`; a float may have been an integer."""


@dataclass(slots=True)
class Interaction:
    """One event: who met which offers in what circumstances, and which of them were taken.

    Attributes:
        id: the producer's name for the event; a repeated one is another event all the same.
        key: the entity, that is, who; None if nobody says.
        ts: event time, Unix ms.
        features: JSON value by feature name, as sent; `stream.encoding.values` reads them by kind.
        labels: the offers taken, each once, in the order sent.
        shown: what could have been taken: None for every live offer, a tuple of names, or a selector (attribute ->
            values; all attributes have to match, each by any of its values); each name and value once, in the order
            sent.
        schema_version: the version that the producer had in mind; None if it says nothing.
        weight: factor on the event's loss, finite, at least 0.
    """

    id: str
    key: str | None
    ts: int
    features: dict[str, Any]
    labels: tuple[str, ...]
    shown: tuple[str, ...] | dict[str, tuple[str, ...]] | None = None
    schema_version: int | None = None
    weight: float = 1.0


def decode_interaction(
    value: bytes | None,
    record_key: bytes | None = None,
    record_timestamp_ms: int | None = None,
    max_ahead_ms: int = MAX_AHEAD_MS,
    max_behind_ms: int = MAX_BEHIND_MS,
    *,
    labels_optional: bool = False,
) -> Interaction:
    """Return the interaction that a record holds, or raise; no bytes make it do anything else.

    Args:
        value: the record's value.
        record_key: the record's key; it is the entity if the value has no `key`.
        record_timestamp_ms: the record's own timestamp, Unix ms; None (or Kafka's -1) if it has none.
        max_ahead_ms: how far `ts` may lie ahead of the record's own timestamp.
        max_behind_ms: how far it may lie behind it.
        labels_optional: whether `labels` may be left out: nothing was taken yet, or nobody asks.

    Raises:
        InvalidInteraction: if the record breaks part 1 of the contract. A feature's value of the wrong type for
            its kind does not: it counts as missing when it is encoded.
    """
    decoded = _fast(value)
    if decoded is not None:
        try:
            event = _interaction(decoded, record_key, labels_optional)
        except InvalidInteraction:
            decoded = None  # perhaps only because an integer beyond 64 bits came as a float: the exact one says
    if decoded is None:
        event = _interaction(strict_object(value, InvalidInteraction), record_key, labels_optional)
    if record_timestamp_ms is not None and record_timestamp_ms >= 0:
        ahead_ms = event.ts - record_timestamp_ms
        if ahead_ms > max_ahead_ms or -ahead_ms > max_behind_ms:
            raise _implausible(event.ts, ahead_ms, max_ahead_ms, max_behind_ms)
    return event


def interaction_of(event: Mapping[str, Any], ts: int = 0) -> Interaction:
    """Return the interaction that a mapping describes, read as a record is; what it leaves out has a default.

    `features` alone are enough: `id` is empty then, `ts` the argument, `labels` none, and without `key` it is nobody's.
    NumPy's scalars and arrays are taken as the numbers and lists that they are.

    Raises:
        InvalidInteraction: a member is not as the contract has it, or a value is none that JSON has.
    """
    whole = {"id": "", "ts": ts, "labels": [], **event}
    try:
        value = json.dumps(whole, ensure_ascii=False, allow_nan=False, default=_plain).encode()
    except UnicodeEncodeError:
        raise InvalidInteraction(
            Unreadable.NOT_UTF8, "a text holds a lone surrogate, which no UTF-8 can hold"
        ) from None
    except (TypeError, ValueError, RecursionError) as problem:
        raise InvalidInteraction(Unreadable.NOT_JSON, f"the event cannot be written as JSON: {problem}") from None
    return decode_interaction(value)


def _plain(value: object) -> object:
    plain = getattr(value, "tolist", None)  # NumPy's scalars and arrays have it
    if plain is None:
        raise TypeError(f"a {type(value).__name__} is none of its values; give a number, boolean, string, list or None")
    return plain()


def _fast(value: bytes | None) -> dict[str, Any] | None:
    """Return what `strict_object` would return, or None if that is not certain.

    Outside `features` an integer beyond 64 bits may come as a float; no field takes a float but `weight`, which is one.
    """
    if value is None or _ESCAPED_QUOTE in value:
        return None
    try:
        decoded = orjson.loads(value)
        again = orjson.dumps(decoded)
    except (orjson.JSONDecodeError, TypeError):  # TypeError: nested deeper than it writes
        return None
    # A string is read and written with equally many quotes: if the counts differ, a repeated key was dropped.
    if type(decoded) is not dict or value.count(b'"') != again.count(b'"'):
        return None
    features = decoded.get("features")
    if type(features) is not dict:
        return None
    for feature in features.values():
        kind = type(feature)
        if kind is float:
            if not -_SIXTY_FOUR_BITS < feature < _SIXTY_FOUR_BITS:
                return None
        elif kind is list:
            for element in feature:
                if type(element) not in _EXACT:
                    return None
        elif kind is dict:
            return None
    return decoded


def _interaction(decoded: dict[str, Any], record_key: bytes | None, labels_optional: bool) -> Interaction:
    get = decoded.get
    identity, ts, features, labels = get("id"), get("ts"), get("features"), get("labels")
    if type(identity) is not str:
        raise _wrong(decoded, "id", "a string")
    if type(ts) is not int or not -MAX_TS_MS <= ts <= MAX_TS_MS:
        raise _wrong(decoded, "ts", TS_WANTED)
    if type(features) is not dict:
        raise _wrong(decoded, "features", "an object: value by feature name")
    taken = () if labels_optional and "labels" not in decoded else _strings(labels)
    if taken is None:
        raise _wrong(decoded, "labels", "a list of strings")
    if "key" in decoded:
        key = decoded["key"]
        if key is not None and type(key) is not str:
            raise _wrong(decoded, "key", "a string, or null where it is nobody's")
    else:
        key = _key_of_record(record_key)
    shown = _shown(decoded) if "shown" in decoded else None
    schema_version: int | None = None
    if "schema_version" in decoded:
        schema_version = decoded["schema_version"]
        if type(schema_version) is not int or schema_version < 0:
            raise _wrong(decoded, "schema_version", "an integer from 0")
    weight = get("weight", 1.0)
    if type(weight) is not float:
        if type(weight) is not int:
            raise _wrong(decoded, "weight", "a finite number from 0")
        weight = float(weight)
    if not weight >= 0.0:
        raise _wrong(decoded, "weight", "a finite number from 0")
    return Interaction(identity, key, ts, features, taken, shown, schema_version, weight)


def _key_of_record(record_key: bytes | None) -> str | None:
    if record_key is None:
        return None
    try:
        return record_key.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInteraction(
            InteractionFault.INVALID_KEY,
            "the field key is missing and the record's key is not UTF-8; send the field, or a UTF-8 key",
        ) from None


def _implausible(ts: int, ahead_ms: int, max_ahead_ms: int, max_behind_ms: int) -> InvalidInteraction:
    unit = seems_to_be(ts)
    advice = f"it seems to be in {unit}: send milliseconds" if unit else "check the producer's clock"
    fault, where, allowed_ms, setting = InteractionFault.TS_AHEAD, "ahead of", max_ahead_ms, "max_ahead_seconds"
    if ahead_ms < 0:
        fault, where, allowed_ms, setting = InteractionFault.TS_BEHIND, "behind", max_behind_ms, "max_behind_seconds"
    return InvalidInteraction(
        fault,
        f"the field ts ({ts}, that is {utc(ts)}) is {in_words(ahead_ms)} {where} the record's own timestamp, "
        f"{in_words(allowed_ms)} are allowed; {advice}, or raise {setting}",
    )


def _shown(decoded: dict[str, Any]) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    shown = decoded["shown"]
    if type(shown) is dict:
        selector: dict[str, tuple[str, ...]] = {}
        for attribute, values in shown.items():
            admitted = _strings(values)
            if admitted is None:
                raise InvalidInteraction(
                    InteractionFault.INVALID_SHOWN,
                    f"the field shown.{quoted(attribute)} is {described(values)}; it has to be a list of strings",
                )
            selector[attribute] = admitted
        return selector
    names = _strings(shown)
    if names is None:
        raise _wrong(decoded, "shown", "a list of names, or an object of lists of values; leave it out to show all")
    return names


def _strings(value: object) -> tuple[str, ...] | None:
    """Return the distinct strings of a list, in order; None if it is no list of strings."""
    if type(value) is not list:
        return None
    for element in value:
        if type(element) is not str:
            return None
    return tuple(dict.fromkeys(value))


def _wrong(decoded: dict[str, Any], field: str, wanted: str) -> InvalidInteraction:
    if field not in decoded:
        return InvalidInteraction(_MISSING[field], f"the field {field} is missing; it has to be {wanted}")
    found = decoded[field]
    what = described(found)
    if type(found) is list:
        what += "".join([f" that holds {described(element)}" for element in found if type(element) is not str][:1])
    return InvalidInteraction(_INVALID[field], f"the field {field} is {what}; it has to be {wanted}")
