"""A broker that is away for a while: the learner waits with its model in memory, and goes on where it stood."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.broker import LocalBroker
from stream.errors import BrokerUnavailable, LogError
from stream.log.connection import Connection
from stream.log.settings import KafkaSettings, TopicSettings
from stream.log.topics import create_topics, wanted_topics
from tests.end_to_end.learners import command, here, living, replay, stored_offsets
from tests.end_to_end.logs import KafkaPlace
from tests.end_to_end.streams import Stream, write_stream

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Outage:
    """A broker of one's own whose data outlive it, and a stream of which the first half was sent."""

    def __init__(self, directory: Path) -> None:
        self._data = directory / "broker"
        self._broker = LocalBroker(data_directory=self._data).start()
        self._port = int(self._broker.bootstrap_servers.rpartition(":")[2])
        connection = Connection(KafkaSettings((self._broker.bootstrap_servers,)))
        topics = TopicSettings()
        create_topics(connection, wanted_topics(topics, 1))
        self.place = KafkaPlace(connection, topics, 1)
        self.stream: Stream = write_stream(directory, 400)
        self.place.publish(self.stream.versions)
        self.place.send(self.stream.lines[:200])

    def begin(self) -> None:
        """Let the broker die."""
        guard = self._broker._running
        guard.kill()
        guard.wait()
        self._broker.stop()

    def end(self) -> None:
        """Let it come back, where it was, with what it had."""
        self._broker = LocalBroker(self._port, data_directory=self._data).start()

    def close(self) -> None:
        self._broker.stop()


@pytest.fixture
def outage(tmp_path: Path) -> Iterator[Outage]:
    try:
        made = Outage(tmp_path)
    except BrokerUnavailable as error:
        pytest.skip(f"no Apache Kafka: {error}")
    try:
        yield made
    finally:
        made.close()


def told(url: str) -> tuple[int, dict[str, str]]:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def settings(outage: Outage, directory: Path, *further: str) -> tuple[str, ...]:
    own = (f"checkpoint.directory={directory}", "checkpoint.every_seconds=0.5", "kafka.request_seconds=2")
    return (*outage.place.settings, *own, *further)


def test_the_same_process_goes_on_once_the_broker_is_back(outage: Outage, tmp_path: Path) -> None:
    directory = tmp_path / "checkpoints"
    own = settings(outage, directory, "metrics.enabled=true", "metrics.port=0")
    with living(command("run", own), tmp_path / "said.txt") as life:
        life.wait_for(lambda: stored_offsets(directory).get(0, 0) > 150, "the checkpoint of what was sent")
        url = next(line for line in life.said.splitlines() if '"url"' in line)
        url = json.loads(url)["url"]
        assert told(f"{url}/readyz")[0] == 200

        outage.begin()
        life.wait_for(lambda: "kafka.patience_seconds" in life.said, "the sentence that it waits")
        life.wait_for(lambda: told(f"{url}/readyz")[0] == 503, "not ready")
        assert "the log does not answer" in told(f"{url}/readyz")[1]["reason"]
        assert told(f"{url}/healthz")[0] == 200, "a restart would help nothing"
        outage.end()

        life.wait_for(lambda: "the log answers again" in life.said, "the sentence that it goes on")
        life.wait_for(lambda: told(f"{url}/readyz")[0] == 200, "ready")
        outage.place.send(outage.stream.lines[200:])
        life.wait_for(lambda: stored_offsets(directory).get(0, 0) > 380, "a checkpoint after the outage")
        life.process.terminate()
        assert life.wait() == 0, life.said
        assert '"logger": "kafka' not in life.said, "the client's own lines are for who asks for them"
    summary = here(command("run", settings(outage, directory), stop_at_end=True), tmp_path / "summary.json")
    assert summary["state_digest"] == replay(outage.stream, tmp_path)["state_digest"]


def test_sigterm_ends_a_learner_that_waits_and_nothing_is_lost(outage: Outage, tmp_path: Path) -> None:
    directory = tmp_path / "checkpoints"
    with living(command("run", settings(outage, directory)), tmp_path / "said.txt") as life:
        life.wait_for(lambda: stored_offsets(directory).get(0, 0) > 150, "the checkpoint of what was sent")
        outage.begin()
        life.wait_for(lambda: "kafka.patience_seconds" in life.said, "the sentence that it waits")
        life.process.terminate()
        assert life.wait() in (0, LogError.exit_code), life.said
    outage.end()
    outage.place.send(outage.stream.lines[200:])
    summary = here(command("run", settings(outage, directory), stop_at_end=True), tmp_path / "summary.json")
    assert summary["state_digest"] == replay(outage.stream, tmp_path)["state_digest"]


def test_patience_has_an_end_and_a_code_that_a_restart_mends(outage: Outage, tmp_path: Path) -> None:
    directory = tmp_path / "checkpoints"
    impatient = settings(outage, directory, "kafka.patience_seconds=1")
    with living(command("run", impatient), tmp_path / "said.txt") as life:
        life.wait_for(lambda: stored_offsets(directory).get(0, 0) > 150, "the checkpoint of what was sent")
        outage.begin()
        assert life.wait() == LogError.exit_code == 4, life.said
        assert "kafka.patience_seconds is 1" in life.said
