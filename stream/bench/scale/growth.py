"""A stream in which no name ever repeats: each event has a key, values and unknown inputs of its own.

Every thousand events a schema version takes a feature and an offer away and adds others. Whoever keeps a trace of each
name grows or slows down for ever; a learner that bounds what it keeps is at the end as it was at a tenth of the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import orjson

from stream.bench.scale.memory import resident_bytes
from stream.learner.core import LearnerCore
from stream.records.interaction import decode_interaction
from stream.schema import parse_version
from stream.settings.root import Settings

__all__ = ["Stretch", "growth", "stretches_table"]

_INPUTS, _OFFERS, _ITEMS = 4, 20, 3
_VERSION_EVENTS = 1_000
_STRETCHES = 20


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the stream: how far it goes, what an event took in it, and what was resident at its end."""

    events: int
    cpu_us_an_event: float
    version_ms: float
    resident_bytes: int


def growth(events: int, say: Callable[[str], None]) -> list[Stretch]:
    """Return the stretches of a run over so many events; each is said as it ends."""
    learner = LearnerCore(Settings(batch_size=256))
    size, done, found = 256, 0, list[Stretch]()
    spent, versions_spent, versions, since = 0.0, 0.0, 0, 0
    length = max(size, events // _STRETCHES)
    for number, version in enumerate(_versions()):
        began = time.process_time()
        learner.apply(parse_version(orjson.dumps(version)))
        versions_spent += time.process_time() - began
        versions += 1
        for start in range(0, _VERSION_EVENTS, size):
            lines = [_event(done + place, number) for place in range(min(size, _VERSION_EVENTS - start))]
            began = time.process_time()
            learner.learn(learner.encode([decode_interaction(line) for line in lines]))
            spent += time.process_time() - began
            done += len(lines)
            since += len(lines)
        if since >= length or done >= events:
            found.append(Stretch(done, 1e6 * spent / since, 1e3 * versions_spent / versions, resident_bytes()))
            say(_line(found[-1]))
            spent, versions_spent, versions, since = 0.0, 0.0, 0, 0
        if done >= events:
            break
    return found


def stretches_table(found: list[Stretch]) -> str:
    """Return what the end is to a tenth of the way: the middle of the last and of the third and fourth stretch."""
    early, late = found[len(found) // 10 : len(found) // 10 + 3], found[-3:]

    def middle(stretches: list[Stretch], name: str) -> float:
        return float(np.median([getattr(stretch, name) for stretch in stretches]))

    rows = []
    for name, form in (("cpu_us_an_event", ".1f"), ("version_ms", ".2f"), ("resident_bytes", ",.0f")):
        before, after = middle(early, name), middle(late, name)
        rows.append(
            f"{name:<16} a tenth of the way {before:>14{form}}  end {after:>14{form}}  ratio {after / before:.3f}"
        )
    return "\n".join(rows)


def _line(stretch: Stretch) -> str:
    return (
        f"{stretch.events:>10,} events  {stretch.cpu_us_an_event:8.1f} us an event  "
        f"{stretch.version_ms:7.2f} ms a version  {stretch.resident_bytes / (1 << 20):8.1f} MiB"
    )


def _versions() -> Iterator[dict[str, object]]:
    yield {
        "version": 1,
        "ts": 0,
        "changes": [
            *({"op": "add_feature", "name": f"x{place}", "kind": "numeric"} for place in range(_INPUTS)),
            *({"op": "add_feature", "name": f"c{place}", "kind": "categorical"} for place in range(_INPUTS)),
            {"op": "add_feature", "name": "list", "kind": "multi_categorical"},
            *(
                {"op": "add_label", "name": f"o{place}", "attributes": {"group": f"g{place}"}}
                for place in range(_OFFERS)
            ),
        ],
    }
    number = 1
    while True:
        number += 1
        old, new = number - 2, number - 2 + _INPUTS
        yield {
            "version": number,
            "ts": 0,
            "changes": [
                {"op": "remove_feature", "name": f"x{old}"},
                {"op": "remove_feature", "name": f"c{old}"},
                {"op": "remove_label", "name": f"o{old}"},
                {"op": "add_feature", "name": f"x{new}", "kind": "numeric"},
                {"op": "add_feature", "name": f"c{new}", "kind": "categorical"},
                {
                    "op": "add_label",
                    "name": f"o{old + _OFFERS}",
                    "attributes": {"group": f"g{old + _OFFERS}"},
                },
            ],
        }


def _event(number: int, first: int) -> bytes:
    features: dict[str, object] = {f"x{first + place}": float((number * 7 + place) % 11) for place in range(_INPUTS)}
    features |= {f"c{first + place}": f"v{number}-{place}" for place in range(_INPUTS)}
    features["list"] = [f"i{number}-{item}" for item in range(_ITEMS)]
    features[f"unknown{number}"] = 1.0
    taken = [f"o{first + number % _OFFERS}"] if number % 3 == 0 else []
    return orjson.dumps({"id": str(number), "key": f"k{number}", "ts": number, "features": features, "labels": taken})
