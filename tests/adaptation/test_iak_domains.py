"""IAK by domain: a kernel each, of which only those of a batch's events are computed and moved."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from stream.adaptation.iak.kernel import COMMON, Phase
from stream.adaptation.iak.method import Iak
from stream.adaptation.iak.settings import IakSettings
from stream.adaptation.transfer.settings import WarmupSettings
from stream.learner.core import LearnerCore
from stream.network.descent import Descent
from stream.records.interaction import Interaction
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    events,
    feature,
    learn,
    logits,
    restored,
    settings,
)
from tests.adaptation.kernels import HELD, PHASE, learner_of, moved, of_kernel, trigger, trunk, weights, with_scene


def domains_of(**iak: Any) -> LearnerCore:
    """A learner whose domain feature has been there for a while."""
    base = settings("iak", hidden=(12, 8), warmup=WarmupSettings(max_events=32, window_events=16))
    chosen = {"phase_events": PHASE, "domain_feature": "scene", "domain_batch_events": 1, **iak}
    learner = LearnerCore(replace(base, iak=IakSettings(**chosen)))
    apply(learner, *FEATURES, feature("scene", "categorical"), *OFFERS)
    learn(learner, with_scene(events(HELD + 32, 1)))
    return learner


def in_scene(name: str | None, number: int, first: int = 3000) -> list[Interaction]:
    chosen = events(number, 5, first)
    for one in chosen:
        one.features["scene"] = name
    return chosen


def test_each_domain_has_a_kernel_from_the_end_of_pre_training_and_only_the_active_ones_bytes_move() -> None:
    learner = domains_of()
    assert set(trunk(learner).kernels) == {"domain a", "domain b", "domain c"}
    before = weights(learner)
    learn(learner, in_scene("b", 16))
    after = moved(before, weights(learner))
    assert of_kernel(after, "domain b")
    assert not of_kernel(after, "domain a") | of_kernel(after, "domain c")
    names = [name for name, _, _ in trunk(learner)._passes]
    assert names == ["domain b"], "a kernel was computed that no event is of"


def test_an_event_without_a_known_domain_has_the_common_kernel() -> None:
    learner = domains_of()
    trigger(learner)
    assert COMMON in trunk(learner).kernels
    before = weights(learner)
    learn(learner, [*in_scene(None, 8), *in_scene("never seen", 1, 4000)])
    after = moved(before, weights(learner))
    assert of_kernel(after, COMMON)
    assert not any(of_kernel(after, f"domain {name}") for name in "abc")
    assert trunk(learner).kernels[COMMON].events == 9


def test_domains_beyond_the_bound_share_the_common_kernel() -> None:
    learner = domains_of(domains_max=2)
    assert set(trunk(learner).kernels) == {"domain a", "domain b"}
    trigger(learner)
    learn(learner, in_scene("c", 16))
    assert set(trunk(learner).kernels) == {"domain a", "domain b", COMMON}
    assert trunk(learner).kernels[COMMON].events == 16


def test_a_domain_that_comes_later_starts_from_the_common_kernel_without_a_jump() -> None:
    learner = domains_of()
    trigger(learner)
    learn(learner, in_scene(None, 3 * PHASE))
    assert trunk(learner).kernels[COMMON].mix == 1.0
    learn(learner, in_scene("late", 2, 6000))  # admitted with the second
    assert "domain late" not in trunk(learner).kernels
    probes = all_shown(in_scene("late", 12, 7000))
    twin = restored(learner)
    frame = twin.network.frame(twin.encode(probes))
    trunk(twin).insert("domain late")
    method = twin.strategy.methods["iak"]
    assert isinstance(method, Iak)
    before = logits(twin, probes)
    method._bind(twin.network)
    assert frame.events == 12
    assert logits(twin, probes) == before
    learn(learner, in_scene("late", 4, 6100))
    assert trunk(learner).kernels["domain late"].mix == 1.0


@pytest.mark.parametrize("batch", [4, 16])
def test_a_rare_domains_gradient_is_gathered_until_enough_of_its_events_were_seen(batch: int) -> None:
    learner = domains_of(domain_batch_events=16, phase_events=1000)
    for name in list(trunk(learner).kernels):
        trunk(learner).enter(name, Phase.COMPRESSION)  # nothing gathered yet
    before = weight_rows(learner, "domain b")
    steps = 0
    for start in range(0, 48, batch):
        learn(learner, in_scene("b", batch, 3000 + start))
        now = weight_rows(learner, "domain b")
        steps += not np.array_equal(now, before)
        before = now
    assert steps == 3
    table, slot = trunk(learner).kernel_tables["projection"], trunk(learner).names.slot("domain b")
    assert not table.moments["gathered"][slot].any()


def weight_rows(learner: LearnerCore, name: str) -> np.ndarray:
    slot = trunk(learner).names.slot(name)
    return np.concatenate([table.weight[slot].reshape(-1).numpy() for table in trunk(learner).kernel_tables.values()])


def test_a_renamed_domain_feature_keeps_its_kernels_and_a_removed_one_leaves_zeros() -> None:
    learner = domains_of()
    apply(learner, {"op": "rename_feature", "name": "scene", "to": "place"})
    before, stream = weights(learner), in_scene("a", 16)
    for one in stream:
        one.features["place"] = one.features.pop("scene")
    learn(learner, stream)
    assert of_kernel(moved(before, weights(learner)), "domain a")
    slots = {name: trunk(learner).names.slot(name) for name in trunk(learner).kernels}
    apply(learner, {"op": "remove_feature", "name": "place"}, feature("other", "categorical"))
    assert set(trunk(learner).kernels) == {COMMON}
    freed = sorted(set(slots.values()) - {trunk(learner).names.slot(COMMON)})
    assert len(freed) == 2
    for table in trunk(learner).kernel_tables.values():
        assert not any(bool(tensor[freed].any()) for tensor in (table.weight, *table.moments.values()))
    learn(learner, in_scene("a", 48, 8000))
    assert trunk(learner).domain_slot is None
    apply(learner, feature("scene", "boolean"))
    for one in (stream := in_scene("a", 128, 9000)):
        one.features["scene"] = random.Random(one.id).random() < 0.5
    learn(learner, stream)
    assert set(trunk(learner).kernels) == {"domain true", "domain false", COMMON}


def test_a_domain_feature_that_is_no_category_is_remarked_upon_and_leaves_all_events_to_the_common_kernel() -> None:
    learner = learner_of(domain_feature="age")
    assert trigger(learner).remarks == []
    remarks = apply(learner, {"op": "retype_feature", "name": "age", "kind": "multi_categorical"}).remarks
    assert len(remarks) == 1
    assert "is multi_categorical" in remarks[0]
    learn(learner, events(32, 3, 2000))
    assert set(trunk(learner).kernels) == {COMMON}


def test_the_gradient_that_goes_on_to_the_input_is_that_of_autograd_over_all_domains_of_a_batch() -> None:
    learner = domains_of(beta=0.0, alpha=0.0)
    learn(learner, with_scene(events(32, 3, 2500)))
    part, network = trunk(learner), learner.network
    assert any(0 < kernel.mix <= 1 for kernel in part.kernels.values())
    frame = network.frame(learner.encode(with_scene(events(16, 3, 2600))))
    z = network.input.forward(frame).requires_grad_()
    out = part.forward(z, frame, training=True)
    assert len(part._passes) == 3
    by_out = torch.from_numpy(np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32))
    (wanted,) = torch.autograd.grad((out * by_out).sum(), z)
    with torch.no_grad():
        found = part.backward(by_out, _Nothing(), warming_up=True)
    assert found is not None
    assert torch.allclose(found, wanted, atol=1e-5)


class _Nothing(Descent):
    """Takes no step."""

    def product(self, *args: Any) -> None: ...

    def summed(self, *args: Any) -> None: ...
