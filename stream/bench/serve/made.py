"""The bench's events and schema: 20 numeric and 10 categorical inputs, any number of offers with two attributes."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["CATEGORICAL", "NUMERIC", "first_changes", "made_event", "offer"]

NUMERIC, CATEGORICAL = 20, 10
_KEYS, _VALUES = 1000, 100


def offer(number: int) -> dict[str, Any]:
    """Return the change that adds an offer."""
    attributes = {"category": f"v{number % 200}", "brand": f"b{number % 500}"}
    return {"op": "add_label", "name": f"o{number}", "attributes": attributes}


def first_changes(offers: int) -> list[dict[str, Any]]:
    """Return the changes of the first schema version."""
    return [
        *({"op": "add_feature", "name": f"n{place}", "kind": "numeric"} for place in range(NUMERIC)),
        *({"op": "add_feature", "name": f"c{place}", "kind": "categorical"} for place in range(CATEGORICAL)),
        *map(offer, range(offers)),
    ]


def made_event(number: int, ts_ms: int, offers: int, shown: int | None = None) -> dict[str, Any]:
    """Return an interaction; `shown` of the offers could be taken, None for all."""
    rng = random.Random(number)
    value: dict[str, Any] = {f"n{place}": round(rng.gauss(0.0, 1.0), 3) for place in range(NUMERIC)}
    value |= {f"c{place}": f"x{int(_VALUES * rng.random() ** 2)}" for place in range(CATEGORICAL)}
    key = rng.randrange(_KEYS)
    event: dict[str, Any] = {
        "id": str(number),
        "key": f"k{key}",
        "ts": ts_ms,
        "features": value,
        "labels": [f"o{(key + int(offers * rng.random() ** 3)) % offers}"] if rng.random() < 0.5 else [],
    }
    if shown is not None:
        event["shown"] = [f"o{rng.randrange(offers)}" for _ in range(shown)] + event["labels"]
    return event
