"""SIGKILL and SIGSTOP of real processes on real Apache Kafka."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stream.digest import id_digest, to_hex
from stream.errors import Fenced
from stream.log.connection import Connection
from stream.log.kafka_source import KafkaInteractionSource
from stream.log.settings import LogSettings, TopicSettings
from stream.log.writer import writing
from tests.service.memory_log import event, version

ROOT = Path(__file__).parents[2]
EVENTS = 480
KILLS = (
    "warm_up:2",
    "checkpoint_writing:2",
    "checkpoint_written:2",
    "committed_before_rename:2",
    "after_rename:2",
    "checkpoint_writing",
    "checkpoint_written",
    "committed_before_rename",
    "after_rename",
    "warm_up",
)


class Place:
    """Four partitions on Kafka, every 23rd record invalid, and learners on them."""

    def __init__(self, directory: Path, kafka: Connection, topics: TopicSettings) -> None:
        self.directory = directory
        self.kafka = kafka
        self.topics = topics
        self.trained: list[str] = []
        self.invalid = 0
        with writing(kafka.settings, LogSettings(), topics) as writers:
            for number in range(1, 14):
                writers.schema.send(None, version(number, (number - 1) * 40))
        self.send(0, EVENTS)

    def send(self, first: int, last: int) -> None:
        with writing(self.kafka.settings, LogSettings(), self.topics) as writers:
            for index in range(first, last):
                if index % 23 == 22:
                    writers.interactions.send(f"k{index}".encode(), b"\xff broken")
                    self.invalid += 1
                else:
                    writers.interactions.send(f"k{index}".encode(), event(f"e{index}", index))
                    self.trained.append(f"e{index}")

    def start(
        self, crash_point: str | None = None, checkpoints: str = "checkpoints", summary: str = "-"
    ) -> subprocess.Popen[str]:
        arguments = [
            *("batch_size=4", "batch_age_seconds=0.05", "idle_seconds=0.5", "metrics.enabled=false"),
            *("checkpoint.every_events=16", "checkpoint.every_seconds=1", f"name={self.topics.interactions}"),
            f"checkpoint.directory={self.directory / checkpoints}",
            f"kafka.bootstrap_servers={','.join(self.kafka.settings.bootstrap_servers)}",
            f"topics.interactions={self.topics.interactions}",
            f"topics.schema={self.topics.schema}",
            f"topics.dead_letters={self.topics.dead_letters}",
        ]
        environment = {key: value for key, value in os.environ.items() if key != "STREAM_CRASH_POINT"}
        if crash_point is not None:
            environment["STREAM_CRASH_POINT"] = crash_point
        return subprocess.Popen(
            [sys.executable, "-m", "tests.service.counting_process", summary, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, crash_point: str | None = None, checkpoints: str = "checkpoints") -> tuple[int, str]:
        process = self.start(crash_point, checkpoints, str(self.directory / "summary.json"))
        said, _ = process.communicate(timeout=100)
        return process.returncode, said

    def check(self) -> None:
        """Compare with what is recomputed from what was produced."""
        summary = json.loads((self.directory / "summary.json").read_text())
        total = 0
        for name in self.trained:
            total = id_digest(total, name)
        assert summary["ids_digest"] == to_hex(total)
        assert summary["events_trained"] == len(self.trained)
        assert summary["events_dead_lettered"] == self.invalid
        origins = Counter(self.dead_letters())
        assert len(origins) == self.invalid
        assert set(origins.values()) == {1}

    def dead_letters(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the origin of each dead letter that is committed."""
        with closing(KafkaInteractionSource(self.kafka, self.topics.dead_letters)) as source:
            source.seek(source.beginning_offsets())
            while source.positions() != source.end_offsets():
                for record in source.poll(1000, 0.2):
                    headers = dict(record.headers)
                    assert record.value == b"\xff broken"
                    assert (headers["reason"], headers["topic"]) == (b"not_utf8", self.topics.interactions.encode())
                    yield headers["partition"], headers["offset"]


@pytest.fixture
def place(tmp_path: Path, kafka: Connection, fresh_topics: Callable[[int], TopicSettings]) -> Place:
    return Place(tmp_path, kafka, fresh_topics(4))


@pytest.mark.slow
def test_ten_kills_lose_nothing_repeat_nothing_and_publish_each_dead_letter_once(place: Place) -> None:
    said_by_all = ""
    for crash_point in KILLS:
        code, said = place.finish(crash_point)
        assert code == -signal.SIGKILL, (crash_point, said)
        said_by_all += said
    code, said = place.finish()
    assert code == 0, said
    place.check()
    named = re.findall(r"crash point (\w+): process (\d+) kills itself", said_by_all)
    started = re.findall(r"process (\d+) starts from .*: \S+ offsets {0: \d+, 1: \d+, 2: \d+, 3: \d+}", said_by_all)
    assert [name for name, _ in named] == [crash_point.partition(":")[0] for crash_point in KILLS]
    assert [process for _, process in named] == started


def test_a_stopped_learner_finds_itself_replaced_and_changes_nothing(place: Place) -> None:
    with place.start(checkpoints="first") as first:
        deadline = time.monotonic() + 60
        while len(list((place.directory / "first").glob("*.ckpt"))) < 2:
            assert time.monotonic() < deadline, "no checkpoint came"
            time.sleep(0.02)
        first.send_signal(signal.SIGSTOP)
        shutil.copytree(place.directory / "first", place.directory / "second")
        (place.directory / "second" / "lock").unlink()
        place.send(EVENTS, EVENTS + 40)
        code, said = place.finish(checkpoints="second")
        assert code == 0, said
        before = {path.name: path.read_bytes() for path in (place.directory / "first").iterdir()}
        first.send_signal(signal.SIGCONT)
        assert first.wait(timeout=60) == Fenced.exit_code
    after = {path.name: path.read_bytes() for path in (place.directory / "first").iterdir()}
    # What was under way when it was stopped is gone or as it was; nothing is new.
    assert {name: content for name, content in before.items() if not name.endswith(".tmp")} == after
    place.check()
