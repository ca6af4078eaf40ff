"""The output layer's compiled passes over the pairs that are shown, against the plain ones over all slots."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from stream.encoding.offers import Offers
from stream.network.descent import Descent
from stream.network.frame import Arrays, Frame
from stream.network.output_layer import OutputLayer
from stream.network.settings import NetworkSettings, OptimiserSettings

CPU = torch.device("cpu")
OFFERS = 40


def _offers() -> Offers:
    offers = Offers(attributes=2, departed_capacity=100)
    for slot in range(OFFERS):
        attributes = {"group": f"g{slot % 5}"} | ({"brand": f"b{slot % 11}"} if slot % 3 else {})
        offers.add(f"offer {slot}", attributes)
    return offers


def _frame(offers: Offers, shown: list[list[int]], seed: int = 1) -> Frame:
    """Events that show these slots each."""
    generator = np.random.default_rng(seed)
    sizes, none = [len(slots) for slots in shown], np.zeros(0, dtype=np.int64)
    numeric = np.zeros((len(shown), 8), dtype=np.float32)
    arrays = Arrays(
        numeric=numeric,
        missing=numeric,
        rows=none,
        row_event=none,
        row_slot=none,
        row_weight=none.astype(np.float32),
        row_offsets=np.zeros(len(shown) + 1, dtype=np.int64),
        entity=np.zeros(len(shown), dtype=np.int64),
        pair_event=np.repeat(np.arange(len(shown)), sizes),
        pair_slot=np.array([slot for slots in shown for slot in slots], dtype=np.int64),
        pair_offsets=np.append(0, np.cumsum(sizes)),
        listed=np.zeros(len(shown), dtype=bool),
        possible=np.ones(sum(sizes), dtype=bool),
        taken=(generator.random(sum(sizes)) < 0.2).astype(np.float32),
        weight=generator.uniform(0.0, 2.0, len(shown)).astype(np.float32),
        ts=np.zeros(len(shown), dtype=np.int64),
    )
    return Frame(arrays, offers, np.zeros((0, 2), dtype=np.int64), CPU)


def _layer(offers: Offers, *, compiled: bool, width: int = 20) -> OutputLayer:
    layer = OutputLayer(dataclasses.replace(NetworkSettings(), hidden=(width,)), OptimiserSettings(), CPU)
    layer.reserve(offers.offers.capacity, offers.values.capacity)
    generator = torch.Generator().manual_seed(3)
    for _, table in layer.tables():
        table.weight.copy_(torch.randn(table.weight.shape, generator=generator))
        if "curvature" in table.moments:
            table.moments["curvature"].copy_(10.0 * torch.rand(table.rows, generator=generator))
    layer.compiled = compiled
    return layer


def _hidden(rows: int, width: int = 20) -> torch.Tensor:
    return torch.relu(torch.randn(rows, width, generator=torch.Generator().manual_seed(rows)))


SHOWN = [[0, 3, 7, 39], [], [3, 4, 5, 6, 7, 8, 9], [39], list(range(OFFERS))]


@pytest.mark.parametrize("warming_up", [False, True])
def test_scores_gradients_and_steps_are_those_of_the_plain_passes(warming_up: bool) -> None:
    offers = _offers()
    layers = [_layer(offers, compiled=compiled) for compiled in (False, True)]
    for layer in layers:
        layer.offer.fresh[[3, 39]] = layer.value.fresh[[1, 4]] = True
        for table in (layer.offer, layer.offer_bias):
            table.held[7] = table.holds = True
    for step in range(3):
        frame = _frame(offers, SHOWN, step)
        hidden, generator = _hidden(len(SHOWN)) + step, torch.Generator().manual_seed(step)
        gradient = torch.randn(len(frame.arrays.pair_slot), generator=generator)
        gradient[4:7] = 0.0
        found = []
        for layer in layers:
            scores = layer.scores(frame, hidden)
            passed = layer.hidden_gradient(frame, gradient)
            layer.train(frame, scores, gradient, Descent(), warming_up=warming_up)
            found.append((scores, passed, *(table.weight for _, table in layer.tables())))
            found[-1] += layer.offer.moments["curvature"], layer.value.moments["curvature"]
        for ours, theirs in zip(*found, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    if warming_up:
        untouched = _layer(offers, compiled=True)
        still = [slot for slot in range(OFFERS) if slot not in (3, 39)]
        assert torch.equal(layers[1].offer.weight[still], untouched.offer.weight[still])


def test_a_pair_s_score_has_the_same_bits_whatever_stands_beside_it_and_whatever_is_reserved() -> None:
    offers = _offers()
    layer, hidden = _layer(offers, compiled=True), _hidden(2)
    alone = layer.scores(_frame(offers, [[], [5]]), hidden)
    among = layer.scores(_frame(offers, [[5, 6], list(range(OFFERS))]), hidden)
    assert alone[0] == among[2 + 5]
    layer.reserve(1000, 500)
    assert torch.equal(layer.scores(_frame(offers, [[5, 6], list(range(OFFERS))]), hidden), among)


def test_a_row_s_step_has_the_same_bits_whatever_else_is_shown() -> None:
    offers = _offers()
    rows = []
    for shown in ([[5]], [[5, *range(6, OFFERS)]]):
        layer, frame = _layer(offers, compiled=True), _frame(offers, shown)
        frame.weigh(np.ones(1, dtype=np.float32))
        layer.value_bias.hold()
        layer.value.hold()
        layer.scores(frame, _hidden(1))
        layer.train(frame, torch.zeros(len(shown[0])), torch.ones(len(shown[0])), Descent(), warming_up=False)
        rows.append(layer.offer.weight[5].clone())
    assert torch.equal(rows[0], rows[1])
