"""`replace` wipes the layer that a change touches; what joins an input or key directly with an offer stays."""

from __future__ import annotations

import pytest
import torch

from stream.adaptation.transfer.settings import WarmupSettings
from stream.learner.core import LearnerCore
from stream.testing.streams import apply, events, feature, label, learn, settings, trained_under
from tests.network.dense import dense

LONG = WarmupSettings(max_events=640, window_events=320, budget_share=0.9)
CHANGES = {
    "input": [feature("extra", "numeric"), feature("colour", "categorical")],
    "output": [label("jam", group="g2"), {"op": "remove_label", "name": "tea"}],
    "both": [feature("extra", "numeric"), label("jam", group="g9")],
}


def trained(strategy: str) -> LearnerCore:
    return trained_under(settings(strategy, warmup=LONG), 240)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("strategy", ["replace", "replace-unfrozen", "replace+glmix"])
def test_cells_flags_and_the_weights_over_counts_of_surviving_names_stay(strategy: str, change: str) -> None:
    learner = trained(strategy)
    network = learner.network
    pairs = network.pairs
    offers = [network.layout.offers.offers.slot(name) for name in ("soap", "milk", "bread")]
    values = [network.layout.offers.values.slots()[0]]

    def kept() -> list[torch.Tensor]:
        return [
            dense(pairs.key_offer)[:, offers],
            dense(pairs.key_value)[:, values],
            dense(pairs.wide)[:, values],
            *(table.weight[:1].clone() for _, table in pairs.mixer.tables()),
        ]

    before, layer = kept(), (network.input.bias.weight.clone(), network.output.offer.weight.clone())
    flags = pairs.flags.weight[network.layout.features.slot("tags")].clone()
    assert all(bool(tensor.any()) for tensor in (*before, flags)), "nothing was learned: the test shows nothing"
    apply(learner, *CHANGES[change])
    assert all(torch.equal(one, other) for one, other in zip(before, kept(), strict=True))
    assert torch.equal(pairs.flags.weight[network.layout.features.slot("tags")], flags)
    assert (change != "output") == (not torch.equal(network.input.bias.weight, layer[0]))
    assert (change != "input") == (not network.output.offer.weight.any())


def test_in_its_warm_up_only_cells_of_new_names_are_trained() -> None:
    learner = trained("replace")
    network, pairs = learner.network, learner.network.pairs
    known = set(network.layout.keys.row_of)
    apply(learner, *CHANGES["both"])
    jam = network.layout.offers.offers.slot("jam")
    offers = [network.layout.offers.offers.slot(name) for name in ("soap", "milk", "bread", "tea")]
    rows = [network.layout.keys.row_of[key] + 1 for key in known]
    before = dense(pairs.key_offer)[rows][:, offers], pairs.mixer.linear.weight[:7].clone()
    offer = network.output.offer.weight.clone()
    learn(learner, events(96, first=300, labels=("soap", "milk", "bread", "tea", "jam")))
    assert learner.warmup.active
    assert torch.equal(dense(pairs.key_offer)[rows][:, offers], before[0])
    assert torch.equal(pairs.mixer.linear.weight[:7], before[1])
    assert bool(dense(pairs.key_offer)[rows][:, jam].any())
    assert not torch.equal(network.output.offer.weight, offer), "the replaced layer is trained"
