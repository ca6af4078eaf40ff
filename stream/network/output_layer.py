"""The output layer: weights of offers and of the attribute values that they share.

`logit(e, o) = h(e) . W_o + b_o + sum over attributes a of (h(e) . C_v + c_v), v = o's value of a`. A new offer starts
at zero beside the values that it shares with others, so it begins from what resembles it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import ClassVar

import numpy as np
import torch

from stream.network.curvature import BLOCK, HiddenCurvature
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.part import Owner, Part
from stream.network.room import Room
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table
from stream.state import Tree

__all__ = ["OutputLayer"]

_Design = tuple[slice, torch.Tensor, HiddenCurvature]
"""Of a task: its rows of the hidden activations; these and a column of ones, turned; and what they were like so far."""


class OutputLayer(Part):
    """Scores of pairs by offer and by attribute value; rows without a gradient do not move."""

    compiled = False
    """Whether the passes over the pairs are compiled loops."""

    owners: ClassVar[Mapping[str, Owner]] = {
        "offer": Owner.OFFER,
        "offer_bias": Owner.OFFER,
        "value": Owner.ATTRIBUTE_VALUE,
        "value_bias": Owner.ATTRIBUTE_VALUE,
    }

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, device: torch.device) -> None:
        width = network.hidden[-1]

        def tables(rate: float) -> tuple[Table, Table]:
            weight = Table(32, (width,), method="newton", rate=rate, prior=optimiser.output_damping, device=device)
            return weight, Table(32, (), method="sgd", rate=rate, device=device)  # moves with the weights

        self.offer, self.offer_bias = tables(optimiser.output_rate)
        self.value, self.value_bias = tables(optimiser.value_rate)
        self.curvatures: dict[str, HiddenCurvature] = {}
        """By task, if tasks have hidden activations of their own; else under the empty name."""
        self._new_curvature = partial(HiddenCurvature, width, optimiser.output_window_events, device)
        self._seen, self._sums = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        self._listed, self._run = np.zeros(0, dtype=np.int64), 0
        self._value_mark, self._offer_mark = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
        self._room = Room()
        self._half_life_events = optimiser.output_half_life_events

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name; the first two are indexed by offer slots, the others by value slots."""
        yield "offer", self.offer
        yield "offer_bias", self.offer_bias
        yield "value", self.value
        yield "value_bias", self.value_bias

    def clear_offers(self, slots: list[int], *, fresh: bool) -> None:
        """Zero the rows of offers and say whether they are fresh."""
        _start((self.offer, self.offer_bias), slots, fresh)

    def clear_values(self, slots: list[int], *, fresh: bool) -> None:
        """Zero the rows of attribute values and say whether they are fresh."""
        _start((self.value, self.value_bias), slots, fresh)

    def restart(self) -> None:
        """Replace the layer: every row zero, without history, and fresh."""
        for _, table in self.tables():
            _start((table,), list(range(table.rows)), True)
        self.curvatures.clear()

    def end_warmup(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        super().end_warmup()
        for curvature in self.curvatures.values():
            curvature.fresh = False

    def end_task(self, name: str) -> None:
        """Forget what the activations of a task were like."""
        self.curvatures.pop(name, None)

    def reserve(self, offers: int, values: int) -> None:
        """Make room for offer slots and value slots."""
        for table, slots in (
            (self.offer, offers),
            (self.offer_bias, offers),
            (self.value, values),
            (self.value_bias, values),
        ):
            table.grow(slots)

    def scores(self, frame: Frame, hidden: torch.Tensor) -> torch.Tensor:
        """Return what the layer says of the frame's pairs `(P,)`, which point to rows of `hidden`."""
        self._hidden = hidden
        if self.compiled:
            return self._compiled_scores(frame)
        offers = torch.addmm(self.offer_bias.weight, hidden, self.offer.weight.T)
        values = torch.addmm(self.value_bias.weight, hidden, self.value.weight.T)
        shared = torch.nn.functional.pad(values, (0, 1))[frame.pair_event[:, None], frame.pair_columns].sum(1)
        return offers[frame.pair_event, frame.pair_slot] + shared

    def hidden_gradient(self, frame: Frame, gradient: torch.Tensor) -> torch.Tensor:
        """Return the gradient by the hidden activations for that by logit `(P,)`; call it before `train`."""
        if self.compiled:
            return self._compiled_hidden_gradient(frame, gradient)
        by_offer, by_value = self._by_score(frame, gradient)
        return by_offer @ self.offer.weight + by_value @ self.value.weight

    def logit_variance(self, frame: Frame) -> torch.Tensor | None:
        """Return, if the layer's weights have a precision each, what these leave open of the pairs' logits `(P,)`.

        Nothing is said of the weights behind, which move the activations too, nor of what was forgotten since a row was
        trained.
        """
        if not self.keeps_posterior:
            return None
        squares = self._hidden.double().square()

        def spread(weight: Table, bias: Table) -> torch.Tensor:
            by_weight, by_bias = (1.0 / table.moments["precision"].double() for table in (weight, bias))
            return torch.addmm(by_bias, squares, by_weight.T)

        by_value = torch.nn.functional.pad(spread(self.value, self.value_bias), (0, 1))
        shared = by_value[frame.pair_event[:, None], frame.pair_columns].sum(1)
        return spread(self.offer, self.offer_bias)[frame.pair_event, frame.pair_slot] + shared

    def train(
        self, frame: Frame, logits: torch.Tensor, gradient: torch.Tensor, descent: Descent, *, warming_up: bool
    ) -> None:
        """Train on the gradient by logit `(P,)`; in a warm-up only rows that are fresh.

        `logits` `(P,)` are those of the frame's pairs, for a layer that needs more than the gradient.
        """
        if warming_up and not self.any_fresh:
            return
        designs = self._designs(frame, warming_up=warming_up)
        newton = self.offer.method == self.value.method == "newton"
        if self.compiled and newton and len(designs) == 1 and type(descent) is Descent:
            self._compiled_train(frame, logits, gradient, designs[0], warming_up=warming_up)
            return
        scores = self._by_score(frame, gradient)
        information = self._by_slot(frame, self._information(frame, logits, gradient))
        tables = (self.offer, self.offer_bias), (self.value, self.value_bias)
        for pair, by_score, gained in zip(tables, scores, information, strict=True):
            self._train_rows(pair, by_score, gained, designs, descent, warming_up=warming_up)

    def _by_score(self, frame: Frame, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradient by logit summed by score: `(rows, offer slots)` and `(rows, value slots)`."""
        rows, values = len(self._hidden), self.value.rows
        by_offer = gradient.new_zeros(rows, self.offer.rows)
        by_offer[frame.pair_event, frame.pair_slot] = gradient
        padded = gradient.new_zeros(rows * (values + 1))
        for attribute in range(frame.pair_columns.shape[1]):
            padded.index_add_(0, frame.pair_event * (values + 1) + frame.pair_columns[:, attribute], gradient)
        return by_offer, padded.view(rows, values + 1)[:, :values]

    def _information(self, frame: Frame, logits: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Return the pairs' Fisher information `w p (1 - p)` `(P,)`."""
        if frame.information is not None:
            return frame.information
        chance = torch.sigmoid(logits)
        heard = gradient != 0  # an offer that is ignored has no gradient either
        return chance * (1.0 - chance) * frame.weight[frame.pair_event] * heard

    def _by_slot(self, frame: Frame, information: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the information summed by offer slot and by value slot."""
        offers = information.new_zeros(self.offer.rows).index_add_(0, frame.pair_slot, information)
        values = information.new_zeros(self.value.rows + 1)
        for attribute in range(frame.pair_columns.shape[1]):
            values.index_add_(0, frame.pair_columns[:, attribute], information)
        return offers, values[:-1]

    def _designs(self, frame: Frame, *, warming_up: bool) -> list[_Design]:
        """Return what each task's rows are regressed on, once the running curvature has taken it in."""
        designs = []
        for name, rows in frame.blocks:
            curvature = self.curvatures.get(name)
            if curvature is None:
                curvature = self.curvatures[name] = self._new_curvature()
                curvature.fresh = warming_up
            design = torch.nn.functional.pad(self._hidden[rows], (0, 1), value=1.0)
            if self.value.method == "newton":
                if curvature.fresh or not warming_up:
                    curvature.update(design)
                design = design @ curvature.vectors
            designs.append((rows, design, curvature))
        return designs

    def _train_rows(
        self,
        tables: tuple[Table, Table],
        gradient: torch.Tensor,
        information: torch.Tensor,
        designs: list[_Design],
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        weight, bias = tables
        rows = weight.trained(warming_up=warming_up)
        if rows is not None and rows.numel() == 0:
            return
        if weight.method != "newton":  # a method has given the tables something else to learn by
            gradient = gradient if rows is None else gradient[:, rows]
            descent.product(weight, gradient, self._hidden, rows)
            descent.summed(bias, gradient, rows)
            return
        for events, design, curvature in designs:
            slopes = gradient[events]
            moved = slopes.any(0)
            if rows is not None:
                moved &= torch.zeros_like(moved).index_fill_(0, rows, True)
            chosen = moved.nonzero()[:, 0]
            keep = self._remaining(len(design))
            turned = curvature.turned(slopes[:, chosen], design)
            curvature.step(weight, bias, chosen, turned, information[chosen], keep)

    def _remaining(self, events: int) -> float:
        """Return what is left of a row's curvature after so many events."""
        return 0.5 ** (events / self._half_life_events) if self._half_life_events else 1.0

    # -- compiled -------------------------------------------------------------------------------------------------

    def _scratch(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if len(self._seen) < self.value.rows:
            size = self.value.rows
            self._seen, self._sums = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.float32)
            self._listed, self._value_mark = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int32)
        if len(self._offer_mark) < self.offer.rows:
            self._offer_mark = np.zeros(self.offer.rows, dtype=np.int32)
        return self._seen, self._sums, self._listed

    def _compiled_scores(self, frame: Frame) -> torch.Tensor:
        from stream.network import output_kernels

        arrays, scratch = frame.arrays, self._scratch()
        alone = torch.empty(len(arrays.pair_slot))
        self._run = output_kernels.scores(
            arrays.pair_event,
            arrays.pair_slot,
            frame.columns,
            self._hidden.numpy(),
            self.offer.weight.numpy(),
            self.offer_bias.weight.numpy(),
            self.value.weight.numpy(),
            self.value_bias.weight.numpy(),
            *scratch[:2],
            self._run,
            alone.numpy(),
        )
        return alone

    def _compiled_hidden_gradient(self, frame: Frame, gradient: torch.Tensor) -> torch.Tensor:
        from stream.network import output_kernels

        arrays, total = frame.arrays, torch.zeros_like(self._hidden)
        self._run = output_kernels.hidden_gradient(
            arrays.pair_event,
            arrays.pair_slot,
            frame.columns,
            gradient.numpy(),
            self.offer.weight.numpy(),
            self.value.weight.numpy(),
            *self._scratch(),
            self._run,
            total.numpy(),
        )
        return total

    def _compiled_train(
        self, frame: Frame, logits: torch.Tensor, gradient: torch.Tensor, design: _Design, *, warming_up: bool
    ) -> None:
        from stream.network import output_kernels

        _, turned, curvature = design
        arrays, scratch = frame.arrays, self._scratch()
        most = min(len(arrays.pair_slot), self.offer.rows) + min(
            len(arrays.pair_slot) * frame.columns.shape[1], self.value.rows
        )
        blocks = most + -most % BLOCK
        slots, gained = (
            self._room.array("slots", (blocks,), np.int64),
            self._room.array("gained", (blocks,), np.float32),
        )
        total = self._room.array("total", (blocks, turned.shape[1]), np.float32)
        number, self._run = output_kernels.turned(
            arrays.pair_event,
            arrays.pair_slot,
            frame.columns,
            gradient.numpy(),
            self._information(frame, logits, gradient).numpy(),
            turned.numpy(),
            curvature.values.numpy(),
            self._remaining(len(turned)),
            self.offer.prior,
            self.offer.moments["curvature"].numpy(),
            self.value.moments["curvature"].numpy(),
            *((table.fresh if warming_up else table.held).numpy() for table in (self.offer, self.value)),
            warming_up,
            self._offer_mark,
            self._value_mark,
            *scratch,
            self._run,
            slots,
            gained,
            total,
        )
        if not number:
            return
        padded = number + -number % BLOCK
        total[number:padded] = 0.0
        moves = torch.mm(torch.from_numpy(total[:padded]), curvature.vectors.T)
        output_kernels.move(
            slots[:number],
            moves.numpy(),
            self.offer.weight.numpy(),
            self.offer_bias.weight.numpy(),
            self.value.weight.numpy(),
            self.value_bias.weight.numpy(),
            self.offer.rate,
            self.value.rate,
        )

    # -- state ----------------------------------------------------------------------------------------------------

    def extra_state(self) -> Tree:
        """Return the curvatures by task."""
        return {"curvatures": {name: curvature.state() for name, curvature in self.curvatures.items()}}

    def restore_extra(self, tree: Tree) -> None:
        """Take back what `extra_state` returned."""
        self.curvatures = {}
        for name, state in tree["curvatures"].items():
            self.curvatures[name] = self._new_curvature()
            self.curvatures[name].restore(state)

    def named_extra(self) -> Iterator[tuple[str, object]]:
        """Yield the same by name."""
        for name, curvature in self.curvatures.items():
            for part, value in curvature.state().items():
                yield f"curvature/{name}/{part}", value

    def frozen_extra(self) -> Iterator[tuple[str, object]]:
        """Yield the curvatures that a running warm-up does not move."""
        for name, curvature in self.curvatures.items():
            if not curvature.fresh:
                for part, value in curvature.state().items():
                    yield f"curvature/{name}/{part}", value


def _start(tables: tuple[Table, ...], slots: list[int], fresh: bool) -> None:
    for table in tables:
        table.set(slots, 0.0)
        table.fresh[slots] = fresh
