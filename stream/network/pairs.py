"""What joins an input or the key directly with an offer: key cells, the wide part, flags, weights over counts.

Added to the logit of (event, offer): the key's own cell for the offer and for each of its attribute values; for each
active input value its cell for each attribute value; a shared weight if an input value *is* an attribute value of
the offer; and a small network over the pair's running counts (`stream.network.mixer`). Tasks share none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import torch

from stream.network.cells import Cells
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.mixer import Mixer
from stream.network.pair_cells import PairCells
from stream.network.part import Owner, Part
from stream.network.places import Places
from stream.network.room import Room
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table

__all__ = ["PairPart"]


class PairPart(Part):
    """The cells and the mixer; of neither input nor output layer, it stays if these are replaced."""

    owners: ClassVar[Mapping[str, Owner]] = {"flags": Owner.CATEGORICAL, **Mixer.owners}
    compiled = False
    """Whether the compiled loops are used, if what they do is what is asked for."""

    def __init__(
        self,
        network: NetworkSettings,
        optimiser: OptimiserSettings,
        cells: PairCells,
        seed: int,
        device: torch.device,
    ) -> None:
        self.cells = cells
        self.device = device
        self.flags = Table(
            8,
            (network.attributes,),
            method="adagrad",
            rate=optimiser.flag_rate,
            prior=optimiser.accumulator,
            device=device,
        )
        self.mixer = Mixer(network, optimiser, seed, device)
        self._room = Room()

    @property
    def key_offer(self) -> Cells:
        """The cells of keys and offers."""
        return self.cells.key_offer

    @property
    def key_value(self) -> Cells:
        """The cells of keys and attribute values."""
        return self.cells.key_value

    @property
    def wide(self) -> Cells:
        """The cells of input values (vocabulary rows, from 1 on) and attribute values."""
        return self.cells.wide

    def pair_tables(self) -> Iterator[tuple[str, Cells]]:
        """Yield the cells of each kind with its name."""
        yield from self.cells.registries()

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each plain table with its name."""
        yield "flags", self.flags
        yield from self.mixer.tables()

    def start_task(self, task: int, first: int, number: int) -> None:
        """Let a task start as a copy of the default one; its flags are the `number` columns from `first` on."""
        self.mixer.start_task(task)
        self.flags.set_columns(first, self.flags.weight[:, :number].clone())

    def end_task(self, task: int, first: int, number: int) -> None:
        """Zero what a task owned beside its offers and values."""
        self.mixer.end_task(task)
        self.flags.set_columns(first, torch.zeros(self.flags.rows, number, device=self.flags.device))

    def end_warmup(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        super().end_warmup()
        for _, cells in self.pair_tables():
            cells.end_warmup()

    # -- forward --------------------------------------------------------------------------------------------------

    def forward(self, frame: Frame, counts: torch.Tensor, alone: torch.Tensor) -> torch.Tensor:
        """Return the logits `(P,)`, given what the output layer says of the pairs `alone` `(P,)`."""
        places = self.cells.places(frame)
        if self.compiled:
            return self._compiled_forward(frame, places, counts, alone)
        weight = frame.row_weight[self._put(places.use_row)]
        by_value = self.key_value.read(places.value_cell)
        by_value = by_value.index_add(0, self._put(places.use_value), self.wide.read(places.use_cell) * weight)
        flags = self.flags.weight[frame.row_slot[self._put(places.match_row)], self._put(places.match_slot)]
        by_value = by_value.index_add(0, self._put(places.match_value), flags)
        shared = torch.nn.functional.pad(by_value, (0, 1))[self._put(places.pair_value)].sum(1)
        return alone + self.key_offer.read(places.offer_cell) + shared + self.mixer.forward(frame, counts)

    def _put(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array.astype(np.int64)).to(self.device)

    def _compiled_forward(
        self, frame: Frame, places: Places, counts: torch.Tensor, alone: torch.Tensor
    ) -> torch.Tensor:
        from stream.network import pair_kernels

        mixer, a, values = self.mixer, frame.arrays, len(places.value_column)
        hidden = self._room.array("hidden", (len(a.pair_slot), mixer.hidden), np.float32)
        logits = torch.empty(len(a.pair_slot))
        pair_kernels.pair_logits(
            a.pair_offsets,
            a.pair_slot,
            places.pair_value,
            places.value_offsets,
            places.value_pair,
            places.value_attribute,
            frame.offer_task.numpy(),
            (places.offer_cell, places.value_cell),
            self._weights(),
            (places.use_row, places.use_cell, places.use_value),
            a.row_weight,
            (places.match_row, places.match_slot, places.match_value),
            a.row_slot,
            self.flags.weight.numpy(),
            alone.numpy(),
            counts.numpy(),
            tuple(table.weight.numpy() for table in (mixer.inputs, mixer.bias, mixer.out, mixer.linear)),
            self._room.array("own", (values,), np.float32),
            self._room.array("own_hidden", (values, mixer.hidden), np.float32),
            hidden,
            logits.numpy(),
        )
        self._counts, self._hidden = counts, torch.from_numpy(hidden)
        mixer.remember(frame, counts, self._hidden)
        return logits

    def _weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.key_offer.weights, self.key_value.weights, self.wide.weights

    # -- training -------------------------------------------------------------------------------------------------

    def train(
        self, frame: Frame, logits: torch.Tensor, gradient: torch.Tensor, descent: Descent, *, warming_up: bool
    ) -> None:
        """Train on the gradient by logit `(P,)`; `logits` `(P,)` are the pairs'."""
        places = self.cells.begin(frame, warming_up=warming_up)
        own_keys = type(self)._train_keys is not PairPart._train_keys
        if self.compiled and not warming_up and type(descent) is Descent and not own_keys:
            self._compiled_train(frame, places, gradient)
            return
        padded = gradient.new_zeros(len(places.value_column) + 1)
        for attribute in range(places.pair_value.shape[1]):
            padded.index_add_(0, self._put(places.pair_value[:, attribute]) % len(padded), gradient)
        by_value = padded[:-1]
        self._train_keys(frame, places, logits, gradient, by_value, descent, warming_up=warming_up)
        weight = frame.row_weight[self._put(places.use_row)]
        self._train_cells(
            self.wide,
            places.use_cell,
            frame.arrays.rows[places.use_row] + 1,
            places.value_column[places.use_value],
            by_value[self._put(places.use_value)] * weight,
            descent,
            warming_up=warming_up,
        )
        flags = self.flags.trained(warming_up=warming_up)
        if len(places.match_row) and (flags is None or flags.numel()):
            at = frame.row_slot[self._put(places.match_row)] * self.flags.row_size + self._put(places.match_slot)
            descent.scattered(self.flags, at, by_value[self._put(places.match_value)], flags)
        self.mixer.train(gradient, descent, warming_up=warming_up)

    def _train_keys(
        self,
        frame: Frame,
        places: Places,
        logits: torch.Tensor,
        gradient: torch.Tensor,
        by_value: torch.Tensor,
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        """Train the keys' own weights; a method that trains them otherwise needs the logits too."""
        a = frame.arrays
        for cells, found, event, columns, slopes in (
            (self.key_offer, places.offer_cell, a.pair_event, a.pair_slot, gradient),
            (self.key_value, places.value_cell, places.value_event, places.value_column, by_value),
        ):
            self._train_cells(cells, found, a.entity[event], columns, slopes, descent, warming_up=warming_up)

    def _train_cells(
        self,
        cells: Cells,
        found: np.ndarray,
        rows: np.ndarray,
        columns: np.ndarray,
        slopes: torch.Tensor,
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        """Train those `found` of the cells of some rows and columns `(n,)` along their `slopes`."""
        chosen = np.flatnonzero((found >= 0) & cells.trained(rows, columns, warming_up=warming_up))
        if len(chosen):
            descent.cells(cells, self._put(found[chosen]), slopes[self._put(chosen)])

    def _compiled_train(self, frame: Frame, places: Places, gradient: torch.Tensor) -> None:
        from stream.network import pair_kernels

        mixer, a, values = self.mixer, frame.arrays, len(places.value_column)
        tables = (mixer.inputs, mixer.bias, mixer.out, mixer.linear)
        sums = tuple(torch.zeros_like(table.weight) for table in tables)
        flags = torch.zeros_like(self.flags.weight)
        pair_kernels.train_pairs(
            a.pair_offsets,
            a.pair_slot,
            places.pair_value,
            places.value_pair,
            places.value_attribute,
            frame.offer_task.numpy(),
            (places.offer_cell, places.value_cell),
            self._weights(),
            (self.key_offer.rate, self.key_value.rate, self.wide.rate),
            (places.use_row, places.use_cell, places.use_value),
            a.row_weight,
            (places.match_row, places.match_slot, places.match_value),
            a.row_slot,
            flags.numpy(),
            gradient.numpy(),
            self._counts.numpy(),
            self._hidden.numpy(),
            mixer.out.weight.numpy(),
            self._room.array("own", (values,), np.float32),
            self._room.array("own_hidden", (values, mixer.hidden), np.float32),
            tuple(total.numpy() for total in sums),
        )
        self.flags.step(flags)
        mixer.step(frame.tasks, sums)
