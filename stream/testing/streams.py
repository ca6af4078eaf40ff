"""Small learners, versions and random events that touch every part of the network."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

import numpy as np

from stream.adaptation.backbone.settings import BackboneSettings
from stream.adaptation.transfer.settings import WarmupSettings
from stream.learner.core import LearnerCore
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.records.interaction import Interaction
from stream.schema import Version, parse_version
from stream.settings.learner import LearnerSettings
from stream.state import decode, encode

__all__ = [
    "DAY",
    "FEATURES",
    "OFFERS",
    "all_shown",
    "apply",
    "distance",
    "event",
    "events",
    "feature",
    "first_step",
    "label",
    "learn",
    "logits",
    "restored",
    "settings",
    "stack",
    "trained",
    "trained_under",
    "version",
]

DAY = 86_400_000


_OWN: Final = frozenset(field.name for field in fields(LearnerSettings))


def settings(strategy: str = "carry", **options: Any) -> LearnerSettings:
    """Return settings of a small network and short phases.

    `options` are settings and sections of `LearnerSettings` by name, and settings of its network.
    """
    shape = {name: value for name, value in options.items() if name not in _OWN}
    wanted: dict[str, Any] = {
        "seed": 3,
        "batch_size": 16,
        "network": NetworkSettings(**{"hidden": (12,), "embedding_dim": 4, "pair_hidden": 4, **shape}),
        "warmup": WarmupSettings(max_events=64, window_events=16),
        "backbone": BackboneSettings(pretrain_events=96),
        "optimiser": OptimiserSettings(step_events=10, step_age=8),
        **{name: value for name, value in options.items() if name in _OWN},
    }
    return LearnerSettings(strategy=strategy, **wanted)


def version(number: int, changes: Sequence[dict[str, Any]], ts: int = 0) -> Version:
    """Return the parsed version of these changes."""
    return parse_version(json.dumps({"version": number, "ts": ts, "changes": list(changes)}).encode())


def apply(learner: LearnerCore, *changes: dict[str, Any]) -> Any:
    """Put the next version of the learner's schema in effect."""
    return learner.apply(version(learner.schema.version + 1, changes))


def feature(name: str, kind: str) -> dict[str, Any]:
    """Return the change that adds a feature, as JSON has it."""
    return {"op": "add_feature", "name": name, "kind": kind}


def label(name: str, **attributes: str) -> dict[str, Any]:
    """Return the change that adds an offer, as JSON has it."""
    return {"op": "add_label", "name": name, "attributes": attributes}


FEATURES = [
    feature("price", "numeric"),
    feature("age", "numeric"),
    feature("member", "boolean"),
    feature("store", "categorical"),
    feature("tags", "multi_categorical"),
]
OFFERS = [
    label("soap", group="g1", brand="b1"),
    label("milk", group="g2", brand="b1"),
    label("bread", group="g2"),
    label("tea"),
]
"""Values `g1`, `g2` and `b1` occur among the tags and stores too, so the shared flags are at work."""


def event(index: int, rng: random.Random, labels: Sequence[str] = ("soap", "milk", "bread", "tea")) -> Interaction:
    """Return an event with every kind of value, some missing, some rare, some mistyped."""
    tags = rng.sample(["g1", "g2", "b1", "t1", "t2", f"once-{index}"], rng.randint(0, 4))
    features: dict[str, Any] = {
        "price": rng.choice([None, rng.uniform(-1, 1), rng.uniform(-1, 1), True]),
        "age": rng.uniform(0, 50),
        "member": rng.choice([None, True, False, 1]),
        "store": rng.choice([None, "g1", "s1", "s2", f"rare-{rng.randint(0, 20)}", 7]),
        "tags": rng.choice([None, tags, tags, tags]),
        "extra": rng.uniform(-1, 1),
        "colour": rng.choice(["red", "g2", None]),
    }
    wants = "g2" in tags
    taken = tuple(name for place, name in enumerate(labels) if rng.random() < (0.6 if wants and place % 2 else 0.15))
    shown: Any = rng.choice([None, None, None, {"group": ("g1", "g2")}, tuple(labels[:2])])
    return Interaction(
        id=f"e{index}",
        key=f"k{rng.randint(0, 8)}",
        ts=1_700_000_000_000 + index * DAY // 50,
        features=features,
        labels=taken,
        shown=shown,
        weight=rng.choice([1.0, 1.0, 0.5]),
    )


def events(number: int, seed: int = 0, first: int = 0, labels: Sequence[str] | None = None) -> list[Interaction]:
    """Return so many events from a seed, numbered from `first` on; `labels` are the offers that may be taken."""
    rng = random.Random(f"{seed}/{first}")
    wanted = ("soap", "milk", "bread", "tea") if labels is None else labels
    return [event(first + index, rng, wanted) for index in range(number)]


def learn(learner: LearnerCore, interactions: Sequence[Interaction], batch: int = 16) -> list[Any]:
    """Train in batches; return the reports."""
    return [
        learner.learn(learner.encode(interactions[start : start + batch]))
        for start in range(0, len(interactions), batch)
    ]


def first_step(learner: LearnerCore, interactions: int) -> int:
    """Return how many events of the next batch of so many are predicted before any of them is trained."""
    return min(
        interactions,
        learner.settings.optimiser.step_of(learner.events_trained) if learner.events_trained else interactions,
    )


def trained_under(wanted: LearnerSettings, number: int = 160, seed: int = 0) -> LearnerCore:
    """Return a learner of the standard schema under these settings, after some events."""
    learner = LearnerCore(wanted)
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(number, seed))
    return learner


def trained(strategy: str = "carry", number: int = 160, seed: int = 0, **options: Any) -> LearnerCore:
    """Return the same of a small network; `options` are those of `settings`, `seed` that of the events."""
    return trained_under(settings(strategy, **options), number, seed)


def restored(learner: LearnerCore) -> LearnerCore:
    """Return what a checkpoint gives back."""
    return LearnerCore.from_state(decode(encode(learner.state())), learner.settings)


def logits(learner: LearnerCore, interactions: Sequence[Interaction]) -> dict[tuple[int, str], float]:
    """Return the logit of each (event, offer)."""
    predictions = learner.predict(learner.encode(interactions))
    names = predictions.names
    return {
        (int(event), str(names[slot])): float(value)
        for event, slot, value in zip(
            predictions.batch.pair_event, predictions.batch.pair_slot, predictions.logits, strict=True
        )
    }


def all_shown(interactions: Sequence[Interaction]) -> list[Interaction]:
    """Return the same events with every live offer shown, as probes."""
    for one in interactions:
        one.shown = None
        one.labels = ()
    return list(interactions)


def distance(new: dict[tuple[int, str], float], old: dict[tuple[int, str], float]) -> float:
    """Return the largest difference of common logits over 1 + the event's largest absolute logit before."""
    largest: dict[int, float] = {}
    for (index, _), value in old.items():
        largest[index] = max(largest.get(index, 0.0), abs(value))
    return max(
        (abs(new[pair] - value) / (1.0 + largest[pair[0]]) for pair, value in old.items() if pair in new), default=0.0
    )


def stack(values: Sequence[np.ndarray]) -> np.ndarray:
    """Return all values in one row."""
    return np.concatenate([value.reshape(-1) for value in values])
