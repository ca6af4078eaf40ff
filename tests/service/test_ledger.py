"""Dead letters bear the sentence, the learner, the moment, and how often the interaction had died before."""

from __future__ import annotations

from pathlib import Path

from stream.log.letter import MESSAGE_BYTES
from stream.log.protocol import Record
from stream.service.item import Item
from stream.service.ledger import Ledger, Postmark
from stream.testing import MemoryLog
from tests.service.counting_learner import event, version
from tests.service.serving import Run


def test_a_letter_bears_what_the_contract_says() -> None:
    postmark = Postmark("mine", lambda: 1_700_000_000.25, {"interactions": "an-id"})
    ledger = Ledger({3: 17}, 0, postmark)
    record = Record("interactions", 3, 17, b"k", b'{"id": 7}', None, (("resent", b"2"),))
    ledger.settle(Item.decode(record))
    count, size_bytes = ledger.unpublished
    assert count == 1
    (letter,) = ledger.cut().dead_letters
    assert letter.message == "the field id is the number 7; it has to be a string"
    assert (letter.learner, letter.ts_ms, letter.resent, letter.topic_id) == ("mine", 1_700_000_000_250, 2, "an-id")
    assert (letter.reason, letter.origin) == ("invalid_id", ("interactions", "an-id", 3, 17))
    assert size_bytes > len(letter.message), "what waits is bounded with its sentences"
    assert ledger.unpublished == (0, 0), "what is cut off is the checkpoint's"


def test_what_a_record_makes_a_sentence_say_is_bounded() -> None:
    record = Record("interactions", 0, 0, None, b'{"id": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}", None)
    assert 0 < len(Item.decode(record).message.encode()) <= MESSAGE_BYTES


def test_letters_of_versions_and_of_waits_in_vain_bear_their_sentences_too(tmp_path: Path) -> None:
    log = MemoryLog()
    log.publish(version(1, 0))
    log.publish(version(2, 5, [{"op": "remove_feature", "name": "nobody"}]))
    log.send(event("early", 1))
    log.send(event("rejected", 10, schema_version=2))
    log.send(event("missing", 11, schema_version=9))
    Run(log, tmp_path, "name=mine", "version_wait_seconds=3").run()
    said = {(letter.topic, letter.offset): letter for letter in log.dead_letters}
    assert {letter.learner for letter in said.values()} == {"mine"}
    assert "nobody" in said["feature-schema", 1].message
    assert said["interactions", 1].message.startswith("it names schema version 2, which was rejected; publish")
    assert "version 9, which was not delivered within 3 s" in said["interactions", 2].message
