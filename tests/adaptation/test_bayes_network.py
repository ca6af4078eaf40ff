"""The running quadratic: information is the sum of per-sample squares, forgetting is by events, and certainty grows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stream.adaptation.bayes.network import BayesNetwork
from stream.adaptation.bayes.quadratic import Quadratic, _Fisher
from stream.learner.core import LearnerCore
from stream.network.cells import Cells
from stream.network.descent import Descent
from stream.network.table import Table
from stream.testing.streams import all_shown, apply, events, label, learn, trained


class Recording(Descent):
    """Steps nothing; keeps each table's gradient."""

    def __init__(self) -> None:
        self.gradients: dict[int, torch.Tensor] = {}

    def _take(self, table: Table, total: torch.Tensor, rows: torch.Tensor | None) -> None:
        full = torch.zeros_like(table.weight)
        full[slice(None) if rows is None else rows] = total
        self.gradients[id(table)] = full

    def _take_cells(self, cells: Cells, places: torch.Tensor, total: torch.Tensor) -> None:
        assert len(places) == len(total)


def _network(**options: Any) -> LearnerCore:
    return trained("bayes-network", 96, hidden=(12, 8), **options)


def _quadratic(learner: LearnerCore) -> Quadratic:
    method = learner.strategy.methods["bayes-network"]
    assert isinstance(method, BayesNetwork)
    return method.quadratic


def test_the_information_of_a_batch_is_the_sum_of_the_squared_gradients_of_its_events() -> None:
    learner = _network()
    network, stream = learner.network, all_shown(events(6, 9, 3000))
    for one in stream:
        one.features["tags"] = ["t1"]  # one value a feature: a row is used once by an event
    tables = {name: table for _, part in network.parts() for name, table in part.tables()}
    tables = {name: table for name, table in tables.items() if name in {"offer", "numeric", "rows", "projection"}}
    outcomes, single = [], {name: torch.zeros_like(table.weight) for name, table in tables.items()}
    for place, one in enumerate(stream):
        frame = network.frame(learner.encode([one]))
        logits = network.forward(frame)
        taken = (torch.arange(len(logits)) + place) % 3 == 0
        outcomes.append(taken.float())
        recording = Recording()
        network.backward(frame, logits, taken.float(), recording, warming_up=False)
        for name, table in tables.items():
            single[name] += recording.gradients[id(table)] ** 2
    frame = network.frame(learner.encode(stream))
    logits = network.forward(frame)
    before = {name: table.moments["precision"].clone() for name, table in tables.items()}
    quadratic = _quadratic(learner)
    quadratic.half_life_events = 0
    network.backward(frame, logits, torch.cat(outcomes), _Fisher(quadratic), warming_up=False)
    for name, table in tables.items():
        gained = table.moments["precision"] - before[name]
        assert float(single[name].max()) > 0, name
        assert torch.allclose(gained, single[name], rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize("half_life_events", [0, 50])
def test_a_row_brought_up_to_date_late_has_forgotten_as_much_as_one_kept_up_to_date(half_life_events: int) -> None:
    tables = [Table(2, (3,), method="adam", rate=0.1) for _ in range(2)]
    for table in tables:
        table.keep_precision(2.0)
        table.moments["precision"].fill_(10.0)
    quadratic = Quadratic(seed=0, prior_precision=2.0, half_life_events=half_life_events, bound=1.0, output_step=0.02)
    nothing = torch.zeros(2, 3)
    for now in (10, 20, 30, 40):
        quadratic.trained = now
        quadratic.learn_precision(tables[0], nothing, None)
    quadratic.learn_precision(tables[1], nothing, None)
    assert torch.allclose(tables[0].moments["precision"], tables[1].moments["precision"])
    wanted = 2.0 + 8.0 * 0.5 ** (40 / 50) if half_life_events else 10.0
    assert np.isclose(float(tables[1].moments["precision"][0, 0]), wanted)


def test_outcomes_are_drawn_by_name_and_event_whatever_the_slots_and_as_often_as_predicted() -> None:
    learner = _network()
    frame = learner.network.frame(learner.encode(all_shown(events(400, 9, 3000))))
    logits = torch.full((len(frame.pair_slot),), -1.0)
    quadratic = _quadratic(learner)
    drawn = quadratic._drawn(frame, logits)
    assert abs(float(drawn.mean()) - float(torch.sigmoid(torch.tensor(-1.0)))) < 0.03
    names = learner.network.layout.offers.offers.names
    renamed = Quadratic(seed=quadratic.seed, prior_precision=1.0, half_life_events=0, bound=1.0, output_step=0.02)
    renamed.drawn = quadratic.drawn
    renamed.take_names([*reversed(names)])
    frame.pair_slot = len(names) - 1 - frame.pair_slot
    assert torch.equal(renamed._drawn(frame, logits), drawn)


def test_precision_grows_with_what_was_seen_and_steps_become_smaller() -> None:
    learner = _network()
    bias = learner.network.output.offer_bias
    slot = learner.network.layout.offers.offers.slot("soap")
    early = float(bias.moments["precision"][slot])
    learn(learner, events(320, 2, 1000))
    assert float(bias.moments["precision"][slot]) > early > 1.0


def test_what_is_unsure_of_an_offer_shrinks_as_it_is_shown() -> None:
    learner = _network()
    apply(learner, label("jam", group="g1"))
    probes = all_shown(events(8, 77, 5000))
    batch = learner.encode(probes)
    early = learner.predict(batch, variance=True).variance
    assert early is not None
    jam = batch.pair_slot == learner.network.layout.offers.offers.slot("jam")
    for event in range(len(probes)):
        here = batch.pair_event == event
        assert early[jam & here].min() > early[~jam & here].mean(), "a new offer is less certain than the old ones"
    learn(learner, events(640, 4, 2000, ["soap", "milk", "bread", "tea", "jam"]))
    late = learner.predict(learner.encode(probes), variance=True).variance
    assert late is not None
    assert late[jam].mean() < early[jam].mean() / 2
