"""The second moment of the hidden activations: the curvature that all rows of the output layer share.

A row of the output layer, an offer's or an attribute value's, is a logistic regression on `x = [h, 1]`, and its exact
curvature is a matrix of its own, `sum p (1 - p) x x'`. Here it is taken apart, as in K-FAC (Martens and Grosse 2015,
arXiv 1503.05671): the row's information so far, a number, times what the activations are like, a matrix that all rows
share. A Newton step then costs two products with the eigenvectors, and a row one number of memory.
"""

from __future__ import annotations

import torch

from stream.network.table import Table
from stream.state import Tree

__all__ = ["BLOCK", "HiddenCurvature"]

_EVERY_SHARE, _EVERY_EVENTS = 0.125, 1024
"""The eigenvectors are sought anew after this share of the events so far, and after so many at the latest.

Activations change slowly once a network is no longer young, and it costs as much as several steps.
"""
BLOCK = 64
"""Rows are solved in whole blocks: a matrix product treats its last rows apart."""


class HiddenCurvature:
    """The running mean of `x x'` over the newest `window_events` events or so, `(width + 1, width + 1)`.

    `fresh` says that it began in the running warm-up, with a layer or a task: then it moves in it too.
    """

    def __init__(self, width: int, window_events: int, device: torch.device) -> None:
        self.window_events = window_events
        self.fresh = False
        self.events = self.sought = 0
        self.moment = torch.zeros(width + 1, width + 1, device=device)
        self.vectors = torch.eye(width + 1, device=device)
        self.values = torch.zeros(width + 1, device=device)

    def update(self, design: torch.Tensor) -> None:
        """Take in the activations `(B, width + 1)` of a batch, the last column ones."""
        number = len(design)
        self.events += number
        share = max(number / self.events, min(1.0, number / self.window_events))
        torch.addmm(self.moment, design.T, design, beta=1.0 - share, alpha=share / number, out=self.moment)
        due = self.events - self.sought >= min(_EVERY_SHARE * self.sought, _EVERY_EVENTS)
        if due and bool(self.moment.isfinite().all()):
            self.sought = self.events
            values, vectors = torch.linalg.eigh(self.moment.to(torch.float64))
            self.values = values.to(torch.float32).clamp_(min=0.0)
            self.vectors = vectors.to(torch.float32).contiguous()  # as it comes back from a checkpoint: to the last bit

    def turned(self, slopes: torch.Tensor, design: torch.Tensor) -> torch.Tensor:
        """Return `slopes' design` `(n, width + 1)` for `slopes` `(B, n)` and a `design` turned already.

        To be turned is to be multiplied by the eigenvectors: of B events that costs less than of their n sums.
        """
        rows = slopes.shape[1]
        return (torch.nn.functional.pad(slopes, (0, -rows % BLOCK)).T @ design)[:rows]

    def solve(self, turned: torch.Tensor, information: torch.Tensor, damping: float) -> torch.Tensor:
        """Return `(damping + information moment)^-1 gradient` for the `n` rows of a turned gradient."""
        rows = len(turned)
        pad = torch.nn.functional.pad
        turned = pad(turned, (0, 0, 0, -rows % BLOCK))
        scale = damping + pad(information, (0, -rows % BLOCK))[:, None] * self.values
        return ((turned / scale) @ self.vectors.T)[:rows]

    def step(
        self,
        weight: Table,
        bias: Table,
        rows: torch.Tensor,
        turned: torch.Tensor,
        information: torch.Tensor,
        keep: float,
    ) -> None:
        """Move `rows` `(n,)` against their `turned` gradient `(n, width + 1)`, by the share `weight.rate`.

        `information` `(n,)` is what this batch adds to the curvature, and `keep` what is left of what was there.
        """
        held = weight.moments["curvature"]
        held[rows] = keep * held[rows] + information
        move = weight.rate * self.solve(turned, held[rows], weight.prior)
        weight.weight[rows] -= move[:, :-1]
        bias.weight[rows] -= move[:, -1]

    # -- state ----------------------------------------------------------------------------------------------------

    def state(self) -> Tree:
        """Return everything, by place, and the eigenvectors too: they are not always those of the newest moment."""
        return {
            "fresh": self.fresh,
            "events": self.events,
            "sought": self.sought,
            "moment": self.moment.cpu().numpy(),
            "vectors": self.vectors.cpu().numpy(),
            "values": self.values.cpu().numpy(),
        }

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.fresh, self.events, self.sought = bool(tree["fresh"]), int(tree["events"]), int(tree["sought"])
        device = self.moment.device
        self.moment, self.vectors, self.values = (
            torch.from_numpy(tree[name].copy()).to(device) for name in ("moment", "vectors", "values")
        )
