"""The input layer with categorical tables as products: MLET (arXiv 2309.15881, ACML 2023; and 2006.05623).

Feature f's table is `E_f = A_f B_f`: the vocabulary rows are those of A, `inner` wide, and each feature owns a
factor B_f `(inner, dim)` before its projection. There is no non-linearity between them, so the product can be stored
in their place (`FactorisedInput.merged_rows`). One SGD step of rate eta along g, the gradient by row i of E,
moves row i by `-eta (|A_i|^2 I + B'B) g` and each other row m, too, by `-eta <A_m, A_i> g`, up to O(eta^2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch

from stream.network.descent import Descent
from stream.network.initial import uniform
from stream.network.input_layer import InputLayer, embedding_table
from stream.network.part import Owner
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table

__all__ = ["FactorisedInput", "balanced_factors"]

_NOISE = 0.1
"""Standard deviation of the padding in a factor made from a table, as a share of the factor's own."""


class FactorisedInput(InputLayer):
    """An input layer whose vocabulary rows are `inner` wide and reach their projection through a factor each."""

    owners: ClassVar[Mapping[str, Owner]] = {**InputLayer.owners, "factor": Owner.CATEGORICAL}

    def __init__(
        self,
        network: NetworkSettings,
        optimiser: OptimiserSettings,
        inner: int,
        rows_rate: float,
        factor_rate: float,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(network, optimiser, seed, device)
        self.row_width = inner
        self.rows = embedding_table(256, (inner,), optimiser, rows_rate, device)
        self.factor = embedding_table(8, (inner, self.dim), optimiser, factor_rate, device)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name."""
        yield from super().tables()
        yield "factor", self.factor

    # -- fresh values -------------------------------------------------------------------------------------------

    def start_projection(self, slot: int, name: str, *, silent: bool, fresh: bool) -> None:
        """Give a categorical feature its projection, zero or seeded, and its seeded factor.

        The factor has variance 1 / inner, so that the product has the variance of a single table.
        """
        super().start_projection(slot, name, silent=silent, fresh=fresh)
        size = self.row_width * self.dim
        self.factor.set(slot, uniform(self.seed, "factor", [name], size, (3.0 / self.row_width) ** 0.5)[0])
        self.factor.fresh[slot] = fresh

    def clear_projection(self, slot: int) -> None:
        """Zero what a categorical feature owns beside its rows."""
        super().clear_projection(slot)
        self.factor.set(slot, 0.0)
        self.factor.fresh[slot] = False

    def reserve(self, numeric: int, categorical: int, rows: int) -> None:
        """Make room for numeric columns, categorical slots and vocabulary rows."""
        super().reserve(numeric, categorical, rows)
        self.factor.grow(categorical)

    def mean_contribution(self, slot: int, rows: list[int], mass: torch.Tensor) -> torch.Tensor:
        """Return what a categorical feature adds to `z` `(width,)` at its running mean `mass` by row."""
        mean_row = mass.to(self.rows.weight) @ self.rows.weight[rows]
        return mean_row @ self.factor.weight[slot] @ self.projection.weight[slot]

    # -- passes -------------------------------------------------------------------------------------------------

    def _embed(self, pooled: torch.Tensor) -> torch.Tensor:
        self._rows_pooled = pooled
        return torch.einsum("bsk,skd->bsd", pooled, self.factor.weight)

    def _embed_backward(
        self, gradient: torch.Tensor, live: torch.Tensor, descent: Descent, *, warming_up: bool
    ) -> torch.Tensor:
        passed = torch.einsum("bsd,skd->bsk", gradient, self.factor.weight)  # before the factors move
        trained = self.factor.trained(warming_up=warming_up, among=live)
        assert trained is not None
        if trained.numel():
            descent.stacked(self.factor, self._rows_pooled[:, trained], gradient[:, trained], trained)
        return passed

    # -- products and factors -----------------------------------------------------------------------------------

    def merged_rows(self, vocabularies: Iterable[tuple[int, Sequence[int]]]) -> torch.Tensor:
        """Return the products `A_f B_f` `(rows, dim)`; `vocabularies` pairs each feature's slot with its rows."""
        merged = torch.zeros(self.rows.rows, self.dim, device=self.rows.device)
        for slot, rows in vocabularies:
            used = list(rows)
            merged[used] = self.rows.weight[used] @ self.factor.weight[slot]
        return merged

    def factorise(self, table: torch.Tensor, vocabularies: Iterable[tuple[str, int, Sequence[int]]]) -> None:
        """Start from the rows of a single `table` `(rows, dim)`, as factors whose product it is.

        `vocabularies` are each feature's name, slot and rows. Optimiser state starts anew. The factors are balanced
        but for one number, which gives B the norm of a fresh one: values seen later then start at the usual size.
        """
        for name, slot, rows in vocabularies:
            used = list(rows)
            turn = _rotation(uniform(self.seed, "rotation", [name], self.row_width**2, 1.0)[0], self.row_width)
            noise = uniform(self.seed, "padding", [name], len(used) * self.row_width, 3.0**0.5)[0]
            single = table[used].cpu().numpy().astype(np.float64)
            wide, narrow = balanced_factors(single, turn, noise.reshape(len(used), -1).astype(np.float64))
            norm = np.linalg.norm(narrow) / self.dim**0.5
            scale = norm if norm > 0.0 else 1.0
            self.rows.set(used, (wide * scale).astype(np.float32))
            self.factor.set(slot, (narrow / scale).astype(np.float32))


def balanced_factors(table: np.ndarray, turn: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return A `(n, k)` and B `(k, d)` with `A B` = `table` `(n, d)` = U S V': U S^.5 Q and Q' S^.5 V'.

    `turn` is the orthogonal Q `(k, k)`. Where k is above min(n, d) there are directions to spare: B's are zero, A's
    are `noise` `(n, k)` of unit variance, made small, because with zeros on both sides they would get no gradient.

    Raises ValueError if k is below the number of columns: the product could not be exact.
    """
    inner, width = len(turn), table.shape[1]
    if inner < width:
        raise ValueError(f"factors {inner} wide cannot give back every table {width} wide")
    left, singular, right = np.linalg.svd(table, full_matrices=False)
    rank, root = len(singular), np.sqrt(singular)
    wide = np.zeros((len(table), inner))
    wide[:, :rank] = left * root
    wide[:, rank:] = _NOISE * np.sqrt(np.mean(wide[:, :rank] ** 2)) * noise[:, rank:]
    narrow = np.zeros((inner, width))
    narrow[:rank] = root[:, None] * right
    return wide @ turn, turn.T @ narrow


def _rotation(draws: np.ndarray, size: int) -> np.ndarray:
    """Return an orthogonal matrix `(size, size)` made of random draws."""
    turn: np.ndarray = np.linalg.qr(draws.reshape(size, size).astype(np.float64))[0]
    return turn
