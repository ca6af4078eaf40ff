"""The best linear stand-in for a function of activations, from a bounded sample of them."""

from __future__ import annotations

import numpy as np
import torch

from stream.state import Tree

__all__ = ["Sample", "linear_fit"]

_RIDGE = 1e-3
_LEFT_OUT = 4


class Sample:
    """The last `capacity` rows of a stream of activations `(n, width)`."""

    def __init__(self, capacity: int, width: int, device: torch.device) -> None:
        self._rows = torch.zeros(capacity, width, device=device)
        self.seen = 0

    def add(self, rows: torch.Tensor) -> None:
        """Take rows in, over the oldest ones."""
        capacity = len(self._rows)
        rows = rows[-capacity:]
        places = (self.seen + torch.arange(len(rows), device=rows.device)) % capacity
        self._rows[places] = rows
        self.seen += len(rows)

    def rows(self) -> torch.Tensor:
        """Return the rows that are there."""
        return self._rows[: min(self.seen, len(self._rows))]

    def clear(self) -> None:
        """Forget all rows."""
        self._rows.zero_()
        self.seen = 0

    def state(self) -> Tree:
        """Return the rows as a state tree."""
        return {"rows": self.rows().cpu().numpy().copy(), "seen": self.seen}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        rows: np.ndarray = tree["rows"]
        self._rows.zero_()
        self._rows[: len(rows)] = torch.from_numpy(rows.copy()).to(self._rows.device)
        self.seen = int(tree["seen"])


def linear_fit(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Return `A` `(k, m)`, `a` `(m,)` and the share of `y` that `x A + a` explains.

    Ridge regression in float64 of `y` `(n, m)` on `x` `(n, k)`. The share, `1 - |y - fit|^2 / |y|^2`, is
    measured on every fourth row, which the fit does not see; 0 if there is nothing to explain.
    """
    inputs, wanted = x.double(), y.double()
    tested = torch.arange(len(x), device=x.device) % _LEFT_OUT == 0
    known_x, known_y = inputs[~tested], wanted[~tested]
    mean_x, mean_y = known_x.mean(0), known_y.mean(0)
    centred = known_x - mean_x
    gram = centred.T @ centred
    gram += (
        _RIDGE * torch.eye(len(gram), dtype=gram.dtype, device=gram.device) * gram.trace().clamp_min(1e-12) / len(gram)
    )
    slope = torch.linalg.solve(gram, centred.T @ (known_y - mean_y))
    shift = mean_y - mean_x @ slope
    total = float((wanted[tested] ** 2).sum())
    rest = float(((wanted[tested] - inputs[tested] @ slope - shift) ** 2).sum())
    return slope, shift, 1.0 - rest / total if total > 0 else 0.0
