"""What a schema change does to the network: names get their rows in every table, and give them back.

What to make fresh, and for how long, is decided in `stream.adaptation`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from stream.encoding.features import KEY, slot_name
from stream.network.counts import PairCounts
from stream.network.input_layer import InputLayer
from stream.network.layout import Layout
from stream.network.output_layer import OutputLayer
from stream.network.pairs import PairPart
from stream.network.settings import NetworkSettings
from stream.network.statistics import RunningStatistics
from stream.schema import Kind

__all__ = ["Names"]


class Names:
    """Applies schema changes: to the layout, and to the rows that it gives or takes in each part."""

    def __init__(
        self,
        settings: NetworkSettings,
        layout: Layout,
        statistics: RunningStatistics,
        inputs: InputLayer,
        output: OutputLayer,
        pairs: PairPart,
        counts: PairCounts,
    ) -> None:
        self.settings = settings
        self.layout = layout
        self.statistics = statistics
        self.input = inputs
        self.output = output
        self.pairs = pairs
        self.counts = counts
        self.late = False
        """Whether the first version is past: what joins now meets a trained network, and has to catch up with it."""
        self._reserved: tuple[int, ...] = ()
        """What there was room for when room was last made."""
        if settings.entity_embedding:
            self._start_categorical(layout.features.categorical.slot(KEY), KEY, silent=False, fresh=False)

    # -- schema changes -----------------------------------------------------------------------------------------

    def add_feature(self, name: str, kind: Kind, *, silent: bool) -> None:
        """Add an input and mark it fresh; `silent` leaves the function as it was."""
        slot = self.layout.features.add(name, kind)
        if kind is Kind.NUMERIC:
            self.reserve()
            self.statistics.start(slot)
            self.input.start_numeric(slot, name, silent=silent)
            self.input.numeric.fresh[slot] = self.input.missing.fresh[slot] = True
            if self.late:
                self.input.hasten(numeric=[slot], categorical=[])
        else:
            self._start_categorical(slot, slot_name(name), silent=silent, fresh=True)

    def _start_categorical(self, slot: int, name: str, *, silent: bool, fresh: bool) -> None:
        self.reserve()
        self.input.start_projection(slot, name, silent=silent, fresh=fresh)
        if self.late:
            self.input.hasten(numeric=[], categorical=[slot])
        self.pairs.flags.set(slot, 0.0)
        self.pairs.flags.fresh[slot] = fresh
        self.start_rows(self.layout.rows.vocabularies[slot].rows(), fresh=fresh)

    def start_rows(self, rows: list[int], *, fresh: bool) -> None:
        """Give new vocabulary rows their seeded values and their matches with attribute values."""
        if not rows:
            return
        self.reserve()
        self.input.start_rows(rows, [self.layout.row_name(row) for row in rows])
        self.input.rows.fresh[rows] = fresh
        for row in rows:
            self.layout.matches[row] = -1
            owner = self.layout.rows.owner[row]
            assert owner is not None
            slot, value = owner
            if self.layout.rows.vocabularies[slot].row_of.get(value) == row:  # not one for missing or rare
                for place, column in self.layout.offers.columns_of_string.get(value, ()):
                    self.layout.matches[row, place] = column
        self.pairs.wide.fresh_rows[[row + 1 for row in rows]] = fresh

    def remove_feature(self, name: str, *, fold: bool) -> None:
        """Remove an input; `fold` leaves its contribution at the running mean in the biases."""
        if fold:
            self._fold(name)
        kind, slot, rows = self.layout.features.remove(name)
        if kind is Kind.NUMERIC:
            self.input.clear_numeric(slot)
            self.statistics.clear(slot)
            return
        self.input.clear_projection(slot)
        self.pairs.flags.set(slot, 0.0)
        self.pairs.flags.fresh[slot] = False
        self.release_rows(rows)

    def _fold(self, name: str) -> None:
        slot = self.layout.features.slot(name)
        if self.layout.features.kinds[name] is Kind.NUMERIC:
            self.input.bias.weight[0] += self.statistics.missing_rate(slot) * self.input.missing.weight[slot]
            self.input.bias.weight[0] += self.statistics.mean_input(slot) * self.input.numeric.weight[slot]
            return
        vocabulary = self.layout.rows.vocabularies[slot]
        if not vocabulary.events:
            return
        rows = vocabulary.rows()
        mass = torch.from_numpy(self.layout.rows.mass[rows] / vocabulary.events).to(
            self.output.value_bias.device, torch.float32
        )
        self.input.bias.weight[0] += self.input.mean_contribution(slot, rows, mass)
        self._fold_cells(rows, mass)
        for row in rows:
            for place, value in enumerate(self.layout.matches[row]):
                if value >= 0:
                    share = self.layout.rows.presence[row] / vocabulary.events
                    self.output.value_bias.weight[int(value)] += share * self.pairs.flags.weight[slot, place]

    def _fold_cells(self, rows: list[int], mass: torch.Tensor) -> None:
        """Add the wide cells of some vocabulary rows, by the `mass` `(n,)` of each, to the biases of the values."""
        wide, bias = self.pairs.wide, self.output.value_bias.weight
        share = np.zeros(len(wide.row_lives), dtype=np.float32)
        share[np.array(rows) + 1] = mass.cpu().numpy()
        owners, columns, places = wide.live()
        some = share[owners] != 0.0
        folded = torch.from_numpy(wide.weights[places[some], 0] * share[owners[some]])
        bias.index_add_(0, torch.from_numpy(columns[some]).to(bias.device), folded.to(bias.device))

    def release_rows(self, rows: list[int]) -> None:
        """Zero what vocabulary rows held."""
        self.input.clear_rows(rows)
        self.pairs.wide.clear_rows([row + 1 for row in rows])
        self.layout.matches[rows] = -1

    def rename_feature(self, name: str, to: str) -> None:
        """Move all state of an input to another name."""
        self.layout.features.rename(name, to)

    def add_offer(self, name: str, attributes: Mapping[str, str]) -> int:
        """Add an offer, fresh, beside what its attribute values already know; return its slot."""
        known = len(self.layout.offers.attributes)
        slot, added, evicted = self.layout.offers.add(name, attributes)
        self._start_attributes(known)
        self._changed_values(added, evicted)
        self.output.clear_offers([slot], fresh=True)  # elsewhere a slot without an offer is zero already
        self.layout.muted[slot] = False
        self.pairs.key_offer.fresh_columns[slot] = True
        return slot

    def remove_offer(self, name: str) -> int:
        """Remove an offer and zero its slot; its attribute values stay."""
        slot, evicted = self.layout.offers.remove(name)
        self._changed_values([], evicted)
        self.output.clear_offers([slot], fresh=False)
        self.layout.muted[slot] = False
        self.pairs.key_offer.clear_columns([slot])
        self.counts.clear_offers([slot])
        return slot

    def mute(self, name: str) -> None:
        """Let an offer keep the prior's logit for good: it is neither predicted nor trained."""
        self.layout.muted[self.layout.offers.offers.slot(name)] = True

    def rename_offer(self, name: str, to: str) -> int:
        """Move all state of an offer to another name; return its slot."""
        return self.layout.offers.rename(name, to)

    def update_offer(self, name: str, attributes: Mapping[str, str]) -> int:
        """Replace an offer's attributes; return its slot."""
        known = len(self.layout.offers.attributes)
        slot, added, evicted = self.layout.offers.update(name, attributes)
        self._start_attributes(known)
        self._changed_values(added, evicted)
        return slot

    def _start_attributes(self, known: int) -> None:
        """Start the weights of attributes that no offer had before; an attribute's slot is never given up."""
        self.reserve()
        tasks = self.layout.offers.tasks.names.slots()
        for name, slot in self.layout.offers.attributes.items():
            if slot >= known:
                self.pairs.mixer.start_attribute(name, slot, tasks)

    def _changed_values(self, added: list[int], evicted: list[int]) -> None:
        self.reserve()
        self.layout.evictions += len(evicted)
        self._clear_values(evicted, fresh=False)
        if added:  # what they own elsewhere is zero already
            self.output.clear_values(added, fresh=True)
            for pair_table in (self.pairs.key_value, self.pairs.wide):
                pair_table.fresh_columns[added] = True
        for slot in added:
            key = self.layout.offers.values.names[slot]
            assert key is not None
            attribute, value = self.layout.offers.value_of[key]
            for vocabulary in self.layout.rows.vocabularies.values():
                row = vocabulary.row_of.get(value)
                if row is not None:
                    self.layout.matches[row, self.layout.offers.match_slot(attribute, slot)] = slot

    def _clear_values(self, slots: list[int], *, fresh: bool) -> None:
        if not slots:
            return
        self.counts.clear_values(slots)
        for pair_table in (self.pairs.key_value, self.pairs.wide):
            pair_table.clear_columns(slots)
            pair_table.fresh_columns[slots] = fresh
        self.output.clear_values(slots, fresh=fresh)
        self.layout.matches[np.isin(self.layout.matches, slots)] = -1

    def update_tasks(self) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """Start the new tasks and end those without offers, once a version's changes were all made.

        Returns name and slot of those that started, and of those that ended.
        """
        started = self.layout.offers.tasks.started()
        number = self.layout.offers.attribute_limit
        for _, task in started:
            self.pairs.start_task(task, task * number, number)
        ended, values = self.layout.offers.end_idle_tasks()
        self._clear_values(values, fresh=False)
        for name, task in ended:
            self.pairs.end_task(task, task * number, number)
            self.output.end_task(name)
        return started, ended

    def reserve(self) -> None:
        """Let every table have room for the names that there are."""
        numeric, categorical = self.layout.features.numeric.capacity, self.layout.features.categorical.capacity
        offers, values = self.layout.offers.offers.capacity, self.layout.offers.values.capacity
        keys = self.layout.keys.rows_used + 1
        wanted = numeric, categorical, offers, values, self.layout.rows.reserved, self.layout.offers.match_slots, keys
        if wanted == self._reserved:
            return
        self.layout.reserve()
        self.statistics.reserve(numeric)
        self.input.reserve(numeric, categorical, self.layout.rows.reserved)
        self.pairs.flags.grow(categorical)
        self.pairs.flags.widen(self.layout.offers.match_slots)
        self.pairs.mixer.reserve(len(self.layout.offers.tasks.names.names))
        self.output.reserve(offers, values)
        self.pairs.key_offer.reserve(keys, offers)
        self.pairs.key_value.reserve(keys, values)
        self.pairs.wide.reserve(self.layout.rows.reserved + 1, values)
        self.counts.reserve(keys, offers, values)
        self._reserved = wanted

    def drop_keys(self, rows: list[int]) -> None:
        """Zero what keys held that gave up their rows."""
        if rows:
            self.layout.evictions += len(rows)
            tables = [row + 1 for row in rows]
            self.pairs.key_offer.clear_rows(tables)
            self.pairs.key_value.clear_rows(tables)
            self.counts.clear_keys(tables)

    def take_over(self, other: Layout) -> None:
        """Give a network without names the features and offers of another layout, in their slots, untrained."""
        self.layout.offers = other.offers
        self.reserve()
        self._start_attributes(0)
        for name, kind in other.features.kinds.items():
            self.add_feature(name, kind, silent=False)
