"""The network: names above, layers below, and one step that predicts and then trains.

It owns what a name owns anywhere (slots, vocabulary rows, weights, statistics, counts), so that a schema change is one
call here. What to make fresh, and for how long, is decided in :mod:`stream.adaptation`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import torch

from stream.encoding.batch import Batch
from stream.encoding.features import KEY, Features, slot_name
from stream.encoding.offers import Offers
from stream.encoding.pool import RowPool
from stream.encoding.vocabulary import ValueRows
from stream.network.counts import PairCounts
from stream.network.frame import Frame
from stream.network.input_layer import InputLayer
from stream.network.output_layer import OutputLayer
from stream.network.pairs import PairPart
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.statistics import RunningStatistics
from stream.network.trunk import Trunk
from stream.schema import Kind

__all__ = ["Network"]


class Network:
    """One multi-label network over named features, keys, offers and attribute values."""

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, seed: int, device: str) -> None:
        self.settings = network
        self.device = torch.device(device)
        self.rows = ValueRows(
            capacity=network.vocabulary_capacity,
            admission_count=network.admission_count,
            candidate_capacity=network.candidate_capacity,
        )
        self.features = Features(self.rows, entity_embedding=network.entity_embedding)
        self.offers = Offers(attributes=network.attributes, departed_capacity=network.departed_capacity)
        self.keys: RowPool[str] = RowPool(network.entity_capacity)
        self.wide_rows: RowPool[int] = RowPool(network.pair_cells // 32)
        self.statistics = RunningStatistics()
        self.input = InputLayer(network, optimiser, seed, self.device)
        self.trunk = Trunk(network, optimiser, seed, self.device)
        self.output = OutputLayer(network, optimiser, self.device)
        self.pairs = PairPart(network, optimiser, seed, self.device)
        self.counts = PairCounts(network.prevalence, network.count_half_life_days, self.device)
        self.matches = np.full((self.rows.reserved, network.attributes), -1, dtype=np.int64)
        self.wide_of = np.zeros(self.rows.reserved, dtype=np.int64)
        """Row of the wide table by vocabulary row; 0 where there is none."""
        self.evictions = 0
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
        else:
            self._start_categorical(slot, slot_name(name), silent=silent, fresh=True)

    def _start_categorical(self, slot: int, name: str, *, silent: bool, fresh: bool) -> None:
        self._reserve()
        self.input.start_projection(slot, name, silent=silent)
        self.input.projection.fresh[slot] = fresh
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
                for attribute, column in self.offers.columns_of_string.get(value, ()):
                    self.matches[row, attribute] = column
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
            for table in (self.input.numeric, self.input.missing):
                table.set(slot, 0.0)
                table.fresh[slot] = False
            self.statistics.clear(slot)
            return
        self.input.projection.set(slot, 0.0)
        self.input.projection.fresh[slot] = False
        self.pairs.flags.set(slot, 0.0)
        self.pairs.flags.fresh[slot] = False
        self._release_rows(rows)

    def _fold(self, name: str) -> None:
        slot = self.features.slot(name)
        if self.features.kinds[name] is Kind.NUMERIC:
            self.input.bias.weight[0] += self.statistics.missing_rate(slot) * self.input.missing.weight[slot]
            return
        vocabulary = self.rows.vocabularies[slot]
        if not vocabulary.events:
            return
        rows = vocabulary.rows()
        mass = torch.from_numpy(self.rows.mass[rows] / vocabulary.events).to(self.device, torch.float32)
        self.input.bias.weight[0] += self.input.mean_contribution(slot, rows, mass)
        self.output.value_bias.weight += mass @ self.pairs.wide.weight[self.wide_of[rows]]
        for row in rows:
            for attribute, value in enumerate(self.matches[row]):
                if value >= 0:
                    share = self.rows.presence[row] / vocabulary.events
                    self.output.value_bias.weight[int(value)] += share * self.pairs.flags.weight[slot, attribute]

    def _release_rows(self, rows: list[int]) -> None:
        """Zero what vocabulary rows held."""
        self.input.rows.set(rows, 0.0)
        self.input.rows.fresh[rows] = False
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
        self._clear_offer(slot)
        self.output.offer.fresh[slot] = self.output.offer_bias.fresh[slot] = True
        self.pairs.key_offer.fresh_columns[slot] = True
        return slot

    def remove_label(self, name: str) -> int:
        """Remove an offer and zero its slot; its attribute values stay."""
        slot, evicted = self.offers.remove(name)
        self._changed_values([], evicted)
        self._clear_offer(slot)
        return slot

    def _clear_offer(self, slot: int) -> None:
        for table in (self.output.offer, self.output.offer_bias):
            table.set(slot, 0.0)
            table.fresh[slot] = False
        self.pairs.key_offer.clear_columns([slot])
        self.counts.clear_offers([slot])

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
        for name, slot in self.offers.attributes.items():
            if slot >= known:
                self.pairs.start_attribute(name, slot)

    def _changed_values(self, added: list[int], evicted: list[int]) -> None:
        self._reserve()
        self.evictions += len(evicted)
        for slots, fresh in ((evicted, False), (added, True)):
            if not slots:
                continue
            self.counts.clear_values(slots)
            for pair_table in (self.pairs.key_value, self.pairs.wide):
                pair_table.clear_columns(slots)
                pair_table.fresh_columns[slots] = fresh
            for table in (self.output.value, self.output.value_bias):
                table.set(slots, 0.0)
                table.fresh[slots] = fresh
            self.matches[np.isin(self.matches, slots)] = -1
        for slot in added:
            key = self.offers.values.names[slot]
            assert key is not None
            attribute, value = self.offers.value_of[key]
            for vocabulary in self.rows.vocabularies.values():
                row = vocabulary.row_of.get(value)
                if row is not None:
                    self.matches[row, self.offers.attributes.slot(attribute)] = slot

    def _reserve(self) -> None:
        """Let every table have room for the names that there are."""
        numeric, categorical = self.features.numeric.capacity, self.features.categorical.capacity
        offers, values = self.offers.offers.capacity, self.offers.values.capacity
        self.statistics.reserve(numeric)
        self.input.numeric.grow(numeric)
        self.input.missing.grow(numeric)
        self.input.projection.grow(categorical)
        self.pairs.flags.grow(categorical)
        self.input.rows.grow(self.rows.reserved)
        extra = self.rows.reserved - len(self.wide_of)
        if extra > 0:
            self.wide_of = np.concatenate([self.wide_of, np.zeros(extra, dtype=np.int64)])
            tail = np.full((extra, self.matches.shape[1]), -1, dtype=np.int64)
            self.matches = np.concatenate([self.matches, tail])
        for table, slots in (
            (self.output.offer, offers),
            (self.output.offer_bias, offers),
            (self.output.value, values),
            (self.output.value_bias, values),
        ):
            table.grow(slots)
        cells = self.settings.pair_cells
        self._drop_keys(self.keys.shrink(max(1, min(self.settings.entity_capacity, cells // max(offers, values)))))
        for wide in self.wide_rows.shrink(max(1, cells // values)):
            self.wide_of[self.wide_of == wide + 1] = 0
            self.pairs.wide.clear_rows([wide + 1])
            self.evictions += 1
        keys = self.keys.rows_used + 1
        self.pairs.key_offer.reserve(keys, offers)
        self.pairs.key_value.reserve(keys, values)
        self.pairs.wide.reserve(self.wide_rows.rows_used + 1, values)
        self.counts.reserve(keys, offers, values)

    # -- freshness ------------------------------------------------------------------------------------------------

    def refresh_pairs(self) -> None:
        """Start the pair part anew, as a whole; counts stay."""
        for _, pair_table in self.pairs.pair_tables():
            pair_table.reset()
        self.pairs.flags.set(list(range(self.pairs.flags.rows)), 0.0)
        self.pairs.start_mixer(self.offers.attributes.items())
        for _, table in self.pairs.tables():
            table.fresh.fill_(True)

    def refresh_input(self) -> None:
        """Replace the input layer: fresh weights and optimiser state; vocabulary, statistics and counts stay."""
        self.input.start_bias()
        for name, slot in self.features.numeric.items():
            self.input.start_numeric(slot, name, silent=False)
        for name, slot in self.features.categorical.items():
            self.input.start_projection(slot, name, silent=False)
        rows = [row for row, _, _ in self.rows.owners()]
        self.input.start_rows(rows, [self.row_name(row) for row in rows])
        for _, table in self.input.tables():
            table.fresh.fill_(True)
        self.refresh_pairs()

    def refresh_output(self) -> None:
        """Replace the output layer: fresh weights and optimiser state; counts stay."""
        for _, table in self.output.tables():
            table.set(list(range(table.rows)), 0.0)
            table.fresh.fill_(True)
        self.refresh_pairs()

    def settle(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        for layer in (self.input, self.output, self.pairs):
            for _, table in layer.tables():
                table.fresh.fill_(False)
        for _, pair_table in self.pairs.pair_tables():
            pair_table.settle()
        self.statistics.new.fill(False)

    @property
    def any_fresh(self) -> bool:
        """Say whether a warm-up would have anything to train: rows admitted on sight alone do not count."""
        return self.input.any_fresh or self.output.any_fresh

    @property
    def replaced_layers(self) -> tuple[bool, bool]:
        """Say whether the input and the output layer are being warmed up as wholes, under a strategy that replaces."""
        return bool(self.input.bias.fresh[0]), bool(self.output.offer.fresh.any())

    # -- one step -------------------------------------------------------------------------------------------------

    def frame(self, batch: Batch) -> Frame:
        """Return the batch on the device, standardised by the statistics as they stand."""
        numeric, missing = self.statistics.standardise(
            batch.numeric, np.array(self.features.numeric.slots(), dtype=int)
        )
        row_of = self.keys.row_of
        entity = np.array([row_of.get(key, -1) + 1 for key in batch.keys], dtype=np.int64)
        return Frame.of(batch, numeric, missing, entity, self.matches, self.offers, self.device)

    def forward(self, frame: Frame) -> torch.Tensor:
        """Return the logits ``(P,)``."""
        self._hidden = self.trunk.forward(self.input.forward(frame))
        by_offer, by_value = self.output.forward(self._hidden)
        self._wide = torch.from_numpy(self.wide_of[frame.rows.cpu().numpy()]).to(self.device)
        counts = self.counts.inputs(frame)
        return self.pairs.forward(frame, self._wide, counts, by_offer, by_value)

    def train(self, frame: Frame, logits: torch.Tensor, *, warming_up: bool) -> None:
        """Take one step on the batch of the last :meth:`forward`: BCE, summed over pairs, weighted by event."""
        gradient = (torch.sigmoid(logits) - frame.taken) * frame.weight[frame.pair_event]
        offers, values = self.output.offer.rows, self.output.value.rows
        by_offer = torch.zeros(frame.events, offers, device=self.device)
        by_offer[frame.pair_event, frame.pair_slot] = gradient
        padded = torch.zeros(frame.events * (values + 1), device=self.device)
        for attribute in range(frame.pair_columns.shape[1]):
            padded.index_add_(0, frame.pair_event * (values + 1) + frame.pair_columns[:, attribute], gradient)
        by_value = padded.view(frame.events, values + 1)[:, :values]
        train_input = not warming_up or self.input.any_fresh
        hidden = self.output.hidden_gradient(by_offer, by_value) if train_input else None
        self.output.train(by_offer, by_value, warming_up=warming_up)
        self.pairs.train(frame, self._wide, gradient, by_offer, by_value, warming_up=warming_up)
        if hidden is not None:
            z = self.trunk.backward(hidden, train=not warming_up)
            live = {
                "numeric": torch.tensor(self.features.numeric.slots(), dtype=torch.int64, device=self.device),
                "projection": torch.tensor(self.features.categorical.slots(), dtype=torch.int64, device=self.device),
            }
            self.input.backward(frame, z, live, warming_up=warming_up)

    def admit_keys(self, batch: Batch, now: int, *, warming_up: bool) -> None:
        """Give new keys rows of their own, zero and so without effect on the prediction."""
        # Touched first: a key whose row was in the prediction may not make room for another of its own batch.
        known = [self.keys.row_of[key] for key in batch.keys if key in self.keys.row_of]
        self.keys.touch(np.array(known, dtype=np.int64), now)
        admitted, evicted = self.keys.admit(dict.fromkeys(batch.keys), now, may_evict=not warming_up)
        self._drop_keys(evicted)
        self._reserve()
        if warming_up and admitted:
            rows = [row + 1 for row in admitted]
            self.pairs.key_offer.fresh_rows[rows] = True
            self.pairs.key_value.fresh_rows[rows] = True

    def _drop_keys(self, rows: list[int]) -> None:
        if rows:
            self.evictions += len(rows)
            tables = [row + 1 for row in rows]
            self.pairs.key_offer.clear_rows(tables)
            self.pairs.key_value.clear_rows(tables)
            self.counts.clear_keys(tables)

    def observe(self, batch: Batch, frame: Frame, now: int, *, warming_up: bool) -> None:
        """Move what moves with every trained event: counts, statistics, sightings and admissions."""
        self.counts.update(frame)
        slots = np.array(self.features.numeric.slots(), dtype=int)
        if warming_up:
            slots = slots[self.statistics.new[slots]]
        self.statistics.update(batch.numeric, slots)
        rows = self.rows
        np.add.at(rows.mass, batch.rows, batch.row_weight)
        np.add.at(rows.presence, batch.rows, 1.0)
        rows.last_seen[batch.rows] = now
        for vocabulary in rows.vocabularies.values():
            vocabulary.events += len(batch)
        before = rows.evictions
        open_rows = not warming_up or self.input.any_fresh
        admitted, evicted = rows.admit(batch.unseen, now, open_rows=open_rows, may_evict=not warming_up)
        self.evictions += rows.evictions - before
        self._reserve()
        if evicted:
            self._release_rows(sorted(set(evicted)))
        live = [row for row in dict.fromkeys(admitted) if rows.owner[row] is not None]
        self._start_rows(live, fresh=warming_up)

    def reaches(self, frame: Frame) -> np.ndarray:
        """Return which events ``(B,)`` reach a fresh part: the warm-up is judged by their loss."""
        if bool(self.input.bias.fresh[0]):
            return np.ones(frame.events, dtype=bool)
        reached = torch.zeros(frame.events, dtype=torch.bool, device=self.device)
        reached[frame.pair_event[self.output.offer.fresh[frame.pair_slot]]] = True
        reached[frame.row_event[self.input.projection.fresh[frame.row_slot]]] = True
        fresh = self.input.numeric.fresh.nonzero()[:, 0]
        reached |= (frame.missing[:, fresh] == 0).any(1)
        return np.asarray(reached.cpu().numpy())
