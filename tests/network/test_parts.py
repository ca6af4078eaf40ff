"""Every part keeps to what `stream.testing.check_part` asks; and the check sees the faults that it is there for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import torch

from stream.adaptation import METHODS
from stream.learner.core import LearnerCore
from stream.network.part import Owner, Part
from stream.network.table import Table
from stream.state import Tree
from stream.testing import check_part
from stream.testing.streams import FEATURES, OFFERS, apply, events, learn, settings


def _part(strategy: str, name: str) -> Part:
    learner = LearnerCore(settings(strategy, hidden=(12, 8)))
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(112))
    return dict(learner.network.parts())[name]


@pytest.mark.parametrize("name", ["input", "trunk", "output", "pairs"])
@pytest.mark.parametrize("strategy", [name for name in METHODS if "unfrozen" not in name])
def test_a_part_of_every_method_is_sound(strategy: str, name: str) -> None:
    check_part(partial(_part, strategy, name))


class _Sound(Part):
    owners = {"only": Owner.PART}  # noqa: RUF012

    def __init__(self) -> None:
        self.table = Table(1, (3,), method="adam", rate=0.1, device=torch.device("cpu"))
        self.steps = 0

    def tables(self) -> Iterator[tuple[str, Table]]:
        yield "only", self.table

    def extra_state(self) -> Tree:
        return {"steps": self.steps}

    def restore_extra(self, tree: Tree) -> None:
        self.steps = int(tree["steps"])

    def named_extra(self) -> Iterator[tuple[str, object]]:
        yield "steps", self.steps


class _NoOwner(_Sound):
    owners = {}  # noqa: RUF012


class _StaysFresh(_Sound):
    def end_warmup(self) -> None:
        pass


class _ForgetsItsState(_Sound):
    def __init__(self) -> None:
        super().__init__()
        self.steps = 7

    def restore_extra(self, tree: Tree) -> None:
        self.steps = 0


class _DrawsAtWill(_Sound):
    def __init__(self) -> None:
        super().__init__()
        self.steps = int(np.random.default_rng().integers(1 << 40))


class _SameNameTwice(_Sound):
    def named_extra(self) -> Iterator[tuple[str, object]]:
        yield "steps", self.steps
        yield "steps", self.steps


def test_a_sound_part_passes() -> None:
    check_part(_Sound)


@pytest.mark.parametrize(
    ("faulty", "what"),
    [
        (_NoOwner, "belong to"),
        (_StaysFresh, "after end_warmup nothing is fresh"),
        (_ForgetsItsState, "is another part"),
        (_DrawsAtWill, "two parts of one seed differ"),
        (_SameNameTwice, "gives a name twice"),
    ],
)
def test_a_fault_is_seen(faulty: Callable[[], Part], what: str) -> None:
    with pytest.raises(AssertionError, match=what):
        check_part(faulty)
