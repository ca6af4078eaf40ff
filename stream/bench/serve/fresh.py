"""From an event, or a schema version, sent to Kafka to the first answer that reflects it, the learner training beside.

An event's `ts` is when it is sent, and all go into one partition: an answer whose model has an event time at or after
an event's `ts` has learned from it.
"""

from __future__ import annotations

import bisect
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stream.bench.serve.asking import Client, percentile, served
from stream.bench.serve.made import first_changes, made_event, offer
from stream.broker import LocalBroker
from stream.errors import StreamError
from stream.log.connection import Connection
from stream.log.settings import KafkaSettings, TopicSettings
from stream.log.topics import create_topics, wanted_topics
from stream.publish.pointer import read_pointer

__all__ = ["measure_freshness"]

_OFFERS = 50
_WARM_SECONDS = 15.0


def measure_freshness(
    directory: Path, seconds: float, events_per_second: float, requests_per_second: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Return how long events and schema versions took to be in the answers."""
    with LocalBroker() as broker:
        topics = TopicSettings("bench-interactions", "bench-schema", "bench-letters")
        create_topics(
            Connection(KafkaSettings(bootstrap_servers=(broker.bootstrap_servers,))), wanted_topics(topics, 1)
        )
        assignments = [
            f"kafka.bootstrap_servers={broker.bootstrap_servers}",
            "name=bench",
            f"topics.interactions={topics.interactions}",
            f"topics.schema={topics.schema}",
            f"topics.dead_letters={topics.dead_letters}",
            f"checkpoint.directory={directory / 'checkpoints'}",
            f"publish.directory={directory / 'versions'}",
            "metrics.port=0",
            "view.style=none",
        ]
        command = [sys.executable, "-m", "stream", "run"]
        for assignment in assignments:
            command += ["--set", assignment]
        with (directory / "learner.log").open("wb") as log:
            learner = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            return _measured(broker, topics, directory, learner, seconds, events_per_second, requests_per_second, say)
        finally:
            learner.terminate()
            try:
                learner.wait(30)
            except subprocess.TimeoutExpired:
                learner.kill()


def _measured(
    broker: LocalBroker,
    topics: TopicSettings,
    directory: Path,
    learner: subprocess.Popen[bytes],
    seconds: float,
    events_per_second: float,
    requests_per_second: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, linger_ms=0)
    numbers = iter(range(1, 1_000_000))

    def publish(changes: list[dict[str, Any]]) -> None:
        version = {"version": next(numbers), "ts": 0, "changes": changes}
        producer.send(topics.schema, json.dumps(version).encode())
        producer.flush()

    publish(first_changes(_OFFERS))
    sending = _Sending(producer, topics.interactions, events_per_second)
    versions = directory / "versions"
    begun = time.monotonic()
    while (pointer := read_pointer(versions)) is None or not pointer.version:
        if learner.poll() is not None or time.monotonic() - begun > 180:
            sending.stop()
            said = (directory / "learner.log").read_text(encoding="utf-8", errors="replace")[-1000:]
            raise StreamError(f"the learner published nothing; its last words were: {said}")
        time.sleep(0.1)
    with served(versions) as server:
        say(f"the learner publishes, the scorer answers after {server.start_seconds:.1f} s; settling")
        time.sleep(_WARM_SECONDS)
        asking = _Asking(server.url, requests_per_second)
        client = Client(server.url)
        deadline = time.monotonic() + seconds
        offers: list[float] = []
        number = _OFFERS
        while time.monotonic() < deadline:
            number += 1
            sent = time.time()
            earlier = [{"op": "remove_label", "name": f"o{number - 1}"}] if number > _OFFERS + 1 else []
            publish([offer(number), *earlier])
            question = {"features": {}, "shown": [f"o{number}"]}
            while True:
                status, answer = client.ask(question)
                if status == 200 and answer["offers"]:
                    offers.append(time.time() - sent)
                    break
                if time.time() - sent > 30.0:
                    offers.append(float("inf"))
                    break
                time.sleep(0.01)
            time.sleep(2.0)
        asking.stop()
        client.close()
    sending.stop()
    events = _latencies(sending.sent, asking.answers, asking.begun)
    newest = read_pointer(versions)
    return {
        "events_per_second": events_per_second,
        "requests_per_second": requests_per_second,
        "events": len(events),
        "event_p50_seconds": percentile(events, 0.5),
        "event_p99_seconds": percentile(events, 0.99),
        "events_sent": len(sending.sent),
        "events_trained": 0 if newest is None else newest.events_trained,
        "schema_versions": len(offers),
        "schema_p50_seconds": percentile(offers, 0.5),
        "schema_p99_seconds": percentile(offers, 0.99),
        "requests": len(asking.took),
        "request_p50_ms": 1000 * percentile(asking.took, 0.5),
        "request_p99_ms": 1000 * percentile(asking.took, 0.99),
        "errors": asking.errors,
        "model_versions_met": len({version for _, _, version in asking.answers}),
        "start_seconds": server.start_seconds,
    }


def _latencies(sent: list[int], answers: list[tuple[float, int, int]], begun: float) -> list[float]:
    """Return, of each event sent while questions were asked, the seconds to the first answer that reflects it."""
    times = [at for at, _, _ in answers]
    newest: list[int] = []
    for _, event_time_ms, _ in answers:
        newest.append(max(event_time_ms, newest[-1] if newest else 0))
    found = []
    for ts_ms in sent:
        if ts_ms / 1000.0 < begun or not times or ts_ms / 1000.0 > times[-1] - 5.0:
            continue
        place = bisect.bisect_left(newest, ts_ms)
        found.append(times[place] - ts_ms / 1000.0 if place < len(times) else float("inf"))
    return found


class _Sending:
    """Events at a steady rate, each with the moment at which it is sent as its time."""

    def __init__(self, producer: Any, topic: str, rate: float) -> None:
        self.sent: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(producer, topic, rate))
        self._thread.start()

    def _run(self, producer: Any, topic: str, rate: float) -> None:
        number, next_at, last = 0, time.monotonic(), 0
        while not self._stop.is_set():
            event = made_event(number, 0, _OFFERS)
            last = max(int(time.time() * 1000), last + 1)  # no two alike: each is told apart by its time
            event["ts"] = last
            producer.send(topic, json.dumps(event).encode())
            self.sent.append(last)
            number += 1
            next_at += 1.0 / rate
            time.sleep(max(0.0, next_at - time.monotonic()))
        producer.flush()

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()


class _Asking:
    """Questions at a steady rate, with what each answer says of the model's event time."""

    def __init__(self, url: str, rate: float) -> None:
        self.answers: list[tuple[float, int, int]] = []
        self.took: list[float] = []
        self.errors = 0
        self.begun = time.time()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(url, rate))
        self._thread.start()

    def _run(self, url: str, rate: float) -> None:
        client = Client(url)
        number, next_at = 0, time.monotonic()
        while not self._stop.is_set():
            number += 1
            question = made_event(10**7 + number, 0, _OFFERS)
            del question["ts"], question["labels"]
            began = time.perf_counter()
            try:
                status, answer = client.ask(question)
            except Exception:  # whatever is no answer is counted
                self.errors += 1
                client = Client(url)
                continue
            self.took.append(time.perf_counter() - began)
            if status == 200:
                self.answers.append((time.time(), answer["event_time_ms"] or 0, answer["model_version"]))
            else:
                self.errors += 1
            next_at += 1.0 / rate
            time.sleep(max(0.0, next_at - time.monotonic()))
        client.close()

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()
