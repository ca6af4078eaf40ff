"""What joins an input or the key directly with an offer: key tables, the wide part, flags, weights over counts.

Added to the logit of (event, offer): the key's own cell for the offer and for each of its attribute values; for each
active input value its cell for each attribute value; a shared weight where an input value *is* an attribute value of
the offer; and a small network over the pair's running counts with a linear skip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from stream.network.counts import BASE_INPUTS, VALUE_INPUTS
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.initial import uniform
from stream.network.pair_table import PairTable
from stream.network.part import Part
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table

__all__ = ["PairPart"]

_BLOCK = 64


class PairPart(Part):
    """The pair tables and the mixer; it belongs to the input and to the output layer alike."""

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, seed: int, device: torch.device) -> None:
        def pairs(rate: float) -> PairTable:
            return PairTable(rate=rate, accumulator=optimiser.accumulator, device=device)

        self.seed = seed
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
        self.attributes = network.attributes
        self.width = BASE_INPUTS + network.attributes * VALUE_INPUTS
        self.hidden = network.pair_hidden
        rate = optimiser.pair_rate
        self.mixer_in = Table(self.width, (self.hidden,), method="adam", rate=rate, device=device)
        self.mixer_bias = Table(1, (self.hidden,), method="adam", rate=rate, device=device)
        self.mixer_out = Table(1, (self.hidden,), method="adam", rate=rate, device=device)
        self.linear = Table(self.width, (), method="adam", rate=rate, device=device)
        self.start_mixer()

    def pair_tables(self) -> Iterator[tuple[str, PairTable]]:
        """Yield each pair table with its name."""
        yield "key_offer", self.key_offer
        yield "key_value", self.key_value
        yield "wide", self.wide

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each plain table with its name."""
        yield "flags", self.flags
        yield "mixer_in", self.mixer_in
        yield "mixer_bias", self.mixer_bias
        yield "mixer_out", self.mixer_out
        yield "linear", self.linear

    def restart(self, attributes: Iterable[tuple[str, int]]) -> None:
        """Replace the part as a whole, all of it fresh; counts are not its own and stay."""
        for _, pair_table in self.pair_tables():
            pair_table.reset()
        self.flags.set(list(range(self.flags.rows)), 0.0)
        self.start_mixer(attributes)
        for _, table in self.tables():
            table.fresh.fill_(True)

    def settle(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        super().settle()
        for _, pair_table in self.pair_tables():
            pair_table.settle()

    def start_mixer(self, attributes: Iterable[tuple[str, int]] = ()) -> None:
        """Let the counts speak from the first event: weight 1 for the rate, 0.7 for the key, 0.5 for key x value."""
        self.mixer_in.set(list(range(self.width)), 0.0)
        self.linear.set(list(range(self.width)), 0.0)
        self._start_inputs("", 0, BASE_INPUTS, {0: 1.0, 2: 0.7})
        for name, slot in attributes:
            self.start_attribute(name, slot)
        self.mixer_bias.set(0, 0.0)
        self.mixer_out.set(0, 0.0)

    def start_attribute(self, name: str, slot: int) -> None:
        """Give the counts of an offer attribute their weights, which its name decides, and mark them fresh."""
        self._start_inputs(name, BASE_INPUTS + slot * VALUE_INPUTS, VALUE_INPUTS, {0: 0.5})

    def _start_inputs(self, name: str, first: int, number: int, linear: dict[int, float]) -> None:
        rows = list(range(first, first + number))
        names = [f"{place} {name}" for place in range(number)]
        self.mixer_in.set(rows, uniform(self.seed, "mixer", names, self.hidden, (3.0 / self.width) ** 0.5))
        self.linear.set(rows, 0.0)
        for place, value in linear.items():
            self.linear.set(first + place, value)
        self.mixer_in.fresh[rows] = self.linear.fresh[rows] = True

    @staticmethod
    def input_rows(attributes: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Return the name and the row of each input of the mixer, given the attributes' slots."""
        firsts = [(f"{name} ", BASE_INPUTS + slot * VALUE_INPUTS, VALUE_INPUTS) for name, slot in attributes]
        return [
            (f"{label}{place}", first + place)
            for label, first, number in [("", 0, BASE_INPUTS), *firsts]
            for place in range(number)
        ]

    def forward(
        self,
        frame: Frame,
        wide_rows: torch.Tensor,
        counts: torch.Tensor,
        by_offer: torch.Tensor,
        by_value: torch.Tensor,
    ) -> torch.Tensor:
        """Return the logits ``(P,)``, given the output layer's scores ``(B, slots)``; these are added to in place."""
        by_offer += self.key_offer.weight[frame.entity]
        by_value += self.key_value.weight[frame.entity]
        by_value.index_add_(0, frame.row_event, self.wide.weight[wide_rows] * frame.row_weight[:, None])
        flags = self.flags.weight[frame.match_slot, frame.match_attribute]
        values = by_value.shape[1]
        by_value.view(-1).index_add_(0, frame.match_event * values + frame.match_column, flags)
        padded = torch.cat([by_value, by_value.new_zeros(frame.events, 1)], 1)
        shared = padded.view(-1)[frame.pair_event[:, None] * (values + 1) + frame.pair_columns].sum(1)
        self._counts = counts
        pairs = len(counts)
        # In whole blocks: a matrix product treats its last rows apart, and a pair's bits may not depend on how many
        # offers stand beside it.
        blocks = torch.nn.functional.pad(counts, (0, 0, 0, -pairs % _BLOCK))
        mixed = torch.relu(torch.addmm(self.mixer_bias.weight[0], blocks, self.mixer_in.weight))
        self._mixed = mixed[:pairs]
        mixed = (blocks @ self.linear.weight + mixed @ self.mixer_out.weight[0])[:pairs]
        return by_offer[frame.pair_event, frame.pair_slot] + shared + mixed

    def train(
        self,
        frame: Frame,
        logits: torch.Tensor,
        wide_rows: torch.Tensor,
        gradient: torch.Tensor,
        by_offer: torch.Tensor,
        by_value: torch.Tensor,
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        """Train on the gradient by logit ``(P,)`` and, summed, by score ``(B, slots)``; ``logits`` are the pairs'."""
        self._train_keys(frame, logits, by_offer, by_value, descent, warming_up=warming_up)
        if not warming_up or self.wide.any_fresh:
            spread = by_value[frame.row_event] * frame.row_weight[:, None]
            self.wide.train(wide_rows, spread, descent, warming_up=warming_up)
        flags = self.flags.trained(warming_up=warming_up)
        if frame.match_event.numel() and (flags is None or flags.numel()):
            places = frame.match_slot * self.attributes + frame.match_attribute
            descent.scattered(self.flags, places, by_value[frame.match_event, frame.match_column], flags)
        self._train_mixer(gradient, descent, warming_up=warming_up)

    def _train_keys(
        self,
        frame: Frame,
        logits: torch.Tensor,
        by_offer: torch.Tensor,
        by_value: torch.Tensor,
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        """Train the keys' own weights; a method that trains them otherwise needs the logits too."""
        self.key_offer.train(frame.entity, by_offer, descent, warming_up=warming_up)
        self.key_value.train(frame.entity, by_value, descent, warming_up=warming_up)

    def _train_mixer(self, gradient: torch.Tensor, descent: Descent, *, warming_up: bool) -> None:
        rows = self.linear.trained(warming_up=warming_up)
        if rows is not None and not rows.numel():
            return
        back = gradient[:, None] * self.mixer_out.weight[0] * (self._mixed > 0)
        counts = self._counts if rows is None else self._counts[:, rows]
        if not warming_up or bool(self.mixer_out.fresh[0]):
            descent.product(self.mixer_out, gradient[:, None], self._mixed)
            descent.summed(self.mixer_bias, back)
        descent.product(self.linear, counts, gradient[:, None], rows)
        descent.product(self.mixer_in, counts, back, rows)
