"""A dead letter as it lies in a log: its headers, the sentence that always fits, and what is left out if it must be.

Any program may write to the topic of the dead letters. What lacks the headers of the contract (part 1) is somebody
else's, and `letter_of` says so instead of raising.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from stream.log.protocol import DeadLetter, Headers, Record

__all__ = [
    "MESSAGE_BYTES",
    "bounded_sentence",
    "facts_of",
    "fitted",
    "headers_of",
    "letter_of",
    "size_bytes",
    "times_resent",
]

MESSAGE_BYTES = 1000
"""The longest sentence of a dead letter, as UTF-8: what it quotes of a record may have any length."""

_SHORT_MESSAGE_BYTES = 100
_MOST_RESENT = 1_000_000_000
_RECORD_BYTES = 128
"""What Kafka and kafka-python add to a record's key, value and headers, at most: 82 bytes and a length each."""
_LENGTH_BYTES = 5


def bounded_sentence(message: str, most_bytes: int = MESSAGE_BYTES) -> str:
    """Return the sentence in printable characters that any UTF-8 writer takes, cut to `most_bytes` of UTF-8."""
    printable = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in message[:most_bytes]  # each takes a byte at least, so the work is bounded too
    )
    encoded = printable.encode()
    if len(message) <= most_bytes and len(encoded) <= most_bytes:
        return printable
    ellipsis = "…"
    return encoded[: most_bytes - len(ellipsis.encode())].decode(errors="ignore") + ellipsis


def times_resent(headers: Headers) -> int:
    """Return how often an interaction died before, as its header `resent` says; 0 if that is missing or no number.

    Of several headers of that name the last one counts.
    """
    said = dict(headers).get("resent", b"")
    return min(int(said), _MOST_RESENT) if said.isdigit() and len(said) <= len(str(_MOST_RESENT)) else 0


def facts_of(letter: DeadLetter) -> dict[str, str | int]:
    """Return what the contract says of a dead letter beside key and value, by name; what is None is left out."""
    facts: dict[str, str | int] = {
        "reason": letter.reason,
        "message": letter.message,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "learner": letter.learner,
        "ts": letter.ts_ms,
        "resent": letter.resent,
    }
    for name in ("topic_id", "key_bytes", "value_bytes", "value_sha256"):
        if (content := getattr(letter, name)) is not None:
            facts[name] = content
    return facts


def headers_of(letter: DeadLetter) -> Headers:
    """Return the same as headers of a record."""
    return tuple((name, str(content).encode(errors="backslashreplace")) for name, content in facts_of(letter).items())


def letter_of(record: Record) -> DeadLetter | None:
    """Return the dead letter that a record of their topic is; None if it is somebody else's."""
    held = dict(record.headers)
    try:
        return DeadLetter(
            reason=held["reason"].decode(),
            topic=held["topic"].decode(),
            partition=int(held["partition"]),
            offset=int(held["offset"]),
            key=None if "key_bytes" in held else record.key,
            value=record.value,
            message=held["message"].decode(),
            learner=held["learner"].decode(),
            ts_ms=int(held["ts"]),
            resent=int(held["resent"]),
            topic_id=_text(held, "topic_id"),
            key_bytes=int(held["key_bytes"]) if "key_bytes" in held else None,
            value_bytes=int(held["value_bytes"]) if "value_bytes" in held else None,
            value_sha256=_text(held, "value_sha256"),
        )
    except (KeyError, ValueError):  # UnicodeDecodeError is a ValueError
        return None


def size_bytes(letter: DeadLetter) -> int:
    """Return what the letter takes in Kafka, uncompressed and in a batch of its own, at most."""
    content = len(letter.key or b"") + len(letter.value or b"")
    headers = sum(len(name) + len(held) + 2 * _LENGTH_BYTES for name, held in headers_of(letter))
    return _RECORD_BYTES + content + headers


def fitted(letter: DeadLetter, most_bytes: int) -> DeadLetter:
    """Return the letter with so much left out that it takes at most `most_bytes`: its value, its key, half a sentence.

    What was left out is named by its size, the value by its SHA-256 too. The original lies where topic, partition and
    offset say, for as long as that topic keeps it.
    """
    if size_bytes(letter) <= most_bytes:
        return letter
    if letter.value is not None:
        digest = hashlib.sha256(letter.value).hexdigest()
        letter = replace(letter, value=None, value_bytes=len(letter.value), value_sha256=digest)
    if size_bytes(letter) > most_bytes and letter.key is not None:
        letter = replace(letter, key=None, key_bytes=len(letter.key))
    if size_bytes(letter) > most_bytes:
        letter = replace(letter, message=bounded_sentence(letter.message, _SHORT_MESSAGE_BYTES))
    return letter


def _text(held: Mapping[str, bytes], name: str) -> str | None:
    return held[name].decode() if name in held else None
