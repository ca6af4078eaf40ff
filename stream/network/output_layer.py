"""The output layer: weights of offers and of the attribute values that they share.

``logit(e, o) = h(e) . W_o + b_o + sum over attributes a of (h(e) . C_v + c_v), v = o's value of a``. A new offer starts
at zero beside the values that it shares with others, so it begins from what resembles it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import ClassVar

import torch

from stream.network.curvature import HiddenCurvature
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.part import Owner, Part
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table
from stream.state import Tree

__all__ = ["OutputLayer"]

_Designs = list[tuple[slice, torch.Tensor, HiddenCurvature]]
"""By task: its rows of the hidden activations; these with a column of ones, turned; and what they were like so far."""


class OutputLayer(Part):
    """Scores ``(B, slots)`` by offer and by attribute value; rows without a gradient do not move."""

    owners: ClassVar[Mapping[str, Owner]] = {
        "offer": Owner.OFFER,
        "offer_bias": Owner.OFFER,
        "value": Owner.ATTRIBUTE_VALUE,
        "value_bias": Owner.ATTRIBUTE_VALUE,
    }

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, device: torch.device) -> None:
        width = network.hidden[-1]

        def tables(rate: float) -> tuple[Table, Table]:
            weight = Table(
                32, (width,), method="newton", rate=rate, accumulator=optimiser.output_damping, device=device
            )
            return weight, Table(32, (), method="sgd", rate=rate, device=device)  # moves with the weights

        self.offer, self.offer_bias = tables(optimiser.output_rate)
        self.value, self.value_bias = tables(optimiser.value_rate)
        self.curvatures: dict[str, HiddenCurvature] = {}
        """By task, where tasks have hidden activations of their own; else under the empty name."""
        self._new_curvature = partial(HiddenCurvature, width, optimiser.output_window_events, device)
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

    def settle(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        super().settle()
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

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores by offer slot ``(B, offers)`` and by value slot ``(B, values)``."""
        self._hidden = hidden
        offers = torch.addmm(self.offer_bias.weight, hidden, self.offer.weight.T)
        values = torch.addmm(self.value_bias.weight, hidden, self.value.weight.T)
        return offers, values

    def hidden_gradient(self, by_offer: torch.Tensor, by_value: torch.Tensor) -> torch.Tensor:
        """Return the gradient by the hidden activations; call it before :meth:`train` moves the weights."""
        return by_offer @ self.offer.weight + by_value @ self.value.weight

    def logit_variance(self, frame: Frame) -> torch.Tensor | None:
        """Return, where the layer's weights have a precision each, what these leave open of the pairs' logits ``(P,)``.

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
        self,
        frame: Frame,
        logits: torch.Tensor,
        by_offer: torch.Tensor,
        by_value: torch.Tensor,
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        """Train on the gradients by score ``(B, slots)``; in a warm-up only rows that are fresh.

        ``logits`` ``(P,)`` are those of the frame's pairs, for a layer that needs more than the gradient.
        """
        if warming_up and not self.any_fresh:
            return
        designs = self._designs(frame, warming_up=warming_up)
        information = self._information(frame, logits, by_offer)
        self._train_rows(
            (self.offer, self.offer_bias), by_offer, information[0], designs, descent, warming_up=warming_up
        )
        self._train_rows(
            (self.value, self.value_bias), by_value, information[1], designs, descent, warming_up=warming_up
        )

    def _designs(self, frame: Frame, *, warming_up: bool) -> _Designs:
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

    def _information(
        self, frame: Frame, logits: torch.Tensor, by_offer: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the batch's Fisher information ``w p (1 - p)``, summed by offer slot and by value slot."""
        if frame.information is not None:
            return frame.information
        chance = torch.sigmoid(logits)
        heard = by_offer[frame.pair_event, frame.pair_slot] != 0  # an offer that is ignored has no gradient either
        bend = chance * (1.0 - chance) * frame.weight[frame.pair_event] * heard
        offers = torch.zeros(self.offer.rows, device=bend.device).index_add_(0, frame.pair_slot, bend)
        values = torch.zeros(self.value.rows + 1, device=bend.device)
        for attribute in range(frame.pair_columns.shape[1]):
            values.index_add_(0, frame.pair_columns[:, attribute], bend)
        return offers, values[:-1]

    def _train_rows(
        self,
        tables: tuple[Table, Table],
        gradient: torch.Tensor,
        information: torch.Tensor,
        designs: _Designs,
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
            keep = 0.5 ** (len(design) / self._half_life_events) if self._half_life_events else 1.0
            turned = curvature.turned(slopes[:, chosen], design)
            curvature.step(weight, bias, chosen, turned, information[chosen], keep)

    # -- state ----------------------------------------------------------------------------------------------------

    def extra_state(self) -> Tree:
        """Return the curvatures by task."""
        return {"curvatures": {name: curvature.state() for name, curvature in self.curvatures.items()}}

    def restore_extra(self, tree: Tree) -> None:
        """Take back what :meth:`extra_state` returned."""
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
