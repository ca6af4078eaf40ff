"""The running counts against plain dictionaries, over random batches with late events and repeated keys."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.schema import Kind
from stream.testing.streams import DAY, FEATURES, OFFERS, apply, events, learn, settings
from tests.network.plain_counts import Event, PlainCounts
from tests.network.plain_network import plain_values

OF_OFFER = {
    "soap": {"group": "g1", "brand": "b1"},
    "milk": {"group": "g2", "brand": "b1"},
    "bread": {"group": "g2"},
    "tea": {},
}


def _possible(event: Interaction) -> set[str]:
    if event.shown is None:
        return set(OF_OFFER)
    if isinstance(event.shown, tuple):
        return set(event.shown)
    return {n for n, own in OF_OFFER.items() if all(own.get(a) in values for a, values in event.shown.items())}


def _seen(event: Interaction, learner: LearnerCore) -> Event:
    assert event.key is not None
    rows: dict[str, set[str]] = {}
    features = learner.network.layout.features
    for name, kind in features.kinds.items():
        if kind is not Kind.NUMERIC:
            known = learner.network.layout.rows.vocabularies[features.slot(name)].row_of
            rows[name] = {value for value in plain_values(event.features.get(name), kind) or () if value in known}
    inside = set().union(*rows.values())
    shared = {pair for own in OF_OFFER.values() for pair in own.items() if pair[1] in inside}
    return Event(event.key, event.ts, _possible(event), set(event.labels), shared, isinstance(event.shown, tuple))


@pytest.mark.parametrize("size", [1, 5, 16])
@pytest.mark.parametrize("kernels", ["auto", "plain"])
def test_the_inputs_of_every_pair_are_those_of_plain_dictionaries(size: int, kernels: str) -> None:
    wanted = settings(count_half_life_days=0.5, kernels=kernels)
    steps = dataclasses.replace(wanted.optimiser, step_events=size, step_age=0)
    learner = LearnerCore(dataclasses.replace(wanted, optimiser=steps))
    apply(learner, *FEATURES, *OFFERS)
    network = learner.network
    plain = PlainCounts(wanted.network.prevalence, 0.5 * DAY, OF_OFFER)
    stream = events(16 * size, 7)
    late = random.Random(5)
    for event in stream:
        event.ts += late.randint(-2, 2) * DAY
    compared = 0
    for start in range(0, len(stream), size):
        some = stream[start : start + size]
        batch = learner.encode(some)
        seen = [_seen(event, learner) for event in some]
        network.admit_keys(batch, learner.events_trained, warming_up=False)
        found = network.counts.inputs(network.frame(batch)).numpy()
        names = network.layout.offers.offers.names
        places = {name: network.layout.offers.attributes.slot(name) for name in ("brand", "group")}
        for pair, (event, slot) in enumerate(zip(batch.pair_event.tolist(), batch.pair_slot.tolist(), strict=True)):
            inputs = plain.inputs(seen[event], str(names[slot]), places, wanted.network.attributes)
            assert np.allclose(found[pair], inputs, rtol=2e-5, atol=2e-5), (start, pair)
            compared += 1
        plain.update(seen)
        learn(learner, some, size)
    assert compared > 16 * size
