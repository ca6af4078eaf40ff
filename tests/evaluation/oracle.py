"""Part 6 of the contract once more, slow and by name, in plain Python; it shares no code with the package."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

BASELINES = ("popularity", "entity_attribute_counts")


@dataclass
class Offer:
    attributes: dict[str, str]
    identity: int
    popularity: float = 0.0
    popularity_ts: int | None = None
    possible: int = 0
    taken: int = 0


@dataclass
class Oracle:
    """Feed it the same history as an Evaluation, then compare."""

    attribute: str
    half_life_ms: float
    offers: dict[str, Offer] = field(default_factory=dict)
    counts: Counter[tuple[str, str, object]] = field(default_factory=Counter)
    additions: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)
    labelled: list[dict[str, dict[str, float]]] = field(default_factory=list)
    labelled_at: list[int] = field(default_factory=list)
    pairs: list[list[tuple[float, bool]]] = field(default_factory=list)
    contested: list[bool] = field(default_factory=list)
    """Of each labelled event, whether more offers were possible than a ranking has places."""
    rate: list[list[float]] = field(default_factory=list)
    """Of each event the running rate's loss of each pair."""

    def add(self, name: str, attributes: dict[str, str]) -> None:
        self.additions += 1
        self.offers[name] = Offer(attributes, self.additions)

    def remove(self, name: str) -> None:
        del self.offers[name]

    def rename(self, name: str, to: str) -> None:
        self.offers[to] = self.offers.pop(name)

    def update(self, name: str, attributes: dict[str, str]) -> None:
        self.offers[name].attributes = attributes

    def _popularity(self, name: str, ts: int) -> float:
        offer = self.offers[name]
        elapsed = 0 if offer.popularity_ts is None else max(0, ts - offer.popularity_ts)
        return float(offer.popularity * 0.5 ** (elapsed / self.half_life_ms))

    def _value(self, name: str) -> tuple[str, object]:
        offer = self.offers[name]
        if self.attribute and self.attribute in offer.attributes:
            return "attribute", offer.attributes[self.attribute]
        return "own name", offer.identity

    def _entity_attribute_counts(self, name: str, key: str) -> float:
        offer = self.offers[name]
        return self.counts[(key, *self._value(name))] + 30 * (offer.taken + 0.5) / (offer.possible + 10)

    def event(
        self, id: str, key: str, ts: int, version: int, possible: set[str], taken: set[str], logits: dict[str, float]
    ) -> None:
        def rank(score: Callable[[str], float]) -> list[str]:
            return sorted(possible, key=lambda name: (-score(name), name.encode("utf-8")))[:5]

        rankings = {
            "model": rank(lambda name: logits[name]),
            "popularity": rank(lambda name: self._popularity(name, ts)),
            "entity_attribute_counts": rank(lambda name: self._entity_attribute_counts(name, key)),
        }
        before = [was_taken for event in self.pairs for _, was_taken in event]
        probability = (sum(before) + 0.5) / (len(before) + 1)
        self.pairs.append([(logits[name], name in taken) for name in sorted(possible | taken)])
        self.rate.append([-math.log(probability if taken else 1 - probability) for _, taken in self.pairs[-1]])
        if taken:
            self.contested.append(len(possible) > 5)
            self.labelled_at.append(len(self.pairs) - 1)
            self.labelled.append({which: self._quality(ranked, taken) for which, ranked in rankings.items()})
        self.lines.append(
            {
                "id": id,
                "schema_version": version,
                "top": [[name, logits[name]] for name in rankings["model"]],
                "popularity": rankings["popularity"],
                "entity_attribute_counts": rankings["entity_attribute_counts"],
                "possible": len(possible),
                "labels": sorted(taken, key=lambda name: name.encode("utf-8")),
                "bce": [self.bce(self.pairs[-1:], total=True), len(self.pairs[-1])],
            }
        )
        for name in possible:
            self.offers[name].possible += 1
        for name in taken:
            offer = self.offers[name]
            offer.taken += 1
            offer.popularity = self._popularity(name, ts) + 1
            offer.popularity_ts = ts if offer.popularity_ts is None else max(ts, offer.popularity_ts)
            self.counts[(key, *self._value(name))] += 1

    @staticmethod
    def _quality(ranked: list[str], taken: set[str]) -> dict[str, float]:
        hits = [place for place, name in enumerate(ranked, start=1) if name in taken]
        best = min(5, len(taken))
        return {
            "recall_at_5": len(hits) / best,
            "ndcg_at_5": sum(1 / math.log2(i + 1) for i in hits)
            / sum(1 / math.log2(i + 1) for i in range(1, best + 1)),
            "precision_at_5": len(hits) / 5,
        }

    @staticmethod
    def bce(events: list[list[tuple[float, bool]]], total: bool = False) -> float | None:
        terms = [math.log(1 + math.exp(-logit if taken else logit)) for event in events for logit, taken in event]
        if total:
            return sum(terms)
        return sum(terms) / len(terms) if terms else None

    @staticmethod
    def auc(events: list[list[tuple[float, bool]]]) -> float | None:
        pairs = [pair for event in events for pair in event]
        wins = [
            1.0 if positive > negative else 0.5 if positive == negative else 0.0
            for positive, is_positive in pairs
            for negative, is_negative in pairs
            if is_positive and not is_negative
        ]
        return sum(wins) / len(wins) if wins else None

    def mean(self, which: str, measure: str, rows: slice) -> float | None:
        values = [qualities[which][measure] for qualities in self.labelled[rows]]
        return sum(values) / len(values) if values else None

    def mean_of_contested(self, which: str, measure: str, rows: slice) -> float | None:
        kept = zip(self.labelled[rows], self.contested[rows], strict=True)
        values = [qualities[which][measure] for qualities, hard in kept if hard]
        return sum(values) / len(values) if values else None

    @staticmethod
    def mean_rate_loss(events: list[list[float]]) -> float | None:
        terms = [term for event in events for term in event]
        return sum(terms) / len(terms) if terms else None

    def summary(self) -> dict[str, Any]:
        cut = len(self.labelled) // 5
        bce = self.bce(self.pairs[self.labelled_at[cut] :]) if self.labelled else None
        rate = self.mean_rate_loss(self.rate[self.labelled_at[cut] :]) if self.labelled else None
        rows, rankings = slice(cut, None), ("recall_at_5", "ndcg_at_5")
        part: dict[str, Any] = {
            which: {
                **{m: self.mean(which, m, rows) for m in rankings},
                "bce": None,
                "contested": {m: self.mean_of_contested(which, m, rows) for m in rankings},
            }
            for which in ("model", *BASELINES)
        }
        entropy = bce / rate if bce is not None and rate else None
        return {
            "contested_events": sum(self.contested[rows]),
            "running_rate": {"bce": rate},
            "model": part.pop("model") | {"bce": bce, "normalised_entropy": entropy},
            "baselines": part,
        }
