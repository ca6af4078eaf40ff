"""The output layer: weights of offers and of the attribute values that they share.

``logit(e, o) = h(e) . W_o + b_o + sum over attributes a of (h(e) . C_v + c_v), v = o's value of a``. A new offer starts
at zero beside the values that it shares with others, so it begins from what resembles it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.part import Part
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table

__all__ = ["OutputLayer"]


class OutputLayer(Part):
    """Scores ``(B, slots)`` by offer and by attribute value; rows without a gradient do not move."""

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, device: torch.device) -> None:
        width = network.hidden[-1]

        def table(shape: tuple[int, ...], rate: float) -> Table:
            return Table(32, shape, method="adagrad", rate=rate, accumulator=optimiser.accumulator, device=device)

        self.offer = table((width,), optimiser.output_rate)
        self.offer_bias = table((), optimiser.bias_rate)
        self.value = table((width,), optimiser.output_rate)
        self.value_bias = table((), optimiser.bias_rate)

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
        self._train_rows(self.offer, self.offer_bias, by_offer, descent, warming_up=warming_up)
        self._train_rows(self.value, self.value_bias, by_value, descent, warming_up=warming_up)

    def _train_rows(
        self, weight: Table, bias: Table, gradient: torch.Tensor, descent: Descent, *, warming_up: bool
    ) -> None:
        rows = weight.trained(warming_up=warming_up)
        if rows is not None:
            if rows.numel() == 0:
                return
            gradient = gradient[:, rows]
        descent.product(weight, gradient, self._hidden, rows)
        descent.summed(bias, gradient, rows)


def _start(tables: tuple[Table, ...], slots: list[int], fresh: bool) -> None:
    for table in tables:
        table.set(slots, 0.0)
        table.fresh[slots] = fresh
