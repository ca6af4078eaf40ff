"""What one request costs by the number of offers, over HTTP, and what a batch does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from stream.bench.serve.asking import Client, percentile, served
from stream.bench.serve.made import first_changes, made_event
from stream.bench.serve.versions import Publishing, new_learner, parsed
from stream.scoring.of_learner import snapshot_of
from stream.scoring.scorer import Scorer

__all__ = ["measure_catalogue"]


def measure_catalogue(directory: Path, offers: int, seconds: float) -> dict[str, Any]:
    """Return latencies of one request at k = 10 over so many offers, and pairs a second of batches."""
    learner = new_learner(first_changes(offers))
    for start in range(0, 640, 32):
        events = [made_event(start + place, 1000 * (start + place), offers, shown=50) for place in range(32)]
        learner.learn(learner.encode([parsed(event) for event in events]))
    publishing = Publishing(directory, learner)
    publishing.publish()
    publishing.close()
    scorer = Scorer(snapshot_of(learner))
    size = max(1, min(256, 2_000_000 // offers))
    batch = [parsed(made_event(number, 10**6, offers)) for number in range(size)]
    scorer.best(batch, 10)
    with served(directory) as server:
        client = Client(server.url)
        took: list[float] = []
        deadline = time.perf_counter() + seconds
        number = 10_000
        while time.perf_counter() < deadline or len(took) < 20:
            number += 1
            body = {**made_event(number, 10**6, offers), "k": 10}
            began = time.perf_counter()
            status, _ = client.ask(body)
            took.append(time.perf_counter() - began)
            assert status == 200
        client.close()
        start_seconds, start_cpu_seconds = server.start_seconds, server.start_cpu_seconds
    wall, cpu, rounds = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < min(seconds, 5.0):
        scorer.best(batch, 10)
        rounds += 1
    spent, cpu_spent = time.perf_counter() - wall, time.process_time() - cpu
    pairs = rounds * size * offers
    return {
        "offers": offers,
        "requests": len(took),
        "p50_ms": 1000 * percentile(took, 0.5),
        "p99_ms": 1000 * percentile(took, 0.99),
        "requests_per_second": len(took) / sum(took),
        "pairs_per_second": pairs / spent,
        "pairs_per_cpu_second": pairs / cpu_spent,
        "start_seconds": start_seconds,
        "start_cpu_seconds": start_cpu_seconds,
    }
