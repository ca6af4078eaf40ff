"""Long lists of values beside many attribute values: memory grows with the record, and not with their product."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stream.learner.core import LearnerCore
from stream.network import cell_places
from stream.records.interaction import Interaction
from stream.testing.streams import apply, event, feature, label, settings

VALUES, OFFERS = 20_000, 1_000


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers how many elements the largest array has that an operation made anew."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        shared = {each.untyped_storage().data_ptr() for each in given}
        for each in tree_leaves(made):
            if isinstance(each, torch.Tensor) and each.untyped_storage().data_ptr() not in shared:
                self.elements = max(self.elements, each.numel())
        return made


def a_learner(strategy: str, **network: Any) -> LearnerCore:
    learner = LearnerCore(settings(strategy, attributes=1, **network))
    apply(
        learner,
        feature("history", "multi_categorical"),
        *(label(f"o{number}", category=f"c{number}") for number in range(OFFERS)),
    )
    return learner


def a_record(number: int, length: int = VALUES, first: int = 0) -> Interaction:
    items = [f"i{first + item}" for item in range(length)]
    return Interaction(str(number), "k", number, {"history": items}, ("o1",), ("o1", "o2"))


@pytest.mark.parametrize("strategy", ["carry", "carry+glmix", "carry+bayes-network"])
@pytest.mark.parametrize("known", [False, True])
def test_no_array_is_as_large_as_values_times_attribute_values(strategy: str, known: bool) -> None:
    learner = a_learner(strategy, admission_count=1, kernels="plain")
    events = [a_record(0)] if known else [a_record(0, 2)]
    for seen in (events, events):  # the second one meets rows of its own, where it is known
        learner.learn(learner.encode(seen))
    assert (learner.network.pairs.wide.used > 15_000) == known
    one = learner.encode([a_record(1, first=0 if known else VALUES)])
    many = learner.encode([a_record(number, 1000, first=1000 * number) for number in range(2, 18)])
    with Largest() as largest:  # type: ignore[no-untyped-call]
        for batch in (one, many):
            frame = learner.network.frame(batch)
            learner._train(batch, frame, warming_up=False)
    assert largest.elements <= 1 << 20 < VALUES * OFFERS // 16


@pytest.mark.parametrize("strategy", ["carry", "replace", "carry+bayes-network"])
def test_blocks_change_no_bit(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for cells in (1 << 20, 300, 1):
        monkeypatch.setattr(cell_places, "_BLOCK", cells)
        rng = random.Random(7)
        learner = LearnerCore(settings(strategy, batch_size=8))
        apply(
            learner,
            feature("tags", "multi_categorical"),
            feature("store", "categorical"),
            *(label(name, group=f"g{number}") for number, name in enumerate(("soap", "milk", "bread", "tea"))),
        )
        for batch in range(12):
            if batch == 6:  # a warm-up, in which only what is new is trained
                apply(learner, label("new", group="g1"), feature("member", "boolean"))
            learner.learn(learner.encode([event(8 * batch + number, rng) for number in range(8)]))
        digests.append(learner.state_digest())
    assert digests[0] == digests[1] == digests[2]
