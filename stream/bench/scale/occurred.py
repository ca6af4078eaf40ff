"""Memory by what occurred: many keys over many offers, and what is resident beside the bound that settings state.

A key comes back now and then and takes what it likes; most are seen once. Of the pairs that there could be, few occur:
only these have cells, and past their bound the longest unseen leave.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import orjson

from stream.bench.scale.memory import resident_bytes
from stream.learner.core import LearnerCore
from stream.network.cells import DIRECT_BYTES
from stream.network.network import Network
from stream.records.interaction import decode_interaction
from stream.schema import parse_version
from stream.settings.root import Settings

__all__ = ["Held", "cells_bound_bytes", "occurred"]

_GROUPS, _SHOWN, _BATCH, _STRETCHES = 50, 30, 1_024, 20
_BYTES = {"key_offer": 44, "key_value": 84, "wide": 28}
"""Of a cell; its place in the index comes on top."""


@dataclass(frozen=True, slots=True)
class Held:
    """What there was after so many events."""

    events: int
    cells: dict[str, int]
    cells_bytes: int
    cells_bound_bytes: int
    resident_bytes: int
    evictions: int
    cpu_us_an_event: float


def cells_bound_bytes(capacity: int) -> int:
    """Return what the cells of all three kinds take at most, with their index and the direct one."""
    index = 4 * max(32, 2 << max(0, capacity - 1).bit_length())
    return DIRECT_BYTES + sum(capacity * size + index for size in _BYTES.values())


def occurred(events: int, keys: int, offers: int, cells: int, listed: bool, say: Callable[[str], None]) -> list[Held]:
    """Train on `events` of `keys` keys over `offers` offers, at most `cells` cells of a kind; say each stretch.

    Each event lists thirty offers by name if `listed`; else everything is possible.
    """
    settings = Settings(batch_size=_BATCH)
    learner = LearnerCore(replace(settings, network=replace(settings.network, pair_cells=cells)))
    learner.apply(parse_version(orjson.dumps(_version(offers))))
    stream, found, done, spent, since = _events(keys, offers, listed), list[Held](), 0, 0.0, 0
    while done < events:
        lines = [next(stream) for _ in range(min(_BATCH, events - done))]
        began = time.process_time()
        learner.learn(learner.encode([decode_interaction(line) for line in lines]))
        spent += time.process_time() - began
        done, since = done + len(lines), since + len(lines)
        if since >= max(_BATCH, events // _STRETCHES) or done >= events:
            found.append(_held(learner.network, done, cells, 1e6 * spent / since))
            say(_line(found[-1]))
            spent, since = 0.0, 0
    return found


def _held(network: Network, events: int, capacity: int, cpu_us: float) -> Held:
    kinds = dict(network.pairs.pair_tables())
    return Held(
        events=events,
        cells={name: cells.used for name, cells in kinds.items()},
        cells_bytes=sum(cells.nbytes for cells in kinds.values()),
        cells_bound_bytes=cells_bound_bytes(capacity),
        resident_bytes=resident_bytes(),
        evictions=network.layout.evictions,
        cpu_us_an_event=cpu_us,
    )


def _line(held: Held) -> str:
    cells = "  ".join(f"{name} {number:,}" for name, number in held.cells.items())
    return (
        f"{held.events:>11,} events  {held.cpu_us_an_event:7.1f} us an event  {cells}  cells "
        f"{held.cells_bytes / (1 << 20):7.1f} of at most {held.cells_bound_bytes / (1 << 20):.1f} MiB  resident "
        f"{held.resident_bytes / (1 << 20):7.1f} MiB  evictions {held.evictions:,}"
    )


def _version(offers: int) -> dict[str, object]:
    return {
        "version": 1,
        "ts": 0,
        "changes": [
            *({"op": "add_feature", "name": f"x{place}", "kind": "numeric"} for place in range(4)),
            *({"op": "add_feature", "name": f"c{place}", "kind": "categorical"} for place in range(2)),
            *(
                {"op": "add_label", "name": f"o{place}", "attributes": {"group": f"g{place % _GROUPS}"}}
                for place in range(offers)
            ),
        ],
    }


def _events(keys: int, offers: int, listed: bool) -> Iterator[bytes]:
    rng, number = np.random.default_rng(11), 0
    while True:
        # Half of all events are of the keys' first hundredth.
        some = np.where(
            rng.random(_BATCH) < 0.5, rng.integers(0, max(1, keys // 100), _BATCH), rng.integers(0, keys, _BATCH)
        )
        numbers, values = rng.standard_normal((_BATCH, 4)).round(3), rng.integers(0, 1_000, (_BATCH, 2))
        shown = rng.integers(0, offers, (_BATCH, _SHOWN))
        takes = rng.random(_BATCH) < 0.7
        for place, key in enumerate(some.tolist()):
            liked = (key * 7919 + int(shown[place, 0]) % 5) % offers
            event: dict[str, object] = {
                "id": str(number),
                "key": f"k{key}",
                "ts": number * 10,
                "features": {
                    **{f"x{at}": value for at, value in enumerate(numbers[place].tolist())},
                    **{f"c{at}": f"v{value}" for at, value in enumerate(values[place].tolist())},
                },
                "labels": [f"o{liked}"] if takes[place] else [],
            }
            if listed:
                event["shown"] = [f"o{slot}" for slot in sorted({*shown[place].tolist(), liked})]
            number += 1
            yield orjson.dumps(event)
