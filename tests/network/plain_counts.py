"""The running counts once more, by name in dictionaries, event by event, in plain Python floats."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

OFFER, PAIR = 20.0, 1.0
LEAST = {"offer": 2.0, "value": 5.0, "key": 2.0}
Value = tuple[str, str]


@dataclass
class Event:
    """What the counts see of an event."""

    key: str
    ts: int
    possible: set[str]
    taken: set[str]
    inputs: set[Value]
    """The offers' (attribute, value) pairs whose value is among the event's own categorical values."""
    listed: bool = False
    """Whether what was possible was listed by name."""


@dataclass
class PlainCounts:
    """Feed it what PairCounts is fed; a batch is read as it stood before its first event, then counted."""

    prevalence: float
    half_life_ms: float
    attributes: dict[str, dict[str, str]]
    taken_total: float = 0.0
    possible_total: float = 1.0
    events: int = 0
    ts: float = 0.0
    offer: dict[str, defaultdict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    value: dict[Value, defaultdict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    key: dict[str, defaultdict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    key_offer: dict[tuple[str, str], defaultdict[str, float]] = field(default_factory=dict)
    key_value: dict[tuple[str, Value], defaultdict[str, float]] = field(default_factory=dict)
    """Only of pairs that began: that were taken, listed, or (a value) were among a key's inputs."""
    open_events: int = 0

    def __post_init__(self) -> None:
        self.taken_total = 0.5
        self.possible_total = 0.5 / self.prevalence
        self.strengths, self.found_at = dict(LEAST), 0.0

    def prior(self, offer: str) -> float:
        """Return the rate that an offer's attribute values let expect."""
        lift = 1.0
        for value in self.attributes[offer].items():
            lift *= (self.value[value]["taken"] + self.strengths["value"]) / (
                self.value[value]["expected"] + self.strengths["value"]
            )
        return min(max(self.taken_total / self.possible_total * lift, 1e-6), 0.5)

    def strength(self, offer: str) -> float:
        """Return how many pairs that prior is worth."""
        return max(OFFER, self.strengths["offer"] / self.prior(offer))

    def rate(self, offer: str) -> float:
        """Return the offer's smoothed rate."""
        own, prior, strength = self.offer[offer], self.prior(offer), self.strength(offer)
        return (own["taken"] + strength * prior) / (own["possible"] + strength)

    def propensity(self, key: str) -> float:
        """Return how much more than others a key takes."""
        return (self.key[key]["taken"] + self.strengths["key"]) / (self.key[key]["expected"] + self.strengths["key"])

    def pair(self, key: str, offer: str) -> Mapping[str, float]:
        """Return what a key took of an offer and would have taken; without counts of its own, what anyone would."""
        if (key, offer) in self.key_offer:
            return self.key_offer[key, offer]
        share = self.offer[offer]["open_expected"] / max(1, self.open_events)
        return defaultdict(float, expected=self.key[key]["open"] * share)

    def cell(self, key: str, value: Value, fade: float = 1.0) -> Mapping[str, float]:
        """Return the same of a value, what is recent of it faded."""
        recent = ("taken_recent", "expected_recent", "last")
        if (key, value) in self.key_value:
            own = self.key_value[key, value]
            return defaultdict(float, own | {name: own[name] * fade for name in recent})
        share = self.value[value]["open_expected"] / max(1, self.open_events)
        own = self.key[key]
        return defaultdict(float, expected=own["open"] * share, expected_recent=own["open_recent"] * fade * share)

    def begin(self, event: Event) -> None:
        """Let counts of pairs begin with what was expected of them so far."""
        for offer in event.possible | event.taken:
            if event.listed or offer in event.taken:
                self.key_offer[event.key, offer] = defaultdict(float, self.pair(event.key, offer))
                for value in self.attributes[offer].items():
                    self.key_value[event.key, value] = defaultdict(float, self.cell(event.key, value))
        for value in event.inputs:
            self.key_value[event.key, value] = defaultdict(float, self.cell(event.key, value))

    def inputs(self, event: Event, offer: str, attributes: Mapping[str, int], number: int) -> list[float]:
        """Return a pair's inputs; ``attributes`` are the places of the shared attributes, of ``number``."""
        own, key = self.offer[offer], self.key[event.key]
        fade = 0.5 ** (max(0.0, event.ts - key["ts"]) / self.half_life_ms)
        rate, propensity = self.rate(offer), self.propensity(event.key)
        recent = (own["taken_recent"] + self.strength(offer) * rate) / (own["possible_recent"] + self.strength(offer))
        of_key, of_value = self.strengths["key"], self.strengths["value"]
        lately = (key["taken_recent"] * fade + of_key) / (key["expected_recent"] * fade + of_key)
        pair = self.pair(event.key, offer)
        found = [
            math.log(rate),
            math.log(recent / rate),
            math.log(propensity),
            math.log(lately / propensity),
            math.log((pair["taken"] + PAIR) / (pair["expected"] + PAIR)),
            math.log1p(own["possible"]) / 8,
            math.log1p(key["expected"]) / 4,
        ] + [0.0] * (6 * number)
        for value in self.attributes[offer].items():
            shared, cell = self.value[value], self.cell(event.key, value, fade)
            habit = key["events"] * (shared["seen"] + 0.01) / (self.events + 1.0)
            first = 7 + 6 * attributes[value[0]]
            found[first : first + 6] = [
                math.log((cell["taken"] + PAIR) / (cell["expected"] + PAIR)),
                math.log((cell["taken_recent"] + PAIR) / (cell["expected_recent"] + PAIR)),
                math.log((shared["taken_recent"] + of_value) / (shared["expected_recent"] + of_value)),
                math.log1p(cell["expected"]),
                cell["last"],
                math.log((cell["seen"] + PAIR) / (habit + PAIR)),
            ]
        return found

    def update(self, batch: list[Event]) -> None:
        """Count a batch: what was expected of it is what stood before it."""
        latest = max(event.ts for event in batch)
        faded = 0.5 ** (max(0.0, latest - self.ts) / self.half_life_ms) if self.events else 1.0
        before = self.taken_total / self.possible_total
        expected = {
            (place, offer): (self.rate(offer), self.rate(offer) * self.propensity(event.key))
            for place, event in enumerate(batch)
            for offer in event.possible
        }
        propensity = [self.propensity(event.key) for event in batch]
        for event in batch:
            self.begin(event)
        self.taken_total += sum(len(event.taken) for event in batch)
        self.possible_total += sum(len(event.possible) for event in batch)
        base = self.taken_total / self.possible_total
        for counts in self.offer.values():
            counts["taken_recent"] *= faded
            counts["possible_recent"] *= faded
        for counts in self.value.values():
            counts["taken_recent"] *= faded
            counts["expected_recent"] *= faded
        self.ts = max(self.ts, latest) if self.events else latest
        for key in {event.key for event in batch}:
            self._fade_key(key, max(event.ts for event in batch if event.key == key))
        for place, event in enumerate(batch):
            for offer in event.possible | event.taken:
                rate, own = expected.get((place, offer), (0.0, 0.0))
                self._count(event, offer, rate * base / before, own * base / before, base)
            self.key[event.key]["events"] += 1
            if not event.listed and event.possible | event.taken:
                self.open_events += 1
                self.key[event.key]["open"] += propensity[place]
                self.key[event.key]["open_recent"] += propensity[place]
            for value in event.inputs:
                self.value[value]["seen"] += 1
                self.key_value[event.key, value]["seen"] += 1
        self.events += len(batch)
        self._find_strengths()

    def _fade_key(self, key: str, newest: float) -> None:
        counts = self.key[key]
        if counts["events"]:
            newest = max(newest, counts["ts"])
            fade = 0.5 ** ((newest - counts["ts"]) / self.half_life_ms)
            counts["taken_recent"] *= fade
            counts["expected_recent"] *= fade
            counts["open_recent"] *= fade
            for (owner, _), cell in self.key_value.items():
                if owner == key:
                    for name in ("taken_recent", "expected_recent", "last"):
                        cell[name] *= fade
        counts["ts"] = newest

    def _count(self, event: Event, offer: str, rate: float, own: float, base: float) -> None:
        taken, possible = float(offer in event.taken), float(offer in event.possible)
        counts, key, met = self.offer[offer], self.key[event.key], 0.0 if event.listed else rate
        for name in ("taken", "taken_recent"):
            counts[name] += taken
            key[name] += taken
        for name in ("possible", "possible_recent"):
            counts[name] += possible
        for name in ("expected", "expected_recent"):
            key[name] += rate
        counts["open_expected"] += met
        if (event.key, offer) in self.key_offer:
            self.key_offer[event.key, offer]["taken"] += taken
            self.key_offer[event.key, offer]["expected"] += own
        for value in self.attributes[offer].items():
            shared = self.value[value]
            shared["open_expected"] += met
            for name in ("taken", "taken_recent"):
                shared[name] += taken
            for name in ("expected", "expected_recent"):
                shared[name] += base * possible
            if (event.key, value) not in self.key_value:
                continue
            cell = self.key_value[event.key, value]
            for name in ("taken", "taken_recent"):
                cell[name] += taken
            for name in ("expected", "expected_recent"):
                cell[name] += own
            if taken:
                cell["last"] = 1.0

    def _find_strengths(self) -> None:
        if self.events - self.found_at < min(self.found_at / 8, 1024):
            return
        self.found_at = self.events
        base = self.taken_total / self.possible_total
        counts = {
            "offer": [(own["taken"], own["possible"] * base) for own in self.offer.values()],
            "value": [(own["taken"], own["expected"]) for own in self.value.values()],
            "key": [(own["taken"], own["expected"]) for own in self.key.values()],
        }
        for name, found in counts.items():
            steps = range(11)
            logs = [sum(_evidence(n, e, LEAST[name] * 2.0**step) for n, e in found if e > 0) for step in steps]
            chances = [math.exp(each - max(logs)) for each in logs]
            mean = sum(step * chance for step, chance in zip(steps, chances, strict=True)) / sum(chances)
            self.strengths[name] = float(f"{LEAST[name] * 2.0**mean:.4g}")


def _evidence(taken: float, expected: float, strength: float) -> float:
    """The log-probability of a count, a negative binomial's, up to what does not depend on the strength."""
    seen = math.lgamma(taken + strength) - math.lgamma(strength) + strength * math.log(strength / (expected + strength))
    return seen + taken * math.log(expected / (expected + strength))
