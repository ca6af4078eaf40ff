"""What died is told by reason with its sentence, and sent again under an operator's eye, on Kafka and without it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ConfigResource

from stream.cli import main
from stream.errors import ConfigurationError
from stream.log.connection import Connection
from stream.log.kafka_commit import KafkaCommitLog
from stream.log.kafka_source import every_record
from stream.log.letter_box import letter_box
from stream.log.protocol import Commit, DeadLetter, Record
from stream.log.resent import target_partition
from stream.log.settings import TopicSettings
from stream.settings.load import load
from stream.settings.root import Settings
from tests.end_to_end.learners import command, here
from tests.end_to_end.logs import EmbeddedPlace, KafkaPlace
from tests.end_to_end.streams import Line

pytestmark = pytest.mark.timeout(180)

PARTITIONS = 2
VERSION = json.dumps(
    {"version": 1, "ts": 0, "changes": [{"op": "add_label", "name": "x"}, {"op": "add_label", "name": "y"}]}
).encode()


class Operator:
    """Somebody at the command line of one log, with a learner to run."""

    def __init__(self, place: KafkaPlace | EmbeddedPlace, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.place = place
        self.directory = directory
        self._capsys = capsys
        self._lives = 0

    def says(self, line: str) -> tuple[int, str]:
        """Run `stream dead-letters LINE`; return its exit code and what it printed."""
        self._capsys.readouterr()
        settings = [argument for setting in self.place.settings for argument in ("--set", setting)]
        code = main(["dead-letters", *line.split(), *settings])
        captured = self._capsys.readouterr()
        return code, captured.out + captured.err

    def asks(self, line: str) -> dict[str, Any]:
        """Run it with --json, and return what it prints."""
        code, said = self.says(f"{line} --json")
        assert code == 0, said
        found: dict[str, Any] = json.loads(said)
        return found

    def learns(self) -> dict[str, Any]:
        """Run the learner to the end."""
        self._lives += 1
        arguments = command(
            "run",
            (*self.place.settings, f"checkpoint.directory={self.directory / 'checkpoints'}"),
            stop_at_end=True,
        )
        return here(arguments, self.directory / f"{self._lives}.json")

    def interactions(self) -> list[Record]:
        """All records of the interactions."""
        if isinstance(self.place, KafkaPlace):
            return list(every_record(self.place._connection, self.place.topics.interactions))
        from stream.log.embedded import PartitionReader

        readers = [PartitionReader(self.place._interactions, number) for number in range(PARTITIONS)]
        records = [record for reader in readers for record in reader.read(1000)]
        for reader in readers:
            reader.close()
        return records


@pytest.fixture(params=["kafka", "embedded"])
def operator(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    if request.param == "embedded":
        return Operator(EmbeddedPlace(tmp_path / "log", PARTITIONS), tmp_path, capsys)
    topics = request.getfixturevalue("fresh_topics")(PARTITIONS)
    return Operator(KafkaPlace(request.getfixturevalue("kafka"), topics, PARTITIONS), tmp_path, capsys)


def event(name: str, **also: Any) -> Line:
    value = {"id": name, "key": name, "ts": 1_700_000_000_000, "features": {}, "labels": ["x"], **also}
    return Line(name.encode(), json.dumps(value).encode(), True)


BROKEN = [Line(f"k{at}".encode(), b'{"id": "b%d"' % at + b"\xff" * at, False) for at in range(3)]
EARLY = [event(f"early{at}", schema_version=2) for at in range(4)]


def test_from_death_to_life_and_to_a_second_death(operator: Operator) -> None:
    operator.place.publish([VERSION])
    operator.place.send([event("good"), *BROKEN, *EARLY])
    assert operator.learns()["events_dead_lettered"] == 7

    found = operator.asks("list")
    assert found["dead_letters"] == 7
    by_reason = {group["reason"]: group for group in found["reasons"]}
    assert {reason: group["count"] for reason, group in by_reason.items()} == {
        "version_missing": 4,
        "not_utf8": 2,
        "not_json": 1,
    }
    assert by_reason["version_missing"]["message"].startswith("it names schema version 2, which was not delivered")
    code, said = operator.says("list")
    assert code == 0
    assert "version_missing: it names schema version 2" in said
    newest = by_reason["not_json"]["newest"]
    shown = operator.asks(f"show {newest}")
    assert (shown["reason"], shown["key"], shown["value"], shown["resent"]) == ("not_json", "k0", '{"id": "b0"', 0)
    assert "the value is not JSON" in operator.says("show --reason not_json")[1]

    before = operator.interactions()
    code, said = operator.says("resend --dry-run")
    assert code == 0
    assert "7 interactions to send again" in said
    assert "this was a dry run" in said
    assert operator.interactions() == before
    change = [{"op": "add_label", "name": "z"}]
    operator.place.publish([json.dumps({"version": 2, "ts": 1, "changes": change}).encode()])
    told = operator.asks("resend --reason version_missing --yes")
    assert (told["selected"], told["sent"], told["died_before"]) == (4, 4, 0)
    added = [record for record in operator.interactions() if record not in before]
    origins = {(record.partition, record.key, record.value) for record in before}
    assert {(record.partition, record.key, record.value) for record in added} <= origins, "to where they came from"
    assert [record.headers for record in added] == [(("resent", b"1"),)] * 4
    summary = operator.learns()
    assert (summary["events_trained"], summary["schema_version"]) == (1 + 4, 2)

    told = operator.asks("resend --limit 2 --yes")
    assert (told["sent"], told["left_out"]["sent again before (--again sends them once more)"]) == (2, 4)
    assert told["left_out"]["beyond --limit"] == 1
    assert operator.learns()["events_dead_lettered"] == 7 + 2
    second = {group["reason"]: group for group in operator.asks("list")["reasons"]}
    assert sum(group["died_before"] for group in second.values()) == 2, "a second death is seen"
    assert sum(group["sent_again"] for group in second.values()) == 4 + 2
    told = operator.asks("resend --yes")
    assert (told["sent"], told["died_before"]) == (3, 2), "the one that stayed, and the two that died twice"
    assert operator.learns()["events_dead_lettered"] == 9 + 3
    assert max(int(record.headers[0][1]) for record in operator.interactions() if record.headers) == 2
    told = operator.asks("resend --again --dry-run")
    assert told["selected"] == 12
    assert told["sent"] == 0


def test_nothing_is_sent_without_a_word_of_the_operator(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator.place.publish([VERSION])
    operator.place.send([event("good"), *BROKEN])
    operator.learns()
    before = operator.interactions()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, said = operator.says("resend")
    assert code == ConfigurationError.exit_code
    assert "no terminal to ask at. Say --yes, or --dry-run" in said
    terminal = io.StringIO("no\n")
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    code, said = operator.says("resend")
    assert (code, said.splitlines()[-1]) == (1, "Send 3 now? [y/N] Nothing was sent.")
    assert operator.interactions() == before
    assert operator.says("resend 0:999 --yes")[0] == ConfigurationError.exit_code
    assert operator.says("show 0:999")[0] == ConfigurationError.exit_code
    assert operator.says("resend --limit 0")[0] == ConfigurationError.exit_code


def letter(topics: TopicSettings, offset: int, **also: Any) -> DeadLetter:
    made = DeadLetter("not_json", topics.interactions, 1, offset, b"k", b"{", "a sentence", "mine", 1_700_000_000_000)
    return replace(made, **also)


def publish(kafka: Connection, topics: TopicSettings, letters: list[DeadLetter]) -> None:
    log = KafkaCommitLog(kafka, f"of-{topics.interactions}", topics)
    log.fence()
    log.commit(Commit(1, "digest", {0: 0, 1: 0}, 0), letters)
    log.close()


def test_what_cannot_be_sent_says_why_and_the_rest_is_sent_once(
    kafka: Connection,
    fresh_topics: Callable[[int], TopicSettings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    topics = fresh_topics(PARTITIONS)
    with kafka.administering() as admin:
        admin.alter_configs([ConfigResource("TOPIC", topics.interactions, {"max.message.bytes": "5000"})])
    publish(
        kafka,
        topics,
        [
            letter(topics, 0),
            letter(topics, 0, learner="another", resent=3),
            letter(topics, 1, value=None),
            letter(topics, 2, value=b"v" * (5 << 20)),
            letter(topics, 3, topic=topics.schema, reason="version_gap"),
            letter(topics, 4, value=b"v" * 6000),
            letter(topics, 5, key=None),
            letter(topics, 6, topic_id="of a topic that is gone"),
            letter(topics, 7, partition=9),
        ],
    )
    producer = kafka.producer()
    producer.send(topics.dead_letters, b"somebody else's").get(30)
    producer.close()
    operator = Operator(KafkaPlace(kafka, topics, PARTITIONS), tmp_path, capsys)
    found = operator.asks("list")
    assert (found["dead_letters"], found["of_others"]) == (9, 1)
    told = operator.asks("resend --yes")
    assert told["sent"] == 4
    assert sorted(told["left_out"].values()) == [1] * 5
    why = " ".join(told["left_out"])
    for words in ("same record", "did not take", "without any value", "schema publish", "larger than"):
        assert words in why
    sent = {(record.key, record.partition, record.value) for record in operator.interactions()}
    partition = target_partition(letter(topics, 7, partition=9), PARTITIONS, None)
    assert sent == {(b"k", 1, b"{"), (None, 1, b"{"), (b"k", partition, b"{")}
    assert operator.asks("resend --yes")["sent"] == 0
    assert operator.asks("resend --yes --again --learner another")["sent"] == 1
    headers = sorted(record.headers for record in operator.interactions())
    assert headers == [(("resent", b"1"),)] * 4 + [(("resent", b"4"),)]
    assert operator.asks("list")["reasons"][0]["sent_again"] == 5


def test_of_two_that_send_again_at_once_the_later_one_goes_on(
    kafka: Connection, fresh_topics: Callable[[int], TopicSettings]
) -> None:
    from stream.errors import Fenced
    from stream.log.resend import posting

    topics = fresh_topics(PARTITIONS)
    publish(kafka, topics, [letter(topics, 0)])
    settings = load(
        Settings,
        assignments=[
            f"kafka.bootstrap_servers={kafka.where}",
            f"topics.interactions={topics.interactions}",
            f"topics.dead_letters={topics.dead_letters}",
        ],
    )
    box = letter_box(settings)
    with posting(box, settings) as first, posting(box, settings) as second:
        first.send([letter(topics, 0)])
        second.send([letter(topics, 1)])
        with pytest.raises(Fenced):
            first.send([letter(topics, 2)])
    assert len(list(every_record(kafka, topics.interactions))) == 2


def test_a_file_of_a_replay_is_listed_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "events.jsonl").write_bytes(event("good").value + b'\n{"id": 7}\n')
    (tmp_path / "schema.jsonl").write_bytes(VERSION + b"\n")
    arguments = command(
        "replay",
        (),
        interactions=tmp_path / "events.jsonl",
        schema=tmp_path / "schema.jsonl",
        checkpoint=tmp_path / "checkpoints",
    )
    assert main([*arguments, "--set", "view.style=none"]) == 0
    capsys.readouterr()
    file = tmp_path / "checkpoints" / "dead-letters.jsonl"
    assert main(["dead-letters", "list", "--file", str(file)]) == 0
    assert "invalid_id: the field id is the number 7; it has to be a string" in capsys.readouterr().out
    assert main(["dead-letters", "show", "1", "--file", str(file)]) == 0
    assert '{"id": 7}' in capsys.readouterr().out


def test_a_log_without_dead_letters_has_none(operator: Operator) -> None:
    assert operator.asks("list") == {"dead_letters": 0, "of_others": 0, "reasons": []}
    assert operator.asks("resend --yes")["sent"] == 0
