"""The streams of the speed benchmark, with the settings that each is trained under."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stream.data import journey, synthetic
from stream.network.settings import NetworkSettings
from stream.settings.root import Settings

__all__ = ["LARGE", "Workload", "workloads"]

LARGE = ("W2", "300 offers", "1,000 offers", "5,000 offers", "film catalogue")
"""What is measured from memory alone, if it is asked for."""
_FILMS, _EVENTS_A_VERSION = 2_200, 3


@dataclass(frozen=True, slots=True)
class Workload:
    """A stream in files, with the settings that it is trained under."""

    name: str
    interactions: Path
    schema: Path
    settings: Settings

    def lines(self) -> list[bytes]:
        """Return the interactions, one a line."""
        return self.interactions.read_bytes().splitlines()

    def offers(self) -> list[str]:
        """Return the offers of the first schema version."""
        first = json.loads(self.schema.read_bytes().splitlines()[0])
        return [change["name"] for change in first["changes"] if change["op"] == "add_label"]


def workloads(place: Path, names: tuple[str, ...], events: int) -> Iterator[Workload]:
    """Write each workload of these names below `place` and yield it; the large ones have fewer events."""
    for name in names:
        yield _MAKERS[name](place / name.replace(" ", "-"), name, events)


def _settings(batch_size: int) -> Settings:
    return Settings(batch_size=batch_size, batch_age_seconds=0)


def _w1(place: Path, name: str, events: int) -> Workload:
    made = synthetic.write(place, dataclasses.replace(synthetic.W1, events=events))
    return Workload(name, made.interactions, made.schema, _settings(1024))


def _demo(place: Path, name: str, events: int) -> Workload:
    made = journey.write(place, events)
    small = _settings(64)
    measured = dataclasses.replace(small.evaluation, attribute="category", finite=True)
    return Workload(name, made.interactions, made.schema, dataclasses.replace(small, evaluation=measured))


def _w2(place: Path, name: str, events: int) -> Workload:
    made = synthetic.write(place, dataclasses.replace(synthetic.W2, events=min(events, 4096)))
    wide = dataclasses.replace(_settings(1024), network=NetworkSettings(hidden=(256, 256)))
    return Workload(name, made.interactions, made.schema, wide)


def _many(place: Path, name: str, events: int) -> Workload:
    offers = int(name.split()[0].replace(",", ""))
    number = min(events, 2_000_000 // offers)
    made = synthetic.write(place, dataclasses.replace(synthetic.W1, offers=offers, events=number))
    return Workload(name, made.interactions, made.schema, _settings(256))


def _films(place: Path, name: str, events: int) -> Workload:
    """A catalogue in which every third event one film comes and the oldest goes; all live ones are possible."""
    events = min(events, 2_000)
    base = dataclasses.replace(synthetic.W1, numeric=4, categorical=4, offers=_FILMS, events=events)
    made = synthetic.write(place, base)
    schema = made.schema.read_text().splitlines()[:1]
    first = json.loads(schema[0])
    start = base.start_ms
    for number in range(1, events // _EVENTS_A_VERSION):
        changes = [
            {"op": "remove_label", "name": f"offer_{number - 1}"},
            {"op": "add_label", "name": f"film_{number}", "attributes": {"group": f"g{number % 6}"}},
        ]
        at = start + number * _EVENTS_A_VERSION * base.interval_ms
        schema.append(json.dumps({"version": first["version"] + number, "ts": at, "changes": changes}))
    made.schema.write_text("\n".join(schema) + "\n")
    return Workload(name, made.interactions, made.schema, _settings(64))


_MAKERS = {
    "W1": _w1,
    "demo": _demo,
    "W2": _w2,
    "300 offers": _many,
    "1,000 offers": _many,
    "5,000 offers": _many,
    "film catalogue": _films,
}
