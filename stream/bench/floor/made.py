"""Thirty made streams with little in common: rare labels and likely ones, one offer and a thousand, noise, jumps."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from stream.bench.adaptation.stream import BenchStream, Item
from stream.records.interaction import Interaction
from stream.schema import parse_version

__all__ = ["MADE", "Made", "version_of"]

Floats = NDArray[np.float64]

_START_MS: Final = 1_700_000_000_000
_MOST_EVENTS, _LEAST_EVENTS, _PAIRS = 12_000, 600, 60_000
_NUMERIC, _VALUES, _GROUPS, _KEYS = 4, 20, 6, 200


@dataclass(frozen=True, slots=True)
class Made:
    """What a made stream is like."""

    rate: float
    """Of labels by pair, about; beside a signal the rate without one."""
    offers: int
    shown: int
    """Offers that are possible in an event, drawn without regard to it."""
    signal: float = 0.0
    """Standard deviation of the log-odds that inputs, key and offer explain."""
    jump: float | None = None
    """The rate of the second half."""

    @property
    def name(self) -> str:
        """What it is called in the tables."""
        rate = f"{self.rate:g}" if self.jump is None else f"{self.rate:g} then {self.jump:g}"
        shown = "all" if self.shown == self.offers else f"{self.shown} of"
        return f"rate {rate}, {shown} {self.offers:,}{', signal' if self.signal else ''}"

    @property
    def events(self) -> int:
        """Few if there are many pairs in each."""
        return min(_MOST_EVENTS, max(_LEAST_EVENTS, _PAIRS // self.shown))

    def stream(self, seed: int, share: float = 1.0) -> BenchStream:
        """Return the stream of a seed, or the beginning `share` of it."""
        draw = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        events, offers = max(64, int(self.events * share)), self.offers
        by_input = draw.standard_normal((_NUMERIC, offers)) / _NUMERIC**0.5
        by_value, by_key = draw.standard_normal((_VALUES, offers)), draw.standard_normal((_KEYS, offers))
        own = 0.4 * draw.standard_normal(offers)
        inputs = draw.standard_normal((events, _NUMERIC))
        value, key = draw.integers(0, _VALUES, events), np.minimum(draw.zipf(1.3, events), _KEYS) - 1
        names = [f"o{offer}" for offer in range(offers)]
        items: list[Item] = [version_of(_NUMERIC, offers)]
        for event in range(events):
            rate = self.rate if self.jump is None or event < events // 2 else self.jump
            some = np.arange(offers)
            if self.shown < offers:
                some = np.sort(draw.choice(offers, self.shown, replace=False))
            pull = inputs[event] @ by_input[:, some] + by_value[value[event], some] + by_key[key[event], some]
            odds = np.log(rate / (1.0 - rate)) + self.signal * (pull / 3**0.5 + own[some])
            taken = some[draw.random(len(some)) < 1.0 / (1.0 + np.exp(-odds))]
            features = {f"x{place}": float(x) for place, x in enumerate(inputs[event])} | {"c": f"v{value[event]}"}
            shown = None if self.shown == offers else tuple(names[offer] for offer in some)
            ts, labels = _START_MS + 1000 * event, tuple(names[offer] for offer in taken)
            items.append(Interaction(f"e{event}", f"k{key[event]}", ts, features, labels, shown, None, 1.0))
        return BenchStream(self.name, items, "group")


def version_of(numeric: int, offers: int) -> Item:
    """Return version 1: numeric inputs `x0` and so on, a categorical `c`, and offers `o0` and so on in six groups."""
    kinds = {**{f"x{place}": "numeric" for place in range(numeric)}, "c": "categorical"}
    changes: list[dict[str, object]] = [
        {"op": "add_feature", "name": name, "kind": kind} for name, kind in kinds.items()
    ]
    changes += [
        {"op": "add_label", "name": f"o{offer}", "attributes": {"group": f"g{offer % _GROUPS}"}}
        for offer in range(offers)
    ]
    return parse_version(orjson.dumps({"version": 1, "ts": 0, "changes": changes}))


MADE: Final = (
    *(Made(0.0005, 30, 1), Made(0.0005, 30, 30), Made(0.0005, 1000, 20)),
    *(Made(0.002, 1, 1), Made(0.002, 30, 1), Made(0.002, 100, 10), Made(0.002, 1000, 1000)),
    *(Made(0.005, 30, 1), Made(0.005, 30, 30), Made(0.01, 300, 300)),
    *(Made(0.02, 1, 1), Made(0.02, 30, 1), Made(0.02, 200, 10), Made(0.05, 30, 30)),
    *(Made(0.1, 30, 1), Made(0.1, 10, 10), Made(0.3, 1, 1), Made(0.5, 30, 1)),
    *(Made(0.0005, 30, 30, 1.5), Made(0.002, 30, 10, 1.5), Made(0.01, 30, 30, 1.5), Made(0.02, 1000, 20, 1.5)),
    *(Made(0.05, 30, 10, 1.5), Made(0.1, 1, 1, 1.5), Made(0.3, 30, 30, 1.5), Made(0.5, 10, 3, 1.5)),
    *(Made(0.002, 30, 1, jump=0.02), Made(0.0005, 30, 30, jump=0.05), Made(0.1, 30, 5, jump=0.01)),
    Made(0.3, 10, 10, 1.5, jump=0.02),
)
"""Rates 0.0005 to 0.5, 1 to 1,000 offers, 1 to all of them possible, with and without signal, with jumping rates."""
