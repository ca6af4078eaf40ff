"""Eleven kills of a real learner on a real Kafka in one pass: no event lost or trained twice, each dead letter once."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.log.connection import Connection
from stream.log.settings import TopicSettings
from tests.end_to_end.learners import Life, command, here, living
from tests.end_to_end.logs import KafkaPlace, partition_of
from tests.end_to_end.streams import Line, Stream, write_stream

PARTITIONS = 4
AT_RANDOM = "a random moment"
KILLS = (
    "checkpoint_writing:2",
    "trained_meanwhile",
    AT_RANDOM,
    "committed_before_rename:2",
    "warm_up:2",
    AT_RANDOM,
    "after_rename:2",
    "checkpoint_written:2",
    AT_RANDOM,
    "warm_up",
    AT_RANDOM,
)
"""In the order in which they come; the rest of the events is for the last process, which nobody kills."""


def produced(stream: Stream) -> dict[tuple[bytes, bytes], Line]:
    """The lines by origin: partition and offset, as the headers of a dead letter write them."""
    counts = [0] * PARTITIONS
    found = {}
    for line in stream.lines:
        partition = partition_of(line, PARTITIONS)
        found[str(partition).encode(), str(counts[partition]).encode()] = line
        counts[partition] += 1
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_eleven_kills_lose_nothing_and_train_nothing_twice(
    tmp_path: Path, kafka: Connection, fresh_topics: Callable[[int], TopicSettings]
) -> None:
    stream = write_stream(tmp_path, 2400, invalid=21)
    place = KafkaPlace(kafka, fresh_topics(PARTITIONS), PARTITIONS)
    place.publish(stream.versions)
    place.send(stream.lines)
    arguments = command(
        "run",
        (*place.settings, f"checkpoint.directory={tmp_path / 'checkpoints'}", "checkpoint.every_events=96"),
        stop_at_end=True,
        predictions=tmp_path / "predictions.jsonl",
    )
    moments = random.Random(7)
    log: list[str] = []
    before = dict.fromkeys(range(PARTITIONS), 0)
    for number, kill in enumerate(KILLS):
        with living(arguments, tmp_path / f"life-{number}.txt", None if kill == AT_RANDOM else kill) as life:
            if kill == AT_RANDOM:
                life.wait_for(lambda life=life: life.restored is not None, "its start")  # type: ignore[misc]
                time.sleep(moments.uniform(0.0, 0.6))
                life.process.kill()
            code = life.wait()
            log.append(entry(life, kill))
        told = "\n".join(log)
        assert code == -signal.SIGKILL, f"{told}\n{life.said}"
        assert kill == AT_RANDOM or f"crash point {kill.partition(':')[0]}: process {life.pid} kills" in life.said, told
        assert life.restored is not None, f"{told}\n{life.said}"
        offsets = life.restored[1]
        assert all(offsets[partition] >= before[partition] for partition in before), told
        before = offsets
    summary = here(arguments, tmp_path / "summary.json")
    print(told)
    counts = (summary["events_read"], summary["events_trained"], summary["events_dead_lettered"])
    assert counts == (len(stream.lines), stream.trained, 21), told
    assert summary["ids_digest"] == stream.ids_digest(), told
    assert len((tmp_path / "predictions.jsonl").read_bytes().splitlines()) == stream.trained
    lines = produced(stream)
    expected = sorted((*origin, line.key, line.value) for origin, line in lines.items() if not line.valid)
    letters = place.dead_letters()
    headers = [dict(letter.headers) for letter in letters]
    assert {header["topic"] for header in headers} == {place.topics.interactions.encode()}
    assert {header["reason"] for header in headers} == {b"not_utf8", b"not_json", b"version_missing"}
    found = [
        (header["partition"], header["offset"], letter.key, letter.value)
        for header, letter in zip(headers, letters, strict=True)
    ]
    assert sorted(found) == expected, told


def entry(life: Life, kill: str) -> str:
    """A line of the log: which process, from where, and what killed it."""
    return f"process {life.pid} restored {life.restored}, killed at {kill}"
