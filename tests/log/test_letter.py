"""What a dead letter bears: all headers of the contract, a sentence that always fits, and no record of others."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatchBuilder

from stream.log.letter import (
    MESSAGE_BYTES,
    bounded_sentence,
    fitted,
    headers_of,
    letter_of,
    size_bytes,
    times_resent,
)
from stream.log.protocol import DeadLetter, Headers, Record

LETTER = DeadLetter(
    "not_json", "interactions", 3, 17, b"k", b"{", "the value is not JSON", "mine", 1_700_000_000_001, 1, "an-id"
)


def lies(letter: DeadLetter, headers: Headers | None = None) -> Record:
    held = headers_of(letter) if headers is None else headers
    return Record("dead-letters", 0, 5, letter.key, letter.value, 0, held)


def test_it_bears_the_headers_of_the_contract_and_is_read_back_from_them() -> None:
    named = {name: value.decode() for name, value in headers_of(LETTER)}
    assert named == {
        "reason": "not_json",
        "message": "the value is not JSON",
        "topic": "interactions",
        "partition": "3",
        "offset": "17",
        "learner": "mine",
        "ts": "1700000000001",
        "resent": "1",
        "topic_id": "an-id",
    }
    assert letter_of(lies(LETTER)) == LETTER


@pytest.mark.parametrize("missing", ["reason", "message", "topic", "partition", "offset", "learner", "ts", "resent"])
@pytest.mark.parametrize("otherwise", [None, b"\xff"])
def test_a_record_that_lacks_a_header_or_cannot_be_read_is_somebody_elses(
    missing: str, otherwise: bytes | None
) -> None:
    headers = tuple((name, value) for name, value in headers_of(LETTER) if name != missing)
    if otherwise is not None:
        headers = (*headers, (missing, otherwise))
    assert letter_of(lies(LETTER, headers)) is None


@given(st.text(alphabet=st.characters(), max_size=3000))
def test_any_sentence_becomes_printable_and_bounded(message: str) -> None:
    sentence = bounded_sentence(message + "\ud800\x00\n")
    assert len(sentence.encode()) <= MESSAGE_BYTES
    assert sentence.isprintable()


def test_a_sentence_that_is_cut_says_so() -> None:
    assert bounded_sentence("a" * MESSAGE_BYTES) == "a" * MESSAGE_BYTES
    assert bounded_sentence("a" * (MESSAGE_BYTES + 1)) == "a" * (MESSAGE_BYTES - 3) + "…"
    assert bounded_sentence("one\ntwo") == "one\\ntwo"


@given(st.binary(max_size=9000), st.binary(max_size=9000), st.text(max_size=2000), st.integers(4096, 20_000))
def test_what_is_left_out_is_named_and_the_rest_fits(key: bytes, value: bytes, message: str, most_bytes: int) -> None:
    letter = replace(LETTER, key=key, value=value, message=bounded_sentence(message))
    left = fitted(letter, most_bytes)
    assert size_bytes(left) <= most_bytes
    real = DefaultRecordBatchBuilder.estimate_size_in_bytes(left.key, left.value, list(headers_of(left)))
    assert real <= size_bytes(left)
    if left.value is None:
        assert (left.value_bytes, left.value_sha256) == (len(value), hashlib.sha256(value).hexdigest())
    else:
        assert left.value == value
    assert left.key == key or left.key_bytes == len(key)
    read = letter_of(lies(left))
    assert read == left


@pytest.mark.parametrize(
    ("headers", "times"),
    [
        ((), 0),
        ((("resent", b"3"),), 3),
        ((("resent", b"3"), ("resent", b"4")), 4),
        ((("resent", b"-3"),), 0),
        ((("resent", b"often"),), 0),
        ((("resent", b""),), 0),
        ((("resent", b"9" * 5000),), 0),
        ((("resent", "٣".encode()),), 0),
    ],
)
def test_how_often_an_interaction_was_sent_again_is_read_from_its_header(headers: Headers, times: int) -> None:
    assert times_resent(headers) == times
