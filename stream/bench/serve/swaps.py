"""Versions swapped once a second under load, schema changes among them: errors, mixed answers, and what it costs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from stream.bench.serve.asking import Client, percentile, served
from stream.bench.serve.made import first_changes, made_event, offer
from stream.bench.serve.versions import Publishing, changed, new_learner, parsed
from stream.scoring.of_learner import snapshot_of
from stream.scoring.scorer import Scorer

__all__ = ["measure_swaps"]

_OFFERS, _QUESTIONS, _RATE = 50, 16, 100.0
_CHANGE_EVERY = 10
"""So many swaps from one schema version to the next."""


def measure_swaps(directory: Path, seconds: float) -> dict[str, Any]:
    """Return what came of `seconds` without swaps, and of as many with one a second."""
    learner = new_learner(first_changes(_OFFERS))
    asked = [{**made_event(number, 10**6, _OFFERS), "k": 1000} for number in range(_QUESTIONS)]
    events = [parsed({name: value for name, value in one.items() if name != "k"}) for one in asked]
    expected: dict[int, list[dict[str, float]]] = {}
    trained = 0

    def learn() -> None:
        nonlocal trained
        batch = [made_event(trained + place, 1000 * (trained + place), _OFFERS) for place in range(32)]
        learner.learn(learner.encode([parsed(event) for event in batch]))
        trained += 32

    for _ in range(20):
        learn()
    publishing = Publishing(directory, learner)

    def publish() -> None:
        scorer = Scorer(snapshot_of(learner))
        found = [{one.offer: one.score for one in offers} for offers in scorer.best(events, 1000)]
        expected[publishing.publish()] = found

    publish()
    with served(directory) as server:
        still = _Load(server.url, asked)
        time.sleep(seconds)
        still.stop()
        moving = _Load(server.url, asked)
        deadline, swaps, versions = time.monotonic() + seconds, 0, learner.schema.version
        while time.monotonic() < deadline:
            next_at = time.monotonic() + 1.0
            learn()
            if swaps % _CHANGE_EVERY == _CHANGE_EVERY // 2:
                number = 1000 + swaps
                changed(learner, [offer(number), {"op": "remove_label", "name": f"o{swaps // _CHANGE_EVERY}"}])
            publish()
            swaps += 1
            time.sleep(max(0.0, next_at - time.monotonic()))
        moving.stop()
    publishing.close()
    mixed = sum(_mixed(expected[version][place], found) for place, version, found in moving.answers)
    return {
        "seconds": seconds,
        "swaps": swaps,
        "schema_changes": learner.schema.version - versions,
        "requests": len(moving.took),
        "errors": len(moving.errors) + len(still.errors),
        "mixed": mixed,
        "versions_met": len({version for _, version, _ in moving.answers}),
        "still_p50_ms": 1000 * percentile(still.took, 0.5),
        "still_p99_ms": 1000 * percentile(still.took, 0.99),
        "p50_ms": 1000 * percentile(moving.took, 0.5),
        "p99_ms": 1000 * percentile(moving.took, 0.99),
        "slowest_ms": 1000 * max(moving.took),
    }


def _mixed(wanted: dict[str, float], found: dict[str, float]) -> bool:
    return found.keys() != wanted.keys() or max(abs(found[name] - wanted[name]) for name in found) > 1e-5


class _Load:
    """Two clients that ask at a steady rate until stopped."""

    def __init__(self, url: str, asked: list[dict[str, Any]]) -> None:
        self.took: list[float] = []
        self.errors: list[str] = []
        self.answers: list[tuple[int, int, dict[str, float]]] = []
        """Question, model version, and score by offer."""
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(url, asked, place)) for place in range(2)]
        for thread in self._threads:
            thread.start()

    def _run(self, url: str, asked: list[dict[str, Any]], first: int) -> None:
        client = Client(url)
        number, next_at = first, time.monotonic()
        while not self._stop.is_set():
            number += 2
            place = number % len(asked)
            began = time.perf_counter()
            try:
                status, answer = client.ask(asked[place])
                self.took.append(time.perf_counter() - began)
                if status == 200:
                    scores = {one["offer"]: one["score"] for one in answer["offers"]}
                    self.answers.append((place, answer["model_version"], scores))
                else:
                    self.errors.append(str(answer))
            except Exception as error:  # whatever is no answer is counted
                self.errors.append(repr(error))
                client = Client(url)
            next_at += 2.0 / _RATE
            time.sleep(max(0.0, next_at - time.monotonic()))
        client.close()

    def stop(self) -> None:
        """End the clients and wait for their last answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
