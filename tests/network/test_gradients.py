"""Each weight's gradient is that of the loss: the hand-written passes against autograd, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from stream.adaptation.bayes.output_layer import BayesOutputLayer
from stream.adaptation.glmix.random_effects import RandomEffects
from stream.adaptation.iak.kernel import KernelTrunk, Phase
from stream.adaptation.iak.settings import IakSettings
from stream.adaptation.transfer.settings import WarmupSettings
from stream.learner.core import LearnerCore
from stream.network.cells import Cells
from stream.network.curvature import HiddenCurvature
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.table import Table
from stream.testing.streams import apply, events, feature, label, learn, settings, trained_under
from tests.network.plain_network import leaves, plain_logit

Gradients = dict[int, torch.Tensor]


class Recording(Descent):
    """Steps nothing; keeps each table's gradient, zero where none came."""

    def __init__(self) -> None:
        self.found: Gradients = {}

    def _take(self, table: Table, total: torch.Tensor, rows: torch.Tensor | None) -> None:
        self.add(table, total, slice(None) if rows is None else rows)

    def _take_cells(self, cells: Cells, places: torch.Tensor, total: torch.Tensor) -> None:
        self.add(cells, total, places)

    def add(self, table: Any, total: torch.Tensor, where: Any) -> None:
        full = self.found.setdefault(id(table), torch.zeros_like(table.weight, requires_grad=False))
        full[where] += total.detach()


def _learner(strategy: str = "carry", hidden: tuple[int, ...] = (12, 12, 8), number: int = 224) -> LearnerCore:
    wanted = settings(strategy, hidden=hidden, kernels="plain", warmup=WarmupSettings(max_events=96, window_events=48))
    wanted = replace(wanted, iak=IakSettings(stochastic=False, phase_events=32))
    return trained_under(wanted, number, 1)


def _frame(learner: LearnerCore) -> Frame:
    batch = learner.encode(events(24, 5, 4000))
    learner.network.admit_keys(batch, learner.events_trained, warming_up=learner.warmup.active)
    return learner.network.frame(batch)


@pytest.fixture
def in_float64(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Turn a network to float64, its steps into records, and give back what its backward pass finds."""

    def passed(learner: LearnerCore, frame: Frame) -> tuple[torch.Tensor, Recording]:
        network, recording = learner.network, Recording()
        counts = network.counts.inputs(frame).double()
        for name in ("numeric", "missing", "row_weight", "taken", "weight"):
            setattr(frame, name, getattr(frame, name).double())
        for _, part in network.parts():
            for _, table in part.tables():
                table.weight = table.weight.double().requires_grad_()
        network.cells.begin(frame, warming_up=learner.warmup.active)
        for _, cells in network.pairs.pair_tables():
            cells.weight = cells.weight.double().requires_grad_()
        torch.set_default_dtype(torch.float64)

        def newton(part: Any, weight: Table, bias: Table, rows: Any, turned: torch.Tensor, *_: Any) -> None:
            gradient = turned @ part.vectors.T
            recording.add(weight, gradient[:, :-1], rows)
            recording.add(bias, gradient[:, -1], rows)

        def kernel(trunk: KernelTrunk, _: Any, slot: int, found: dict[str, torch.Tensor], *__: Any) -> None:
            for name, gradient in found.items():
                recording.add(trunk.kernel_tables[name], gradient[None], [slot])

        for curvature in network.output.curvatures.values():
            curvature.vectors = torch.linalg.qr(curvature.vectors.double())[0]
        monkeypatch.setattr(HiddenCurvature, "step", newton)
        monkeypatch.setattr(HiddenCurvature, "update", lambda *_: None)
        monkeypatch.setattr(KernelTrunk, "_step", kernel)
        monkeypatch.setattr(BayesOutputLayer, "_update_offers", lambda *_, **__: None)
        monkeypatch.setattr(RandomEffects, "_train_keys", lambda *_, **__: None)
        logits = network.forward(frame, training=True, count_inputs=counts)
        with torch.no_grad():
            network.backward(frame, logits.detach(), frame.taken, recording, warming_up=learner.warmup.active)
        return logits, recording

    yield passed
    torch.set_default_dtype(torch.float32)


def _loss(frame: Frame, logits: torch.Tensor) -> torch.Tensor:
    weight = frame.weight[frame.pair_event]
    return binary_cross_entropy_with_logits(logits, frame.taken, weight, reduction="sum")


def _tables(learner: LearnerCore) -> dict[str, Table | Cells]:
    network = learner.network
    found: dict[str, Table | Cells] = {
        f"{part}/{name}": table for part, module in network.parts() for name, table in module.tables()
    }
    return found | {f"pairs/{name}": table for name, table in network.pairs.pair_tables()}


def _check(
    learner: LearnerCore,
    recording: Recording,
    wanted: dict[str, torch.Tensor | None],
    skip: set[str],
    tolerance: float = 1e-9,
) -> set[str]:
    """Compare what was recorded with what autograd says; return the tables that have a gradient."""
    reached = set()
    for name, table in _tables(learner).items():
        gradient = wanted[name]
        if name in skip or gradient is None:
            continue
        found = recording.found.get(id(table), torch.zeros_like(table.weight, requires_grad=False))
        if isinstance(table, Cells) and gradient.dim() == 2:  # by names: what has no cell is not trained
            rows, columns, places = table.live()
            found, gradient = found[places], gradient[rows, columns]
        scale = float(gradient.abs().max())
        assert torch.allclose(found, gradient, rtol=tolerance, atol=tolerance * (1.0 + scale)), name
        if scale > 1e-8:
            reached.add(name)
    return reached


@pytest.mark.parametrize("hidden", [(12,), (12, 12), (12, 12, 8)])
def test_the_default_network_s_function_and_gradients_are_those_written_down_by_name(
    hidden: tuple[int, ...], in_float64: Any
) -> None:
    learner = _learner(hidden=hidden)
    stream, frame = events(24, 5, 4000), _frame(learner)
    leaf = leaves(learner)
    logits, recording = in_float64(learner, frame)
    network = learner.network
    counts, names = network.count_inputs, network.layout.offers.offers.names
    columns = {name: network.layout.features.numeric.slot(name) for name in network.layout.features.numeric}
    plain = []
    for pair, (place, slot) in enumerate(zip(frame.pair_event.tolist(), frame.pair_slot.tolist(), strict=True)):
        numeric = {
            name: None if frame.missing[place, column] else float(frame.numeric[place, column])
            for name, column in columns.items()
        }
        plain.append(plain_logit(learner, leaf, stream[place], str(names[slot]), numeric, counts[pair]))
    written = torch.stack(plain)
    assert torch.allclose(logits, written, rtol=1e-6, atol=1e-6)  # the weights of list elements are float32
    _loss(frame, written).backward()  # type: ignore[no-untyped-call]
    reached = _check(learner, recording, {name: weight.grad for name, weight in leaf.items()}, set(), 1e-6)
    assert reached == leaf.keys(), "a weight that no event of the test reaches"


METHODS = [
    "replace",
    "mlet",
    "peterrec-serial",
    "peterrec-parallel",
    "iak",
    "tune-head",
    "bayes-output",
    "glmix",
    "bayes-network",
    "iak+mlet",
    "peterrec-serial+bayes-output+glmix",
]
OWN_STEPS = {"output/offer", "output/offer_bias", "pairs/key_offer", "pairs/key_value"}
"""Weights that bayes-output and glmix train by a posterior, which has tests of its own."""


@pytest.mark.parametrize("strategy", METHODS)
def test_each_method_s_gradients_are_those_of_its_own_forward_pass(strategy: str, in_float64: Any) -> None:
    learner = _learner(strategy)
    if strategy.startswith("iak"):
        apply(learner, label("jam", group="g1"))
        learn(learner, events(160, 3, 3000))
        assert isinstance(learner.network.trunk, KernelTrunk)
        for kernel in learner.network.trunk.kernels.values():  # the phase without a penalty: the loss is BCE
            kernel.phase, kernel.mix, kernel.decodes = Phase.MATCHING, 0.5, True
    frame = _frame(learner)
    logits, recording = in_float64(learner, frame)
    _loss(frame, logits).backward()  # type: ignore[no-untyped-call]
    tables = _tables(learner)
    wanted = {name: table.weight.grad for name, table in tables.items()}
    skip = {name for name in OWN_STEPS if "bayes-output" in strategy or "glmix" in strategy}
    for name, table in tables.items():
        if isinstance(table, Table) and bool(table.held.any()):
            gradient = wanted[name]
            assert gradient is not None
            wanted[name] = gradient.where(~table.held.view(-1, *[1] * len(table.shape)), 0.0)
    if strategy.startswith("iak"):  # the phase decides; what it does not train gets nothing
        skip |= {name for name, table in tables.items() if "kernel/" in name and id(table) not in recording.found}
    reached = _check(learner, recording, wanted, skip)
    assert {"pairs/linear", "pairs/mixer_in", "pairs/wide", "pairs/flags", "output/value"} <= reached
    if strategy.startswith("peterrec"):
        assert sum("down" in name or "up" in name for name in reached) >= 4
    if strategy.startswith("iak"):
        assert any("kernel/" in name for name in reached)


@pytest.mark.parametrize("strategy", ["carry", "replace", "carry+mlet"])
def test_in_a_warm_up_the_gradients_are_those_of_what_is_fresh_and_of_nothing_else(
    strategy: str, in_float64: Any
) -> None:
    learner = _learner(strategy)
    assert apply(learner, feature("colour", "categorical"), feature("extra", "numeric"), label("jam")).warmup_started
    learn(learner, events(32, 3, 3000, ["soap", "milk", "bread", "tea", "jam"]))
    assert learner.warmup.active
    frame = _frame(learner)
    logits, recording = in_float64(learner, frame)
    _loss(frame, logits).backward()  # type: ignore[no-untyped-call]
    wanted: dict[str, torch.Tensor | None] = {}
    for name, table in _tables(learner).items():
        gradient = table.weight.grad
        if isinstance(table, Cells):
            rows, columns, places = table.live()
            fresh = torch.zeros(table.reserved, dtype=torch.bool)
            fresh[places] = torch.from_numpy(table.fresh_rows[rows] | table.fresh_columns[columns])
        else:
            fresh = table.fresh.view(-1, *[1] * len(table.shape))
        wanted[name] = None if gradient is None else gradient.where(fresh, 0.0)
    reached = _check(learner, recording, wanted, set())
    assert {"input/numeric", "input/projection", "input/rows", "output/offer"} <= reached
    assert not {name for name in reached if name.startswith("trunk")}
