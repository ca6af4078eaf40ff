"""MLET: a step of a factored table is the papers' one, the product serves in its place, and all else is as without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stream.adaptation import parse_strategy
from stream.adaptation.mlet.convert import factorised, largest_difference, merged
from stream.adaptation.mlet.factorised_input import FactorisedInput, balanced_factors
from stream.adaptation.mlet.settings import MletSettings
from stream.cli import main
from stream.encoding.offers import Offers
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.network.descent import Descent
from stream.network.frame import Arrays, Frame
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table
from stream.settings.learner import LearnerSettings
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    distance,
    event,
    events,
    feature,
    label,
    learn,
    logits,
    restored,
    settings,
    trained,
)

INNER, DIM, WIDTH = 10, 3, 5


def _layer(rate: float) -> FactorisedInput:
    """Three features in the first slots, with seven rows among them, trained by SGD."""
    layer = FactorisedInput(
        NetworkSettings(hidden=(WIDTH,), embedding_dim=DIM),
        OptimiserSettings(embedding_method="sgd"),
        INNER,
        rate,
        rate,
        1,
        torch.device("cpu"),
    )
    for slot, name in enumerate(("one", "two", "three")):
        layer.start_projection(slot, name, silent=False, fresh=False)
    layer.start_rows(list(range(7)), [str(row) for row in range(7)])
    return layer


def _frame(uses: list[tuple[int, int, int, float]], events: int) -> Frame:
    """A frame whose active rows are (event, slot, row, weight)."""
    event, slot, row, weight = (np.array(column) for column in zip(*uses, strict=True))
    none, numeric = np.zeros(0, dtype=np.int64), np.zeros((events, 8), dtype=np.float32)
    pairs: dict[str, Any] = dict.fromkeys(("entity", "pair_event", "pair_slot", "possible", "taken", "weight"), none)
    arrays = Arrays(
        numeric=numeric,
        missing=numeric,
        rows=row,
        row_event=event,
        row_slot=slot,
        row_weight=weight.astype(np.float32),
        row_offsets=np.searchsorted(event, np.arange(events + 1)),
        pair_offsets=np.zeros(events + 1, dtype=np.int64),
        listed=np.zeros(events, dtype=bool),
        ts=np.zeros(events, dtype=np.int64),
        **pairs,
    )
    offers = Offers(attributes=1, departed_capacity=1)
    return Frame(arrays, offers, np.zeros((0, 1), dtype=np.int64), torch.device("cpu"))


LIVE = {"numeric": torch.zeros(0, dtype=torch.int64), "projection": torch.arange(3)}
USES = [(0, 0, 1, 1.0), (0, 1, 3, 0.5), (1, 0, 1, 1.0), (1, 2, 5, 2.0), (2, 0, 2, 1.0), (2, 1, 3, 1.0), (2, 1, 4, 0.7)]


def test_one_step_moves_the_merged_table_as_the_papers_say() -> None:
    """methods.md, section 5; what is beyond it is of the second order, and in the row itself alone."""
    beyond = []
    for eta in (0.2, 0.1):
        layer = _layer(eta)
        frame = _frame([(0, 0, 2, 1.0)], 1)
        a, b, p = layer.rows.weight.clone(), layer.factor.weight[0].clone(), layer.projection.weight[0].clone()
        through = torch.linspace(-1.0, 2.0, WIDTH)[None]
        layer.forward(frame)
        layer.backward(frame, through, LIVE, _OnlyRowsAndFactors(), warming_up=False)
        moved = layer.rows.weight @ layer.factor.weight[0] - a @ b
        g = p @ through[0]
        for row in (0, 1, 3, 4, 5, 6):
            assert torch.allclose(moved[row], -eta * (a[row] @ a[2]) * g, rtol=1e-4, atol=1e-6)
        own = -eta * (a[2] @ a[2] * torch.eye(DIM) + b.T @ b) @ g
        assert float(torch.linalg.norm(own)) > 0.05
        assert torch.allclose(moved[2] - own, eta**2 * (b @ g @ a[2]) * g, rtol=1e-3, atol=1e-6)
        beyond.append(float(torch.linalg.norm(moved[2] - own)))
    assert beyond[0] == pytest.approx(4 * beyond[1], rel=1e-2)
    assert beyond[0] > 1e-4


class _OnlyRowsAndFactors(Descent):
    def product(self, table: Table, left: torch.Tensor, right: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        """Leave the projection as it is."""

    def summed(self, table: Table, gradient: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        """Leave the bias as it is."""


class _Recorder(Descent):
    """Keeps each gradient instead of a step."""

    def __init__(self) -> None:
        self.found: dict[int, torch.Tensor] = {}

    def _keep(self, table: Table, gradient: torch.Tensor, rows: torch.Tensor | None) -> None:
        full = torch.zeros_like(table.weight)
        full[slice(None) if rows is None else rows] = gradient.view(-1, *table.shape)
        self.found[id(table)] = full

    def product(self, table: Table, left: torch.Tensor, right: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        self._keep(table, left.T @ right, rows)

    def stacked(self, table: Table, left: torch.Tensor, right: torch.Tensor, rows: torch.Tensor) -> None:
        self._keep(table, torch.einsum("bnk,bnm->nkm", left, right), rows)

    def summed(self, table: Table, gradient: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        self._keep(table, gradient.sum(0), rows)

    def gathered(self, table: Table, rows: torch.Tensor, gradient: torch.Tensor) -> None:
        self.found[id(table)] = torch.zeros_like(table.weight).index_add_(0, rows, gradient)


def test_gradients_are_those_of_autograd() -> None:
    layer, frame, recorder = _layer(1.0), _frame(USES, 3), _Recorder()
    upstream = torch.linspace(-1.0, 1.0, 3 * WIDTH).view(3, WIDTH)
    layer.forward(frame)
    layer.backward(frame, upstream, LIVE, recorder, warming_up=False)
    tables = {"rows": layer.rows, "factor": layer.factor, "projection": layer.projection}
    wanted = {name: table.weight.clone().requires_grad_() for name, table in tables.items()}
    z = torch.zeros(3, WIDTH)
    for number, slot, row, weight in USES:
        part = weight * wanted["rows"][row] @ wanted["factor"][slot] @ wanted["projection"][slot]
        z = z + torch.nn.functional.one_hot(torch.tensor(number), 3)[:, None] * part
    assert torch.allclose(z.detach(), layer.forward(frame), atol=1e-6)
    torch.autograd.backward([(z * upstream).sum()])
    for name, table in tables.items():
        assert torch.allclose(recorder.found[id(table)], wanted[name].grad, atol=1e-6), name  # type: ignore[arg-type]
        assert float(recorder.found[id(table)].abs().max()) > 0.1


def test_a_new_table_has_the_spread_of_a_single_one() -> None:
    layer = _layer(1.0)
    layer.reserve(8, 8, 4096)
    layer.start_rows(list(range(4096)), [str(row) for row in range(4096)])
    product = layer.rows.weight @ layer.factor.weight[:3].mean(0)
    single = layer.rows.weight[:, :DIM]
    products = torch.cat([layer.rows.weight @ layer.factor.weight[slot] for slot in range(3)])
    assert float(products.std()) == pytest.approx(float(single.std()), rel=0.25)
    assert float(product.std()) < float(single.std())


# -- merging --------------------------------------------------------------------------------------------------------


MERGED = [
    "mlet",
    "replace+mlet",
    "tune-head+mlet",
    "bayes-output+mlet",
    "glmix+mlet",
    "peterrec-serial+mlet",
    "iak+mlet",
]


@pytest.mark.parametrize("strategy", MERGED)
def test_the_merged_learner_predicts_the_same_with_fewer_parameters(strategy: str) -> None:
    learner = trained(strategy, 320, hidden=(12, 8))
    apply(learner, feature("colour", "categorical"), label("jam", group="g3"))
    learn(learner, events(64, 1, 900))
    served = merged(learner)
    assert served.settings.strategy == "+".join(
        entry.name for entry in parse_strategy(strategy) if entry.name != "mlet"
    )
    probes = all_shown(events(40, 77, 5000))
    before, after = logits(learner, probes), logits(served, probes)
    assert max(abs(before[pair] - after[pair]) for pair in before) < 1e-5
    assert largest_difference(learner, served)[0] < 1e-5
    figures = learner.strategy.figures()
    saved = figures["mlet_parameters"] - figures["mlet_parameters_merged"]
    assert saved > 0
    assert learner.summary()["parameters"] - served.summary()["parameters"] == saved
    assert restored(served).state_digest() == served.state_digest()
    learn(served, events(64, 1, 1000))


def test_a_difference_between_two_learners_is_found() -> None:
    learner = trained("mlet", 160)
    other = restored(learner)
    slot = other.network.layout.features.slot("store")
    other.network.input.rows.weight[other.network.layout.rows.vocabularies[slot].row_of["g1"]] += 0.5
    assert largest_difference(learner, other)[0] > 1e-3


def test_only_factors_can_be_merged_and_only_single_tables_factorised() -> None:
    plain, factored = trained("carry", 32), trained("mlet", 32)
    with pytest.raises(ConfigurationError, match="nothing to merge"):
        merged(plain)
    with pytest.raises(ConfigurationError, match="has factors already"):
        factorised(factored, factored.settings)
    with pytest.raises(ConfigurationError, match=r"add \+mlet"):
        factorised(plain, plain.settings)
    narrow = LearnerSettings(seed=3, strategy="carry+mlet", network=plain.settings.network, mlet=MletSettings(inner=3))
    with pytest.raises(ConfigurationError, match=r"mlet\.inner = 3 is below network\.embedding_dim = 4"):
        factorised(plain, narrow)


def test_a_quadratic_around_factors_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigurationError, match="only the product of two factors is identified"):
        parse_strategy("bayes-network+mlet")


@pytest.mark.parametrize("rows", [2, 3, 40])
def test_balanced_factors_give_the_table_back_and_share_it_evenly(rows: int) -> None:
    rng = np.random.default_rng(rows)
    table = rng.standard_normal((rows, 4))
    turn = np.linalg.qr(rng.standard_normal((9, 9)))[0]
    wide, narrow = balanced_factors(table, turn, np.zeros((rows, 9)))
    assert np.allclose(wide @ narrow, table)
    assert np.allclose(wide.T @ wide, narrow @ narrow.T)
    noisy, same = balanced_factors(table, turn, rng.standard_normal((rows, 9)))
    assert np.allclose(noisy @ same, table)
    assert np.linalg.matrix_rank(noisy) == min(rows, 9)
    with pytest.raises(ValueError, match="cannot give back"):
        balanced_factors(table, np.eye(3), np.zeros((rows, 3)))


def test_a_start_from_single_tables_predicts_the_same_and_then_uses_all_directions() -> None:
    plain = trained("carry", 320)
    factored = factorised(plain, settings("carry+mlet"))
    probes = all_shown(events(40, 77, 5000))
    assert distance(logits(factored, probes), logits(plain, probes)) < 1e-5
    assert merged(factored).summary()["parameters"] == plain.summary()["parameters"]
    slot = factored.network.layout.features.slot("tags")
    layer = factored.network.input
    assert isinstance(layer, FactorisedInput)
    assert np.linalg.norm(layer.factor.weight[slot]) == pytest.approx(2.0, rel=1e-5), "the norm of a fresh factor"
    before = layer.factor.weight[slot].clone()
    learn(factored, events(160, 2, 900))
    assert np.linalg.matrix_rank((layer.factor.weight[slot] - before).numpy()) == 4
    assert restored(factored).state_digest() == factored.state_digest()


# -- in the learner -------------------------------------------------------------------------------------------------


def test_a_value_first_seen_in_a_warm_up_trains_its_row_and_leaves_its_features_factor() -> None:
    learner = trained("mlet", 160, admission_count=1)
    apply(learner, feature("colour", "categorical"))
    assert learner.warmup.active
    layer, features = learner.network.input, learner.network.layout.features
    assert isinstance(layer, FactorisedInput)
    old, new = features.slot("store"), features.slot("colour")
    before = layer.factor.weight.clone()
    learn(learner, _with_store("s-new"))
    row = learner.network.layout.rows.vocabularies[old].row_of["s-new"]
    seen = layer.rows.weight[row].clone()
    learn(learner, _with_store("s-new"))
    assert learner.warmup.active
    assert not torch.equal(layer.rows.weight[row], seen)
    assert torch.equal(layer.factor.weight[old], before[old])
    assert not torch.equal(layer.factor.weight[new], before[new])


def _with_store(value: str) -> list[Any]:
    found = events(16, 5, 900)
    for one in found:
        one.features["store"] = value
    return found


def test_what_a_removed_feature_held_is_zero_and_a_returning_one_starts_as_it_first_did() -> None:
    learner = trained("mlet", 96)
    first = LearnerCore(settings("mlet"))
    apply(first, *FEATURES, *OFFERS)
    layer, start = learner.network.input, first.network.input
    assert isinstance(layer, FactorisedInput)
    assert isinstance(start, FactorisedInput)
    slot = learner.network.layout.features.slot("store")
    apply(learner, {"op": "remove_feature", "name": "store"})
    assert float(layer.factor.weight[slot].abs().sum()) == 0.0
    apply(learner, feature("store", "categorical"))
    assert torch.equal(layer.factor.weight[slot], start.factor.weight[first.network.layout.features.slot("store")])
    assert float(layer.factor.moments["squares"][slot].min()) == pytest.approx(0.1)


def test_the_inner_width_is_four_times_the_outer_one_unless_it_is_set() -> None:
    for inner, found in ((0, 16), (6, 6)):
        learner = LearnerCore(
            LearnerSettings(
                strategy="mlet", mlet=MletSettings(inner=inner), network=NetworkSettings(embedding_dim=4, hidden=(8,))
            )
        )
        assert learner.network.input.row_width == found


# -- the commands ---------------------------------------------------------------------------------------------------

VERSION = {"version": 1, "ts": 0, "changes": [*FEATURES, *OFFERS]}


def _lines(first: int, number: int) -> str:
    import random

    rng = random.Random(first)
    lines = []
    for index in range(first, first + number):
        one = event(index, rng)
        value: dict[str, Any] = {"id": one.id, "key": one.key, "ts": one.ts, "features": one.features}
        lines.append(json.dumps(value | {"labels": list(one.labels)}) + "\n")
    return "".join(lines)


def test_a_checkpoint_is_merged_served_and_trained_on_with_factors_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    interactions, schema = Path("i.jsonl"), Path("s.jsonl")
    interactions.write_text(_lines(0, 160))
    schema.write_text(json.dumps(VERSION) + "\n")
    small = ["--set", "network.hidden=12", "--set", "network.embedding_dim=4"]
    replay = ["replay", "--interactions", str(interactions), "--schema", str(schema), "--set", "strategy=carry+mlet"]
    assert main([*replay, *small, "--checkpoint", "kept"]) == 0
    capsys.readouterr()

    def inspected(place: str) -> dict[str, Any]:
        assert main(["inspect", place, "--json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    def recommended(place: str) -> list[list[float]]:
        assert main(["recommend", place, "--events", str(interactions)]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [[chance for _, chance in sorted(line["recommendations"])] for line in lines]

    assert main(["merge", "kept", "served.ckpt"]) == 0
    said = capsys.readouterr().out
    before, after = inspected("kept"), inspected("served.ckpt")
    assert f"{after['parameters']} parameters instead of {before['parameters']}" in said
    assert after["strategy"] == "carry"
    assert (after["offsets"], after["events_trained"]) == (before["offsets"], before["events_trained"])
    assert after["size_bytes"] < before["size_bytes"]
    assert before["figures"]["mlet_parameters"] - before["figures"]["mlet_parameters_merged"] == (
        before["parameters"] - after["parameters"]
    )
    assert np.allclose(recommended("kept"), recommended("served.ckpt"), atol=1e-6)
    assert main(["merge", "kept", "served.ckpt"]) == 2
    assert "exists" in capsys.readouterr().err

    Path("again").mkdir()
    assert main(["factorise", "served.ckpt", "again"]) == 0
    assert "strategy carry+mlet" in capsys.readouterr().out
    assert np.allclose(recommended("kept"), recommended("again"), atol=1e-5)
    interactions.write_text(_lines(0, 160) + _lines(160, 64))
    for other in ("strategy=carry", "mlet.inner=8", "optimiser.embedding_method=sgd"):
        assert main([*replay, *small, "--checkpoint", "again", "--set", other]) == 2
        assert f"made with other settings: {other.partition('=')[0]} = " in capsys.readouterr().err
    assert main([*replay, *small, "--checkpoint", "again", "--summary", "summary.json"]) == 0
    assert json.loads(Path("summary.json").read_text())["events_trained"] == 224
