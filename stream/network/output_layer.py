"""The output layer: weights of offers and of the attribute values that they share.

``logit(e, o) = h(e) . W_o + b_o + sum over attributes a of (h(e) . C_v + c_v), v = o's value of a``. A new offer starts
at zero beside the values that it shares with others, so it begins from what resembles it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table

__all__ = ["OutputLayer"]


class OutputLayer:
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

    @property
    def any_fresh(self) -> bool:
        """Say whether a warm-up trains anything in this layer."""
        return any(bool(table.fresh.any()) for _, table in self.tables())

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores by offer slot ``(B, offers)`` and by value slot ``(B, values)``."""
        self._hidden = hidden
        offers = torch.addmm(self.offer_bias.weight, hidden, self.offer.weight.T)
        values = torch.addmm(self.value_bias.weight, hidden, self.value.weight.T)
        return offers, values

    def hidden_gradient(self, by_offer: torch.Tensor, by_value: torch.Tensor) -> torch.Tensor:
        """Return the gradient by the hidden activations; call it before :meth:`train` moves the weights."""
        return by_offer @ self.offer.weight + by_value @ self.value.weight

    def train(self, by_offer: torch.Tensor, by_value: torch.Tensor, *, warming_up: bool) -> None:
        """Step along the gradients by score ``(B, slots)``; in a warm-up only rows that are fresh."""
        for weight, bias, gradient in (
            (self.offer, self.offer_bias, by_offer),
            (self.value, self.value_bias, by_value),
        ):
            rows = weight.fresh.nonzero()[:, 0] if warming_up else None
            if rows is not None:
                if rows.numel() == 0:
                    continue
                gradient = gradient[:, rows]
            weight.step(gradient.T @ self._hidden, rows)
            bias.step(gradient.sum(0), rows)
