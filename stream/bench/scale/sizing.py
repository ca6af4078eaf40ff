"""What a stream's sizes cost: one of them at a time goes up, the others stay at a middle.

Each point is measured in a process of its own, because memory that was held once is seldom given back. Keys and values
are first made known by events that show nothing, so that the registries hold as many as the point says.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
import orjson

from stream.bench.scale.memory import resident_bytes

__all__ = ["BASE", "Point", "Size", "measure_here", "points", "sizing", "sizing_table"]

_SHOWN = 30
_LIST = 1_000
"""Values in one event of those that make them known."""


@dataclass(frozen=True, slots=True)
class Size:
    """A stream: inputs (two thirds numeric), live offers, known values and keys; 30 offers shown, or all if fewer."""

    inputs: int = 30
    offers: int = 100
    values: int = 10_000
    keys: int = 10_000
    batch: int = 256
    threads: int = 1
    events: int = 4_096


BASE = Size()
_VARIED: dict[str, tuple[int, ...]] = {
    "inputs": (10, 30, 100, 300, 1_000),
    "offers": (10, 100, 1_000, 10_000, 100_000),
    "values": (1_000, 100_000, 1_000_000, 10_000_000),
    "keys": (1_000, 100_000, 1_000_000, 5_000_000),
    "batch": (1, 16, 64, 1_024, 4_096),
    "threads": (1, 2),
}


@dataclass(frozen=True, slots=True)
class Point:
    """What a size cost: events per second of the clock, microseconds of CPU an event, resident bytes."""

    varied: str
    size: Size
    events_per_second: float
    cpu_us_an_event: float
    resident_bytes: int


def points(most: int) -> Iterator[tuple[str, Size]]:
    """Yield what is measured: each size varied alone, none above `most`."""
    for name, values in _VARIED.items():
        for value in values:
            if value <= most:
                yield name, replace(BASE, **{name: value})


def sizing(most: int, say: Callable[[str], None]) -> list[Point]:
    """Measure each point in a process of its own; a point that fails is said and left out."""
    found = []
    for varied, size in points(most):
        code = "import sys, json; from stream.bench.scale.sizing import Size, measure_here; "
        code += "print(json.dumps(measure_here(Size(**json.loads(sys.argv[1])))))"
        command = [sys.executable, "-c", code, json.dumps(asdict(size))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"])[-1]
            say(f"{varied} {getattr(size, varied):,}: failed: {last}")
            continue
        found.append(Point(varied, size, *json.loads(done.stdout.splitlines()[-1])))
        say(_row(found[-1]))
    return found


def measure_here(size: Size) -> tuple[float, float, int]:
    """Train on a stream of this size in this process; return events/s, CPU microseconds an event, resident bytes."""
    import torch

    from stream.learner.core import LearnerCore
    from stream.records.interaction import decode_interaction
    from stream.schema import parse_version
    from stream.settings.root import Settings

    learner = LearnerCore(Settings(batch_size=size.batch, threads=size.threads))
    learner.apply(parse_version(_version(size)))
    for lines in _known(size):
        learner.learn(learner.encode([decode_interaction(line) for line in lines]))
    torch.set_num_threads(size.threads)
    rng = np.random.default_rng(0)
    number = max(size.events, 4 * size.batch)
    stream = [_event(rng, size, f"e{place}") for place in range(number)]
    warm = number // 4
    began = cpu = 0.0
    for start in range(0, len(stream), size.batch):
        if start <= warm < start + size.batch:
            warm = start
            began, cpu = time.perf_counter(), time.process_time()
        lines = stream[start : start + size.batch]
        learner.learn(learner.encode([decode_interaction(line) for line in lines]))
    timed = len(stream) - warm
    return (
        timed / (time.perf_counter() - began),
        1e6 * (time.process_time() - cpu) / timed,
        resident_bytes(),
    )


def sizing_table(found: list[Point]) -> str:
    """Return the points as a Markdown table."""
    head = "| varied | size | events/s | us of CPU an event | resident MiB |\n|---|---|---|---|---|"
    rows = [
        f"| {point.varied} | {getattr(point.size, point.varied):,} | {point.events_per_second:,.0f} "
        f"| {point.cpu_us_an_event:,.1f} | {point.resident_bytes / (1 << 20):,.0f} |"
        for point in found
    ]
    return "\n".join([head, *rows])


def _row(point: Point) -> str:
    return (
        f"{point.varied:>8} {getattr(point.size, point.varied):>12,}  {point.events_per_second:>10,.0f} events/s  "
        f"{point.cpu_us_an_event:>10,.1f} us of CPU an event  {point.resident_bytes / (1 << 20):>8,.0f} MiB"
    )


def _numeric(size: Size) -> int:
    return max(1, size.inputs * 2 // 3)


def _version(size: Size) -> bytes:
    numeric = _numeric(size)
    features = [{"op": "add_feature", "name": f"x{place}", "kind": "numeric"} for place in range(numeric)]
    features += [
        {"op": "add_feature", "name": f"c{place}", "kind": "categorical"} for place in range(size.inputs - numeric)
    ]
    features.append({"op": "add_feature", "name": "list", "kind": "multi_categorical"})
    offers = [
        {"op": "add_label", "name": f"o{place}", "attributes": {"group": f"g{place % 20}"}}
        for place in range(size.offers)
    ]
    return orjson.dumps({"version": 1, "ts": 0, "changes": [*features, *offers]})


def _known(size: Size) -> Iterator[list[bytes]]:
    """Yield batches that show nothing: each key once, each value as often as its admission asks for."""
    waiting: list[bytes] = []
    lists = 3 * -(-size.values // _LIST)
    for number in range(max(size.keys, lists)):
        first = number % max(1, lists // 3) * _LIST
        items = [f"v{first + item}" for item in range(_LIST)] if number < lists else []
        event = {"id": f"k{number}", "key": f"k{number % size.keys}", "ts": 0, "features": {"list": items}}
        waiting.append(orjson.dumps(event | {"labels": [], "shown": []}))
        if len(waiting) == (64 if items else 1_024):
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _event(rng: np.random.Generator, size: Size, name: str) -> bytes:
    numeric = _numeric(size)
    features: dict[str, object] = {f"x{place}": float(x) for place, x in enumerate(rng.normal(size=numeric).round(3))}
    for place, value in enumerate(rng.integers(0, 1_000, size.inputs - numeric)):
        features[f"c{place}"] = f"v{value}"
    features["list"] = [f"v{value}" for value in rng.integers(0, size.values, 3)]
    event: dict[str, object] = {"id": name, "key": f"k{rng.integers(0, size.keys)}", "ts": 0, "features": features}
    shown = rng.choice(size.offers, min(_SHOWN, size.offers), replace=False).tolist()
    event["labels"] = [f"o{shown[0]}"] if rng.random() < 0.3 else []
    event["shown"] = [f"o{place}" for place in shown]
    return orjson.dumps(event)
