"""What a name owns in the network, and what each change of the schema does to it.

A name owns slots, vocabulary rows, weights, statistics and counts; so that a schema change is one call here. What to
make fresh, and for how long, is decided in :mod:`stream.adaptation`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import torch

from stream.encoding.features import KEY, Features, slot_name
from stream.encoding.offers import Offers
from stream.encoding.pool import RowPool
from stream.encoding.vocabulary import ValueRows
from stream.network.compiled import Implementation, chosen
from stream.network.counts import PairCounts
from stream.network.descent import Descent
from stream.network.experts import Experts
from stream.network.input_layer import InputLayer
from stream.network.output_layer import OutputLayer
from stream.network.pairs import PairPart
from stream.network.part import Part
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.statistics import RunningStatistics
from stream.network.trunk import Trunk
from stream.network.weights import RelativeWeights
from stream.schema import Kind

__all__ = ["NamedParts"]


class NamedParts:
    """The registers of names and the parts of the network that they own rows of."""

    def __init__(
        self,
        network: NetworkSettings,
        optimiser: OptimiserSettings,
        seed: int,
        device: str,
        install: Callable[[Self], None],
    ) -> None:
        """Build the parts, let ``install`` put others in their place, and only then give the first name its rows."""
        self.settings = network
        self.seed = seed
        self.device = torch.device(device)
        self.rows = ValueRows(
            capacity=network.vocabulary_capacity,
            admission_count=network.admission_count,
            candidate_capacity=network.candidate_capacity,
        )
        self.features = Features(
            self.rows, entity_embedding=network.entity_embedding, entity_capacity=network.entity_capacity
        )
        self.offers = Offers(attributes=network.attributes, departed_capacity=network.departed_capacity)
        self.keys: RowPool[str] = RowPool(network.entity_capacity)
        self.wide_rows: RowPool[int] = RowPool(network.pair_cells // 32)
        self.statistics = RunningStatistics()
        self.weights = RelativeWeights()
        self.experts = Experts(network.prevalence)
        self.input = InputLayer(network, optimiser, seed, self.device)
        self.trunk = Trunk(network, optimiser, seed, self.device)
        self.output = OutputLayer(network, optimiser, self.device)
        self.pairs = PairPart(network, optimiser, seed, self.device)
        self.counts = PairCounts(network.prevalence, network.count_half_life_days, self.device)
        self.matches = np.full((self.rows.reserved, network.attributes), -1, dtype=np.int64)
        self.wide_of = np.zeros(self.rows.reserved, dtype=np.int64)
        """Row of the wide table by vocabulary row; 0 where there is none."""
        self.muted = torch.zeros(32, dtype=torch.bool, device=self.device)
        """Offers, by slot, that a strategy ignores."""
        self.evictions = 0
        self._reserved: tuple[int, ...] = ()
        """What there was room for when room was last made."""
        self.late = False
        """Whether the first version is past: what joins now meets a trained network, and has to catch up with it."""
        self.descent = Descent()
        """What a training step does with the gradients; a method may put another in its place."""
        install(self)
        self.implementation: Implementation = chosen(network.kernels, self.device.type)
        by_loops = self.implementation == "compiled"
        self.input.compiled = self.pairs.compiled = self.counts.compiled = by_loops
        for _, part in self.parts():
            for _, table in part.tables():
                table.compiled = by_loops
        if network.entity_embedding:
            self._start_categorical(self.features.categorical.slot(KEY), KEY, silent=False, fresh=False)

    # -- schema changes -----------------------------------------------------------------------------------------

    def add_feature(self, name: str, kind: Kind, *, silent: bool) -> None:
        """Add an input and mark it fresh; ``silent`` leaves the function as it was."""
        slot = self.features.add(name, kind)
        if kind is Kind.NUMERIC:
            self._reserve()
            self.statistics.start(slot)
            self.input.start_numeric(slot, name, silent=silent)
            self.input.numeric.fresh[slot] = self.input.missing.fresh[slot] = True
            if self.late:
                self.input.hasten(numeric=[slot], categorical=[])
        else:
            self._start_categorical(slot, slot_name(name), silent=silent, fresh=True)

    def _start_categorical(self, slot: int, name: str, *, silent: bool, fresh: bool) -> None:
        self._reserve()
        self.input.start_projection(slot, name, silent=silent, fresh=fresh)
        if self.late:
            self.input.hasten(numeric=[], categorical=[slot])
        self.pairs.flags.set(slot, 0.0)
        self.pairs.flags.fresh[slot] = fresh
        self._start_rows(self.rows.vocabularies[slot].rows(), fresh=fresh)

    def _start_rows(self, rows: list[int], *, fresh: bool) -> None:
        """Give new vocabulary rows their seeded values, their wide rows and their matches with attribute values."""
        if not rows:
            return
        self._reserve()
        self.input.start_rows(rows, [self.row_name(row) for row in rows])
        self.input.rows.fresh[rows] = fresh
        _, evicted = self.wide_rows.admit(rows, 0, may_evict=False)
        assert not evicted
        for row in rows:
            wide = self.wide_rows.row_of.get(row)
            self.wide_of[row] = 0 if wide is None else wide + 1
            self.matches[row] = -1
            owner = self.rows.owner[row]
            assert owner is not None
            slot, value = owner
            if self.rows.vocabularies[slot].row_of.get(value) == row:  # not one for missing or rare
                for place, column in self.offers.columns_of_string.get(value, ()):
                    self.matches[row, place] = column
        self._reserve()
        wide_rows = [int(row) for row in self.wide_of[rows] if row]
        self.pairs.wide.clear_rows(wide_rows)
        self.pairs.wide.fresh_rows[wide_rows] = fresh

    def row_name(self, row: int) -> str:
        """Return the one name of a vocabulary row in use; no value can take that of a row for missing or rare."""
        owner = self.rows.owner[row]
        assert owner is not None
        slot, value = owner
        feature = self.features.categorical.names[slot]
        vocabulary = self.rows.vocabularies[slot]
        if row in (vocabulary.missing, vocabulary.rare):
            return json.dumps([feature]) + (" missing" if row == vocabulary.missing else " rare")
        return json.dumps([feature, value])

    def remove_feature(self, name: str, *, fold: bool) -> None:
        """Remove an input; ``fold`` leaves its contribution at the running mean in the biases."""
        if fold:
            self._fold(name)
        kind, slot, rows = self.features.remove(name)
        if kind is Kind.NUMERIC:
            self.input.clear_numeric(slot)
            self.statistics.clear(slot)
            return
        self.input.clear_projection(slot)
        self.pairs.flags.set(slot, 0.0)
        self.pairs.flags.fresh[slot] = False
        self._release_rows(rows)

    def _fold(self, name: str) -> None:
        slot = self.features.slot(name)
        if self.features.kinds[name] is Kind.NUMERIC:
            self.input.bias.weight[0] += self.statistics.missing_rate(slot) * self.input.missing.weight[slot]
            self.input.bias.weight[0] += self.statistics.mean_input(slot) * self.input.numeric.weight[slot]
            return
        vocabulary = self.rows.vocabularies[slot]
        if not vocabulary.events:
            return
        rows = vocabulary.rows()
        mass = torch.from_numpy(self.rows.mass[rows] / vocabulary.events).to(self.device, torch.float32)
        self.input.bias.weight[0] += self.input.mean_contribution(slot, rows, mass)
        self.output.value_bias.weight += mass @ self.pairs.wide.weight[self.wide_of[rows]]
        for row in rows:
            for place, value in enumerate(self.matches[row]):
                if value >= 0:
                    share = self.rows.presence[row] / vocabulary.events
                    self.output.value_bias.weight[int(value)] += share * self.pairs.flags.weight[slot, place]

    def _release_rows(self, rows: list[int]) -> None:
        """Zero what vocabulary rows held."""
        self.input.clear_rows(rows)
        self.pairs.wide.clear_rows([int(row) for row in self.wide_of[rows] if row])
        for row in rows:
            if self.wide_of[row]:
                self.wide_rows.remove(row)
        self.wide_of[rows] = 0
        self.matches[rows] = -1

    def rename_feature(self, name: str, to: str) -> None:
        """Move all state of an input to another name."""
        self.features.rename(name, to)

    def add_label(self, name: str, attributes: Mapping[str, str]) -> int:
        """Add an offer, fresh, beside what its attribute values already know; return its slot."""
        known = len(self.offers.attributes)
        slot, added, evicted = self.offers.add(name, attributes)
        self._start_attributes(known)
        self._changed_values(added, evicted)
        self.output.clear_offers([slot], fresh=True)  # elsewhere a slot without an offer is zero already
        self.muted[slot] = False
        self.pairs.key_offer.fresh_columns[slot] = True
        return slot

    def remove_label(self, name: str) -> int:
        """Remove an offer and zero its slot; its attribute values stay."""
        slot, evicted = self.offers.remove(name)
        self._changed_values([], evicted)
        self.output.clear_offers([slot], fresh=False)
        self.muted[slot] = False
        self.pairs.key_offer.clear_columns([slot])
        self.counts.clear_offers([slot])
        return slot

    def mute(self, name: str) -> None:
        """Let an offer keep the prior's logit for good: it is neither predicted nor trained."""
        self.muted[self.offers.offers.slot(name)] = True

    def rename_label(self, name: str, to: str) -> int:
        """Move all state of an offer to another name; return its slot."""
        return self.offers.rename(name, to)

    def update_label(self, name: str, attributes: Mapping[str, str]) -> int:
        """Replace an offer's attributes; return its slot."""
        known = len(self.offers.attributes)
        slot, added, evicted = self.offers.update(name, attributes)
        self._start_attributes(known)
        self._changed_values(added, evicted)
        return slot

    def _start_attributes(self, known: int) -> None:
        """Start the weights of attributes that no offer had before; an attribute's slot is never given up."""
        self._reserve()
        tasks = self.offers.tasks.names.slots()
        for name, slot in self.offers.attributes.items():
            if slot >= known:
                self.pairs.mixer.start_attribute(name, slot, tasks)

    def _changed_values(self, added: list[int], evicted: list[int]) -> None:
        self._reserve()
        self.evictions += len(evicted)
        self._clear_values(evicted, fresh=False)
        if added:  # what they own elsewhere is zero already
            self.output.clear_values(added, fresh=True)
            for pair_table in (self.pairs.key_value, self.pairs.wide):
                pair_table.fresh_columns[added] = True
        for slot in added:
            key = self.offers.values.names[slot]
            assert key is not None
            attribute, value = self.offers.value_of[key]
            for vocabulary in self.rows.vocabularies.values():
                row = vocabulary.row_of.get(value)
                if row is not None:
                    self.matches[row, self.offers.match_slot(attribute, slot)] = slot

    def _clear_values(self, slots: list[int], *, fresh: bool) -> None:
        if not slots:
            return
        self.counts.clear_values(slots)
        for pair_table in (self.pairs.key_value, self.pairs.wide):
            pair_table.clear_columns(slots)
            pair_table.fresh_columns[slots] = fresh
        self.output.clear_values(slots, fresh=fresh)
        self.matches[np.isin(self.matches, slots)] = -1

    def settle_tasks(self) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """Start the new tasks and end those without offers, once a version's changes were all made.

        Returns name and slot of those that started, and of those that ended.
        """
        started = self.offers.tasks.started()
        number = self.offers.attribute_limit
        for _, task in started:
            self.pairs.start_task(task, task * number, number)
        ended, values = self.offers.end_idle_tasks()
        self._clear_values(values, fresh=False)
        for name, task in ended:
            self.pairs.end_task(task, task * number, number)
            self.output.end_task(name)
        return started, ended

    def _reserve(self) -> None:
        """Let every table have room for the names that there are."""
        numeric, categorical = self.features.numeric.capacity, self.features.categorical.capacity
        offers, values = self.offers.offers.capacity, self.offers.values.capacity
        used = self.keys.rows_used, self.wide_rows.rows_used
        wanted = numeric, categorical, offers, values, self.rows.reserved, self.offers.match_slots, *used
        if wanted == self._reserved:
            return
        self.statistics.reserve(numeric)
        self.input.reserve(numeric, categorical, self.rows.reserved)
        self.pairs.flags.grow(categorical)
        self.pairs.flags.widen(self.offers.match_slots)
        self.pairs.mixer.reserve(len(self.offers.tasks.names.names))
        if self.matches.shape[1] < self.offers.match_slots:
            extra = self.offers.match_slots - self.matches.shape[1]
            self.matches = np.pad(self.matches, ((0, 0), (0, extra)), constant_values=-1)
        extra = self.rows.reserved - len(self.wide_of)
        if extra > 0:
            self.wide_of = np.concatenate([self.wide_of, np.zeros(extra, dtype=np.int64)])
            tail = np.full((extra, self.matches.shape[1]), -1, dtype=np.int64)
            self.matches = np.concatenate([self.matches, tail])
        self.output.reserve(offers, values)
        if offers > len(self.muted):
            self.muted = torch.nn.functional.pad(self.muted, (0, offers - len(self.muted)))
        cells = self.settings.pair_cells
        self._drop_keys(self.keys.shrink(max(1, min(self.settings.entity_capacity, cells // max(offers, values)))))
        narrowed = [row + 1 for row in self.wide_rows.shrink(max(1, cells // values))]
        if narrowed:
            self.wide_of[np.isin(self.wide_of, narrowed)] = 0
            self.pairs.wide.clear_rows(narrowed)
            self.evictions += len(narrowed)
        keys = self.keys.rows_used + 1
        self.pairs.key_offer.reserve(keys, offers)
        self.pairs.key_value.reserve(keys, values)
        self.pairs.wide.reserve(self.wide_rows.rows_used + 1, values)
        self.counts.reserve(keys, offers, values)
        self._reserved = wanted

    def _drop_keys(self, rows: list[int]) -> None:
        if rows:
            self.evictions += len(rows)
            tables = [row + 1 for row in rows]
            self.pairs.key_offer.clear_rows(tables)
            self.pairs.key_value.clear_rows(tables)
            self.counts.clear_keys(tables)

    # -- freshness ------------------------------------------------------------------------------------------------

    def parts(self) -> tuple[tuple[str, Part], ...]:
        """Return the parts by name."""
        return ("input", self.input), ("trunk", self.trunk), ("output", self.output), ("pairs", self.pairs)

    def refresh_input(self) -> None:
        """Replace the input layer: fresh weights and optimiser state; vocabulary, statistics, counts and pairs stay."""
        rows = [row for row, _, _ in self.rows.owners()]
        names = [self.row_name(row) for row in rows]
        self.input.restart(self.features.numeric.items(), self.features.categorical.items(), rows, names)
        self.input.hasten(numeric=self.features.numeric.slots(), categorical=self.features.categorical.slots())

    def refresh_output(self) -> None:
        """Replace the output layer: fresh weights and optimiser state; counts and pairs stay."""
        self.output.restart()

    def hold_backbone(self) -> None:
        """Freeze the input layer as it stands and the trunk for good; names that join later are not held."""
        self.input.hold()
        self.trunk.hold()

    def anew(self, other: Self) -> Self:
        """Return ``other``, a network without names, with this one's features and offers in their slots, untrained."""
        other.offers = self.offers
        other._reserve()
        other._start_attributes(0)
        for name, kind in self.features.kinds.items():
            other.add_feature(name, kind, silent=False)
        return other

    def settle(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        for _, part in self.parts():
            part.settle()
        self.statistics.new.fill(False)

    @property
    def any_fresh(self) -> bool:
        """Say whether a warm-up would have anything to train: rows admitted on sight alone do not count."""
        return self.input.any_fresh or self.trunk.any_fresh or self.output.any_fresh

    @property
    def replaced_layers(self) -> tuple[bool, bool]:
        """Say whether the input and the output layer are being warmed up as wholes, under a strategy that replaces."""
        return bool(self.input.bias.fresh[0]), bool(self.output.offer.fresh.any())
