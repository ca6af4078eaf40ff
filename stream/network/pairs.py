"""What joins an input or the key directly with an offer: key tables, the wide part, flags, weights over counts.

Added to the logit of (event, offer): the key's own cell for the offer and for each of its attribute values; for each
active input value its cell for each attribute value; a shared weight where an input value *is* an attribute value of
the offer; and a small network over the pair's running counts (:mod:`stream.network.mixer`). Tasks share none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import torch

from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.mixer import Mixer
from stream.network.pair_table import PairTable
from stream.network.part import Owner, Part
from stream.network.room import Room
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table
from stream.network.uses import Uses

__all__ = ["PairPart"]


class PairPart(Part):
    """The pair tables and the mixer; of neither input nor output layer, it stays if these are replaced."""

    owners: ClassVar[Mapping[str, Owner]] = {"flags": Owner.CATEGORICAL, **Mixer.owners}
    compiled = False
    """Whether the compiled loops are used, if what they do is what is asked for."""

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, seed: int, device: torch.device) -> None:
        def pairs(rate: float) -> PairTable:
            return PairTable(rate=rate, accumulator=optimiser.accumulator, device=device)

        self.key_offer = pairs(optimiser.entity_rate)
        self.key_value = pairs(optimiser.entity_rate)
        self.wide = pairs(optimiser.wide_rate)
        self.flags = Table(
            8,
            (network.attributes,),
            method="adagrad",
            rate=optimiser.flag_rate,
            accumulator=optimiser.accumulator,
            device=device,
        )
        self.mixer = Mixer(network, optimiser, seed, device)
        self._mark = np.zeros(0, dtype=np.int32)
        self._room = Room()

    def pair_tables(self) -> Iterator[tuple[str, PairTable]]:
        """Yield each pair table with its name."""
        yield "key_offer", self.key_offer
        yield "key_value", self.key_value
        yield "wide", self.wide

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each plain table with its name."""
        yield "flags", self.flags
        yield from self.mixer.tables()

    def start_task(self, task: int, first: int, number: int) -> None:
        """Let a task start as a copy of the default one; its flags are the ``number`` columns from ``first`` on."""
        self.mixer.start_task(task)
        self.flags.set_columns(first, self.flags.weight[:, :number].clone())

    def end_task(self, task: int, first: int, number: int) -> None:
        """Zero what a task owned beside its offers and values."""
        self.mixer.end_task(task)
        self.flags.set_columns(first, torch.zeros(self.flags.rows, number, device=self.flags.device))

    def settle(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        super().settle()
        for _, pair_table in self.pair_tables():
            pair_table.settle()

    def forward(
        self,
        frame: Frame,
        wide_rows: torch.Tensor,
        counts: torch.Tensor,
        alone: torch.Tensor,
    ) -> torch.Tensor:
        """Return the logits ``(P,)``, given what the output layer says of the pairs ``alone`` ``(P,)``."""
        if self.compiled:
            return self._compiled_forward(frame, wide_rows, counts, alone)
        by_value = self.key_value.weight[frame.entity]
        Uses(wide_rows, frame.row_event, frame.row_weight).add_to(by_value, self.wide.weight)
        flags = self.flags.weight[frame.match_slot, frame.match_attribute]
        values = by_value.shape[1]
        by_value.view(-1).index_add_(0, frame.match_event * values + frame.match_column, flags)
        padded = torch.cat([by_value, by_value.new_zeros(frame.events, 1)], 1)
        shared = padded.view(-1)[frame.pair_event[:, None] * (values + 1) + frame.pair_columns].sum(1)
        own = self.key_offer.weight[frame.entity[frame.pair_event], frame.pair_slot]
        return alone + own + shared + self.mixer.forward(frame, counts)

    def _compiled_forward(
        self,
        frame: Frame,
        wide_rows: torch.Tensor,
        counts: torch.Tensor,
        alone: torch.Tensor,
    ) -> torch.Tensor:
        from stream.network import pair_kernels

        mixer, pairs = self.mixer, len(frame.pair_slot)
        hidden, logits = (
            torch.from_numpy(self._room.array("hidden", (pairs, mixer.hidden), np.float32)),
            torch.empty(pairs),
        )
        pair_kernels.pair_logits(
            frame.pair_event.numpy(),
            frame.pair_slot.numpy(),
            frame.columns,
            frame.offer_task.numpy(),
            frame.entity.numpy(),
            frame.rows.numpy(),
            frame.row_event.numpy(),
            frame.row_slot.numpy(),
            frame.row_weight.numpy(),
            wide_rows.numpy(),
            frame.matches,
            alone.numpy(),
            self.key_offer.weight.numpy(),
            self.key_value.weight.numpy(),
            self.wide.weight.numpy(),
            self.flags.weight.numpy(),
            counts.numpy(),
            tuple(table.weight.numpy() for table in (mixer.inputs, mixer.bias, mixer.out, mixer.linear)),
            hidden.numpy(),
            logits.numpy(),
        )
        mixer.remember(frame, counts, hidden)
        self._counts, self._hidden = counts, hidden
        return logits

    def _compiled_train(self, frame: Frame, wide_rows: torch.Tensor, gradient: torch.Tensor) -> None:
        from stream.network import pair_kernels

        by_value = self._by_value(frame, gradient)
        slots, columns, slopes = frame.pair_slot.numpy(), frame.columns, gradient.numpy()
        pair_kernels.train_cells(
            frame.pair_event.numpy(),
            slots,
            columns,
            frame.entity.numpy(),
            slopes,
            (self.key_offer.weight.numpy(), self.key_offer.squares.numpy()),
            (self.key_value.weight.numpy(), self.key_value.squares.numpy()),
            self.key_offer.rate,
            self.key_value.rate,
        )
        if len(self._mark) < len(self.wide.weight):
            self._mark = np.zeros(len(self.wide.weight), dtype=np.int32)
        pair_kernels.train_wide(
            frame.events,
            frame.rows.numpy(),
            frame.row_event.numpy(),
            frame.row_slot.numpy(),
            frame.row_weight.numpy(),
            wide_rows.numpy(),
            frame.matches,
            by_value.numpy(),
            np.flatnonzero(by_value.numpy().any(0)),
            self._mark,
            (self.wide.weight.numpy(), self.wide.squares.numpy()),
            (self.flags.weight.numpy(), self.flags.moments["squares"].numpy()),
            self.wide.rate,
            self.flags.rate,
        )
        mixer = self.mixer
        tables = (mixer.inputs, mixer.bias, mixer.out, mixer.linear)
        sums = tuple(torch.zeros_like(table.weight) for table in tables)
        pair_kernels.train_mixer(
            slots,
            columns,
            frame.offer_task.numpy(),
            slopes,
            self._counts.numpy(),
            self._hidden.numpy(),
            mixer.out.weight.numpy(),
            tuple(total.numpy() for total in sums),
        )
        mixer.step(frame.tasks, sums)

    def train(
        self,
        frame: Frame,
        logits: torch.Tensor,
        wide_rows: torch.Tensor,
        gradient: torch.Tensor,
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        """Train on the gradient by logit ``(P,)``; ``logits`` ``(P,)`` are the pairs'."""
        own_keys = type(self)._train_keys is not PairPart._train_keys
        if self.compiled and not warming_up and type(descent) is Descent and not own_keys:
            self._compiled_train(frame, wide_rows, gradient)
            return
        by_value = self._by_value(frame, gradient)
        self._train_keys(frame, logits, gradient, by_value, descent, warming_up=warming_up)
        if not warming_up or self.wide.any_fresh:
            uses = Uses(wide_rows, frame.row_event, frame.row_weight)
            self.wide.train(uses, by_value, descent, warming_up=warming_up)
        flags = self.flags.trained(warming_up=warming_up)
        if frame.match_event.numel() and (flags is None or flags.numel()):
            places = frame.match_slot * self.flags.row_size + frame.match_attribute
            descent.scattered(self.flags, places, by_value[frame.match_event, frame.match_column], flags)
        self.mixer.train(gradient, descent, warming_up=warming_up)

    def _train_keys(
        self,
        frame: Frame,
        logits: torch.Tensor,
        gradient: torch.Tensor,
        by_value: torch.Tensor,
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        """Train the keys' own weights; a method that trains them otherwise needs the logits too."""
        keys = Uses(frame.entity, torch.arange(frame.events, device=frame.entity.device))
        by_offer = gradient.new_zeros(frame.events, self.key_offer.weight.shape[1])
        by_offer[frame.pair_event, frame.pair_slot] = gradient
        self.key_offer.train(keys, by_offer, descent, warming_up=warming_up)
        self.key_value.train(keys, by_value, descent, warming_up=warming_up)

    def _by_value(self, frame: Frame, gradient: torch.Tensor) -> torch.Tensor:
        """Return the gradient by logit ``(P,)``, summed by event and attribute value ``(B, values)``."""
        values = self.key_value.weight.shape[1]
        padded = gradient.new_zeros(frame.events * (values + 1))
        for attribute in range(frame.pair_columns.shape[1]):
            column = frame.pair_columns[:, attribute]
            padded.index_add_(0, frame.pair_event * (values + 1) + column.clamp_max(values), gradient)
        return padded.view(frame.events, values + 1)[:, :values].contiguous()
