"""Tasks: a patch set and a head each on one frozen trunk; none of them can be told from another's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from stream.adaptation.backbone.settings import BackboneSettings
from stream.adaptation.peterrec.patched_trunk import PatchedTrunk
from stream.adaptation.peterrec.settings import PeterRecSettings
from stream.learner.core import LearnerCore
from stream.network.persistence import weight_entries
from stream.records.interaction import Interaction
from stream.settings.learner import LearnerSettings
from stream.state import decode, encode
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    events,
    feature,
    label,
    learn,
    logits,
    restored,
    settings,
)
from tests.network.dense import dense

DEFAULT = ("soap", "milk", "bread", "tea")
SECOND = [label(f"r{index}", group=f"g{index % 3}", task="second") for index in range(3)]
NAMES = tuple(offer["name"] for offer in SECOND)
BOTH = pytest.mark.parametrize("strategy", ["peterrec-serial", "peterrec-parallel"])


@cache
def _trained(strategy: str, tasks: int) -> tuple[LearnerSettings, bytes]:
    shape = replace(
        settings(strategy, hidden=(12, 8)),
        backbone=BackboneSettings(pretrain_events=96),
        peterrec=PeterRecSettings(tasks=tasks),
    )
    learner = LearnerCore(shape)
    apply(learner, *FEATURES, *OFFERS)
    learn(learner, events(192))
    return shape, encode(learner.state())


def _learner(strategy: str = "peterrec-serial", tasks: int = 8) -> LearnerCore:
    """A learner whose backbone is frozen and whose patches have been trained a little."""
    shape, state = _trained(strategy, tasks)
    return LearnerCore.from_state(decode(state), shape)


def _of(names: Sequence[str], number: int, seed: int = 4, first: int = 2000) -> list[Interaction]:
    """Events whose pairs are all of these offers."""
    stream = events(number, seed, first, names)
    for one in stream:
        one.shown = tuple(names)
    return stream


def _trunk(learner: LearnerCore) -> PatchedTrunk:
    assert isinstance(learner.network.trunk, PatchedTrunk)
    return learner.network.trunk


def _owned(learner: LearnerCore, task: str) -> dict[str, bytes]:
    """Every weight and moment that is a task's own: patches, mixer, flags, and the cells of its offers and values."""
    network = learner.network
    offers, tasks = network.layout.offers, network.layout.offers.tasks
    slot = tasks.names.slot(task)
    mine = sorted(place for name, place in offers.offers.items() if tasks.of(name) == task)
    values = [place for _, place in offers.values_of_task(slot)]
    known = {name for offer in offers.offers if tasks.of(offer) == task for name in offers.of_offer[offer]}
    attributes = [(name, place) for name, place in offers.attributes.items() if name in known]
    rows = [row for _, row in network.pairs.mixer.input_rows(attributes, [(task, slot)])]
    places: dict[str, list[int]] = {"output/offer": mine, "output/value": values, "output/offer_bias": mine}
    places |= {"output/value_bias": values, "pairs/mixer_bias": [slot], "pairs/mixer_out": [slot]}
    places |= {"pairs/mixer_in": rows, "pairs/linear": rows}
    own: dict[str, bytes] = {}
    for part, holder in network.parts():
        for name, table in holder.tables():
            chosen = [slot] if name.startswith("patch/") else places.get(f"{part}/{name}", [])
            for kind, tensor in {"weight": table.weight, **table.moments}.items():
                own[f"{part}/{name}/{kind}"] = tensor[chosen].numpy().tobytes()
    first = slot * offers.attribute_limit
    own["flags"] = network.pairs.flags.weight[:, first : first + offers.attribute_limit].numpy().tobytes()
    for name, pair_table in network.pairs.pair_tables():
        columns = mine if name == "key_offer" else values
        used = len(network.layout.keys) + 1
        own[name] = dense(pair_table)[:used, columns].numpy().tobytes()
        own[f"{name}/squares"] = dense(pair_table, "squares")[:used, columns].numpy().tobytes()
    return own


def _shared(learner: LearnerCore) -> dict[str, np.ndarray]:
    found = weight_entries(learner.network)
    return {
        name: value.copy()
        for name, value in found
        if isinstance(value, np.ndarray) and name.startswith(("input/", "trunk/")) and "/patch/" not in name
    }


@BOTH
@pytest.mark.parametrize("number", [3, 120])
def test_adding_a_task_changes_no_byte_of_another_and_no_bit_of_its_logits(strategy: str, number: int) -> None:
    """However many offers come, and whatever the number of events: also where tables grow."""
    learner = _learner(strategy)
    probes = [all_shown(events(count, 77, 5000)) for count in (1, 5, 64, 70)]
    before, owned, shared = [logits(learner, stream) for stream in probes], _owned(learner, ""), _shared(learner)
    added = [label(f"r{index}", group=f"g{index}", task="second") for index in range(number)]
    assert apply(learner, *added).warmup_started
    for stream, old in zip(probes, before, strict=True):
        new = logits(learner, stream)
        assert {pair: value for pair, value in new.items() if pair[1] in DEFAULT} == old
        assert len(new) == len(old) + number * len(stream)
    assert _owned(learner, "") == owned
    assert all(np.array_equal(value, shared[name]) for name, value in _shared(learner).items())


@pytest.mark.parametrize("joined", ["bayes-output", "glmix", "mlet", "bayes-network"])
def test_adding_a_task_changes_no_bit_of_another_s_logits_whatever_joins_the_patches(joined: str) -> None:
    learner = _learner(f"peterrec-serial+{joined}")
    probes = all_shown(events(20, 77, 5000))
    before = logits(learner, probes)
    apply(learner, *SECOND)
    assert {pair: value for pair, value in logits(learner, probes).items() if pair[1] in DEFAULT} == before
    learn(learner, _of((*DEFAULT, *NAMES), 48))
    assert restored(learner).state_digest() == learner.state_digest()


@BOTH
@pytest.mark.parametrize("reached", ["second", "all"])
def test_a_warm_up_trains_the_patches_of_the_tasks_that_the_change_reaches(strategy: str, reached: str) -> None:
    learner = _learner(strategy)
    apply(learner, *SECOND)
    learn(learner, _of((*DEFAULT, *NAMES), 160))
    change = label("r9", group="g1", task="second") if reached == "second" else feature("extra", "numeric")
    assert apply(learner, change).warmup_started
    frozen, up = learner.frozen_digest(), _trunk(learner).patches[1].up
    before = up.weight.clone()
    learn(learner, _of((*DEFAULT, *NAMES), 16, 5, 3000))
    assert learner.warmup.active
    assert learner.frozen_digest() == frozen
    assert [torch.equal(before[task], up.weight[task]) for task in (0, 1)] == [reached == "second", False]


@BOTH
def test_one_task_s_events_move_no_parameter_of_another_nor_any_that_they_share(strategy: str) -> None:
    learner = _learner(strategy)
    apply(learner, *SECOND, feature("extra", "numeric"))
    learn(learner, [*_of(DEFAULT, 96), *_of(NAMES, 96)])
    assert not learner.warmup.active
    owned, shared, second = _owned(learner, ""), _shared(learner), _owned(learner, "second")
    learn(learner, _of(NAMES, 160, 5, 3000))
    # New keys have rows of their own, whose cells for the other task are zero.
    assert {name: value[: len(owned[name])] for name, value in _owned(learner, "").items()} == owned
    now = _shared(learner)
    assert {name for name, value in shared.items() if not np.array_equal(now[name], value)} == set()
    moved = {name for name, value in _owned(learner, "second").items() if value[: len(second[name])] != second[name]}
    expected = {"trunk/patch/1/up/weight", "output/offer/weight", "output/value/weight", "pairs/mixer_in/weight"}
    assert moved >= expected | {"key_offer", "wide", "flags"}
    second = _owned(learner, "second")
    learn(learner, _of(DEFAULT, 160, 6, 4000))
    assert {name: value[: len(second[name])] for name, value in _owned(learner, "second").items()} == second
    changed = {name for name, value in shared.items() if not np.array_equal(_shared(learner)[name], value)}
    assert "input/numeric/extra" in changed, "what is new in the input trains on the default task's pairs"
    assert not any(name.startswith("trunk/") for name in changed)


def test_only_the_tasks_present_among_the_pairs_are_computed() -> None:
    learner = _learner()
    apply(learner, *SECOND)
    network = learner.network
    for stream, present in ((_of(NAMES, 8), 1), (_of(DEFAULT, 8), 1), (_of((*DEFAULT, *NAMES), 8), 2), (_of((), 8), 1)):
        network.forward(network.frame(learner.encode(stream)))
        assert len(_trunk(learner)._passes) == present


def test_values_are_not_shared_between_tasks_and_one_string_can_match_both() -> None:
    learner = _learner()
    apply(learner, *SECOND)
    offers, network = learner.network.layout.offers, learner.network
    assert '["group", "g1"]' in offers.values
    assert '["group", "g1", "second"]' in offers.values
    row = network.layout.rows.vocabularies[network.layout.features.slot("tags")].row_of["g1"]
    found = {offers.values.names[slot] for slot in network.layout.matches[row] if slot >= 0}
    assert found == {'["group", "g1"]', '["group", "g1", "second"]'}


def test_a_removed_task_is_zeroed_its_slot_reused_and_a_return_starts_anew() -> None:
    learner = _learner()
    apply(learner, *SECOND)
    learn(learner, _of((*DEFAULT, *NAMES), 160))
    trunk, offers = _trunk(learner), learner.network.layout.offers
    assert float(trunk.patches[1].up.weight[1].abs().max()) > 0
    owned = _owned(learner, "")
    apply(learner, *({"op": "remove_label", "name": name} for name in NAMES[:2]))
    assert "second" in offers.tasks.names, "an offer of it lives"
    apply(learner, {"op": "remove_label", "name": NAMES[2]})
    assert list(offers.tasks.names) == [""]
    assert not [name for name in offers.values if "second" in name]
    assert all(float(table.weight[1].abs().max()) == 0 for _, table in trunk.patches[1].tables())
    mixer, flags = learner.network.pairs.mixer, learner.network.pairs.flags
    assert float(mixer.inputs.weight[mixer.width :].abs().max()) == 0
    assert float(flags.weight[:, offers.attribute_limit :].abs().max()) == 0
    assert _owned(learner, "") == owned
    names = {name for name, _ in weight_entries(learner.network)}
    assert not [name for name in names if "second" in name]
    apply(learner, label("other", task="third"))
    assert offers.tasks.names.slot("third") == 1
    assert float(trunk.patches[1].up.weight[1].abs().max()) == 0
    learn(learner, _of((*DEFAULT, "other"), 64))
    assert restored(learner).state_digest() == learner.state_digest()


def test_a_task_whose_last_offer_makes_room_for_its_next_in_one_version_lives_on() -> None:
    learner = _learner()
    apply(learner, SECOND[0])
    learn(learner, _of((*DEFAULT, "r0"), 160))
    up = _trunk(learner).patches[1].up.weight[1].clone()
    apply(learner, {"op": "remove_label", "name": "r0"}, SECOND[1])
    assert float(up.abs().max()) > 0
    assert torch.equal(_trunk(learner).patches[1].up.weight[1], up)


def test_past_the_bound_further_tasks_share_the_default_one() -> None:
    learner = _learner(tasks=1)
    apply(learner, *SECOND, label("far", group="g1", task="third"))
    offers = learner.network.layout.offers
    assert list(offers.tasks.names) == ["", "second"]
    assert offers.tasks.of("far") == ""
    apply(learner, {"op": "rename_label", "name": "far", "to": "near"})
    learn(learner, _of((*DEFAULT, *NAMES, "near"), 64))
    again = restored(learner)
    assert again.network.layout.offers.tasks.of("near") == ""
    assert again.state_digest() == learner.state_digest()
    assert learner.strategy.figures()["peterrec_tasks"] == 2


def test_a_task_starts_with_the_default_task_s_weights_over_counts_as_they_stand() -> None:
    learner = _learner()
    mixer = learner.network.pairs.mixer
    apply(learner, *SECOND)
    width = mixer.width
    task = learner.network.layout.offers.attributes.slot("task")
    assert torch.equal(mixer.linear.weight[:width], mixer.linear.weight[width : 2 * width])
    assert torch.equal(mixer.out.weight[0], mixer.out.weight[1])
    assert float(mixer.out.weight[1].abs().max()) > 0
    assert task == 2  # group and brand came first


def test_an_offer_that_is_told_another_task_moves_there() -> None:
    learner = _learner()
    apply(learner, *SECOND)
    apply(learner, {"op": "update_label", "name": "tea", "attributes": {"group": "g1", "task": "second"}})
    offers = learner.network.layout.offers
    assert offers.tasks.of("tea") == "second"
    assert offers.task_of_offer[offers.offers.slot("tea")] == offers.tasks.names.slot("second")
    learn(learner, _of((*DEFAULT, *NAMES), 96))
    assert restored(learner).state_digest() == learner.state_digest()


@BOTH
def test_without_an_offer_of_the_default_task_the_first_by_name_trains_the_input(strategy: str) -> None:
    learner = _learner(strategy)
    apply(learner, *SECOND, label("a", task="first"), *({"op": "remove_label", "name": name} for name in DEFAULT))
    apply(learner, feature("extra", "numeric"))
    network = learner.network
    assert network.layout.offers.tasks.owner == "first"
    extra = network.layout.features.slot("extra")
    learn(learner, _of(NAMES, 160))
    assert float(network.input.numeric.weight[extra].abs().max()) == 0
    learn(learner, _of(["a"], 64, 5, 4000))
    assert float(network.input.numeric.weight[extra].abs().max()) > 0


def test_the_order_in_which_tasks_arrive_in_a_version_does_not_show() -> None:
    changes = [*SECOND, label("a", task="first", group="g1")]
    one, two = _learner(), _learner()
    apply(one, *changes)
    apply(two, *changes[::-1])
    assert one.network.layout.offers.tasks.names.slot("first") != two.network.layout.offers.tasks.names.slot("first")
    first, second = (dict(weight_entries(learner.network)) for learner in (one, two))
    assert first.keys() == second.keys()
    assert all(np.array_equal(np.asarray(value), np.asarray(second[name])) for name, value in first.items())
