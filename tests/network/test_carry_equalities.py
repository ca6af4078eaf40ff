"""Under ``carry`` a change of the schema changes no surviving logit but as the contract (part 5) has it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from stream.encoding.features import slot_name
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.schema import Kind
from stream.testing.streams import (
    FEATURES,
    OFFERS,
    all_shown,
    apply,
    distance,
    events,
    feature,
    label,
    logits,
    restored,
    settings,
    trained_under,
)
from tests.network.dense import dense

TOLERANCE = 1e-5
FACTORED = (4, 5)
"""Seeds of learners whose categorical tables are products of factors."""
LEAN = given_settings(max_examples=12, deadline=None)


def _learner(seed: int, hidden: tuple[int, ...] = (12,)) -> LearnerCore:
    return trained_under(settings("carry+mlet" if seed in FACTORED else "carry", seed=seed, hidden=hidden), 160, seed)


_MODELS: dict[int, LearnerCore] = {}


def model(seed: int) -> LearnerCore:
    """A trained learner, made once for each seed and copied."""
    if seed not in _MODELS:
        _MODELS[seed] = _learner(seed, (12,) if seed % 2 else (12, 8))
    return restored(_MODELS[seed])


def probes(seed: int) -> list[Interaction]:
    return all_shown(events(23, seed + 100, 5000))


def changed(learner: LearnerCore, seed: int, *changes: dict[str, Any]) -> tuple[dict[Any, float], dict[Any, float]]:
    """Logits just before and just after a version."""
    before = logits(learner, probes(seed))
    apply(learner, *changes)
    return before, logits(learner, probes(seed))


SEEDS = st.integers(0, 5)
NEW = st.text(min_size=1, max_size=5)
KINDS = st.sampled_from(list(Kind))


@LEAN
@given(SEEDS, st.lists(st.tuples(NEW, KINDS), min_size=1, max_size=3, unique_by=lambda new: new[0]))
def test_added_features_change_no_logit_by_a_bit_while_slots_are_reserved(
    seed: int, new: list[tuple[str, Kind]]
) -> None:
    before, after = changed(model(seed), seed, *(feature(f"n{name}", kind.value) for name, kind in new))
    assert after == before


@LEAN
@given(SEEDS, st.integers(9, 20), KINDS)
def test_added_features_beyond_the_reserved_slots_change_logits_by_rounding_only(
    seed: int, number: int, kind: Kind
) -> None:
    before, after = changed(model(seed), seed, *(feature(f"n{index}", kind.value) for index in range(number)))
    assert distance(after, before) <= TOLERANCE


@LEAN
@given(SEEDS, st.lists(st.tuples(NEW, st.sampled_from(["g1", "g2", "b1", "g9", "s1"])), min_size=1, max_size=3))
def test_added_offers_change_no_surviving_logit_by_a_bit_while_slots_are_reserved(
    seed: int, new: list[tuple[str, str]]
) -> None:
    offers = {f"n{name}": value for name, value in new}
    before, after = changed(model(seed), seed, *(label(name, group=value, size="m") for name, value in offers.items()))
    assert {pair: after[pair] for pair in before} == before
    assert len(after) == len(before) + len(offers) * 23


@LEAN
@given(SEEDS, st.integers(29, 70))
def test_added_offers_beyond_the_reserved_slots_change_logits_by_rounding_only(seed: int, number: int) -> None:
    before, after = changed(model(seed), seed, *(label(f"n{i}", group=f"new{i}") for i in range(number)))
    assert distance(after, before) <= TOLERANCE


@LEAN
@given(SEEDS, st.sets(st.sampled_from(["soap", "milk", "bread", "tea"]), min_size=1, max_size=3))
def test_removed_offers_leave_the_others_logits_bit_for_bit(seed: int, gone: set[str]) -> None:
    before, after = changed(model(seed), seed, *({"op": "remove_label", "name": name} for name in sorted(gone)))
    assert after == {pair: value for pair, value in before.items() if pair[1] not in gone}


@LEAN
@given(SEEDS, st.permutations(["price", "age", "member", "store", "tags"]), NEW)
def test_renamed_features_keep_every_logit_bit_for_bit(seed: int, order: list[str], to: str) -> None:
    learner = model(seed)
    before = logits(learner, probes(seed))
    apply(learner, *({"op": "rename_feature", "name": name, "to": f"{name}-{to}"} for name in order[:3]))
    renamed = probes(seed)
    for one in renamed:
        one.features = {f"{name}-{to}" if name in order[:3] else name: value for name, value in one.features.items()}
    assert logits(learner, renamed) == before


@LEAN
@given(SEEDS, st.sampled_from(["soap", "milk", "bread", "tea"]), NEW)
def test_a_renamed_offer_keeps_every_logit_bit_for_bit(seed: int, name: str, to: str) -> None:
    before, after = changed(model(seed), seed, {"op": "rename_label", "name": name, "to": f"n{to}"})
    assert after == {(index, f"n{to}" if offer == name else offer): v for (index, offer), v in before.items()}


@LEAN
@given(
    SEEDS,
    st.sampled_from(["soap", "milk", "bread", "tea"]),
    st.dictionaries(st.sampled_from(["group", "brand", "x"]), st.sampled_from(["g1", "g2", "b1", "s1", "t1"])),
)
def test_an_update_of_attributes_changes_that_offers_logits_only(
    seed: int, name: str, attributes: dict[str, str]
) -> None:
    learner = model(seed)
    old = dict(learner.schema.labels[name])
    before, after = changed(learner, seed, {"op": "update_label", "name": name, "attributes": attributes})
    same = {pair for pair in before if after[pair] == before[pair]}
    assert same >= {pair for pair in before if pair[1] != name}
    if attributes == old:
        assert after == before
    assert not learner.warmup.active, "an update leaves nothing new in a layer"


def test_a_new_offer_starts_from_what_its_attributes_already_know() -> None:
    learner = model(1)
    _, after = changed(learner, 1, label("twin", group="g2", brand="b1"), label("stranger"))
    difference = {
        name: np.mean([abs(after[index, name] - after[index, "milk"]) for index in range(23)])
        for name in ("twin", "stranger")
    }
    assert difference["twin"] < difference["stranger"]


# -- removal: the old logits with the input's contribution at its running mean -----------------------------------


class _Contributions:
    """Means over all trained events of what an input adds, found by the network's own forward with it zeroed."""

    def __init__(self, learner: LearnerCore, name: str, shown: list[Any]) -> None:
        """``shown``: the frames of the trained events, as they were encoded then."""
        self.learner, self.name = learner, name
        self.frames = shown

    def without(self, frame: Any) -> Any:
        """A copy of a frame with the input's parts zeroed."""
        features = self.learner.network.layout.features
        kind, slot = features.kinds[self.name], features.slot(self.name)
        bare = copy.copy(frame)
        if kind is Kind.NUMERIC:
            bare.numeric, bare.missing = frame.numeric.clone(), frame.missing.clone()
            bare.numeric[:, slot] = bare.missing[:, slot] = 0.0
            return bare
        keep = frame.row_slot != slot
        for field in ("rows", "row_event", "row_slot", "row_weight"):
            setattr(bare, field, getattr(frame, field)[keep])
        bare._matching = None
        return bare

    def hidden(self, frame: Any) -> torch.Tensor:
        return self.learner.network.input.forward(frame).clone()

    def logits(self, frame: Any, z: torch.Tensor) -> torch.Tensor:
        """The network's logits with ``z`` in the place of the input layer's output."""
        network = self.learner.network
        original = network.input.forward
        network.input.forward = lambda frame: z  # type: ignore[method-assign]
        try:
            return network.forward(frame).clone()
        finally:
            network.input.forward = original  # type: ignore[method-assign]

    def means(self) -> tuple[torch.Tensor, dict[str, float]]:
        """The mean addition to z ``(width,)`` and, beside z, to each offer's logit."""
        z_sum = torch.zeros(self.learner.network.input.width, dtype=torch.float64)
        logit_sum: dict[str, float] = {}
        names = self.learner.network.layout.offers.offers.names
        total = 0
        for frame in self.frames:
            bare = self.without(frame)
            z_sum += (self.hidden(frame) - self.hidden(bare)).to(torch.float64).sum(0)
            z = self.hidden(bare)
            direct = (self.logits(frame, z) - self.logits(bare, z)).tolist()
            for slot, value in zip(frame.pair_slot.tolist(), direct, strict=True):
                logit_sum[str(names[slot])] = logit_sum.get(str(names[slot]), 0.0) + value
            total += frame.events
        return z_sum / total, {name: value / total for name, value in logit_sum.items()}


def _reencoded(learner: LearnerCore, batches: list[Any], read: list[torch.Tensor]) -> list[Any]:
    """Frames of past batches under the matches and attributes of now, with every offer a pair.

    Numeric inputs are ``read`` as they were then: what a value reads as moves with what was seen before it, and the
    running mean is of what the network was given.
    """
    frames = []
    slots = np.array(learner.network.layout.offers.offers.slots())
    for batch, numeric in zip(batches, read, strict=True):
        full = copy.copy(batch)
        number = len(batch)
        full.pair_event = np.repeat(np.arange(number), len(slots))
        full.pair_slot = np.tile(slots, number)
        full.offsets = np.arange(number + 1) * len(slots)
        full.possible = np.ones(number * len(slots), dtype=bool)
        full.taken = np.zeros(number * len(slots), dtype=bool)
        frames.append(learner.network.frame(full))
        now = frames[-1].numeric.mean(0)
        assert bool((now - numeric.mean(0)).abs().max() < 0.5), "what a batch reads as has hardly moved"
        frames[-1].numeric = numeric
    return frames


@pytest.mark.parametrize("name", ["price", "age", "member", "store", "tags"])
@pytest.mark.parametrize("bounds", [{}, {"vocabulary_capacity": 4, "admission_count": 1}])
@pytest.mark.parametrize("strategy", ["carry", "carry+mlet"])
def test_a_removed_input_leaves_its_running_mean_behind(strategy: str, name: str, bounds: dict[str, Any]) -> None:
    learner = LearnerCore(settings(strategy, seed=5, **bounds))
    apply(learner, *FEATURES, *OFFERS)
    batches: list[Any] = []
    read: list[torch.Tensor] = []
    rows = learner.network.layout.rows
    release = rows._release
    given_up: list[int] = []

    def noted(row: int) -> None:
        given_up.append(row)
        release(row)

    rows._release = noted  # type: ignore[method-assign]
    for start in range(0, 320, 16):
        rare = {slot: vocabulary.rare for slot, vocabulary in rows.vocabularies.items()}
        batch = learner.encode(events(16, 8, start))
        batches.append(batch)
        read.append(learner.network.frame(batch).numeric)
        learner.learn(batch)
        if not start:  # nothing was known of any input: it counts as it would be read from here on
            read[0] = learner.network.frame(batch).numeric
        for past in batches:  # a value that was given up reads as rare from then on, also in the mean
            for place in np.flatnonzero(np.isin(past.rows, given_up)):
                past.rows[place] = rare[int(past.row_slot[place])]
        given_up.clear()
    assert bool(bounds) == (rows.evictions > 0)
    means = _Contributions(learner, name, _reencoded(learner, batches, read))
    z_mean, logit_mean = means.means()
    probe = probes(7)
    frame = learner.network.frame(learner.encode(probe))
    bare = means.without(frame)
    expected = means.logits(bare, means.hidden(bare) + z_mean.to(torch.float32))
    names = learner.network.layout.offers.offers.names
    expected += torch.tensor([logit_mean[str(names[slot])] for slot in frame.pair_slot.tolist()])
    wanted = {
        (int(index), str(names[slot])): float(value)
        for index, slot, value in zip(frame.pair_event, frame.pair_slot, expected, strict=True)
    }
    before = logits(learner, probe)
    apply(learner, {"op": "remove_feature", "name": name})
    after = logits(learner, probe)
    assert distance(after, wanted) <= TOLERANCE
    assert distance(after, before) > 10 * TOLERANCE, "the input had no effect: the test shows nothing"


def test_the_removal_test_sees_wide_and_flag_parts() -> None:
    learner = _learner(8)
    network = learner.network
    slot = network.layout.features.categorical.slot(slot_name("tags"))
    rows = network.layout.rows.vocabularies[slot].rows()
    assert float(network.pairs.flags.weight[slot].abs().max()) > 0
    assert float(dense(network.pairs.wide)[[row + 1 for row in rows]].abs().max()) > 0


def test_retype_equals_removal_and_addition() -> None:
    one, two = model(2), model(2)
    apply(one, {"op": "retype_feature", "name": "store", "kind": "numeric"})
    apply(two, {"op": "remove_feature", "name": "store"}, feature("store", "numeric"))
    assert logits(one, probes(2)) == logits(two, probes(2))


def test_what_comes_back_after_its_removal_starts_anew() -> None:
    learner = model(3)
    apply(learner, {"op": "remove_feature", "name": "store"}, {"op": "remove_label", "name": "soap"})
    apply(learner, feature("store", "categorical"), label("soap"))
    network = learner.network
    slot = network.layout.features.slot("store")
    assert network.layout.rows.vocabularies[slot].row_of == {}
    assert network.layout.rows.vocabularies[slot].events == 0
    assert float(network.input.projection.weight[slot].abs().sum()) == 0.0
    offer = network.layout.offers.offers.slot("soap")
    assert float(network.output.offer.weight[offer].abs().sum()) == 0.0
    assert float(network.counts.arrays["possible"][offer]) == 0.0


def test_the_random_stream_reaches_rare_values_missing_ones_matches_and_unknown_features() -> None:
    learner = _learner(4)
    batch = learner.encode(events(64, 4))
    frame = learner.network.frame(batch)
    assert batch.unknown_features > 0
    assert batch.unseen
    assert frame.match_event.numel() > 0
    assert float(frame.missing.sum()) > 0
