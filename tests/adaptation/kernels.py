"""Learners with IAK kernels, and what can be read off them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stream.adaptation.iak.kernel import COMMON, KernelTrunk
from stream.adaptation.iak.settings import IakSettings
from stream.adaptation.transfer.settings import WarmupSettings
from stream.learner.core import LearnerCore
from stream.network.persistence import weight_entries
from stream.records.interaction import Interaction
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    apply,
    events,
    feature,
    label,
    learn,
    settings,
)

HELD = 96
"""Events of pre-training in `stream.testing.streams.settings`."""
PHASE = 64


def learner_of(strategy: str = "iak", *, warmup: int = 64, **iak: Any) -> LearnerCore:
    """A learner that is past pre-training, without a kernel."""
    base = settings(strategy, hidden=(12, 8), warmup=WarmupSettings(max_events=warmup, window_events=16))
    learner = LearnerCore(replace(base, iak=IakSettings(**{"phase_events": PHASE, **iak})))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, with_scene(events(HELD + 32, 1)))
    return learner


def with_scene(interactions: list[Interaction]) -> list[Interaction]:
    """The same events, each in a scene of its own feature: a often, b less, c rarely; sometimes in none."""
    for index, one in enumerate(interactions):
        scenes = ["a", "a", "a", "b", None, "a", "b", "c"]
        one.features["scene"] = scenes[index % 8]
    return interactions


def trunk(learner: LearnerCore) -> KernelTrunk:
    found = learner.network.trunk
    assert isinstance(found, KernelTrunk)
    return found


def weights(learner: LearnerCore) -> dict[str, bytes]:
    return {
        name: np.asarray(value).tobytes()
        for name, value in weight_entries(learner.network)
        if isinstance(value, np.ndarray)
    }


def moved(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """Names of what is new or changed."""
    return {name for name, value in after.items() if before.get(name) != value}


def of_kernel(names: set[str], kernel: str = COMMON) -> set[str]:
    prefix, end = "trunk/kernel/", f"/{kernel}"
    return {name[len(prefix) : -len(end)] for name in names if name.startswith(prefix) and name.endswith(end)}


def trigger(learner: LearnerCore) -> Any:
    return apply(learner, feature("extra", "numeric"), label("jam", group="g3"))
