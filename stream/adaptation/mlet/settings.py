"""Sizes and rates of the factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.adaptation.entry import Entry, MethodSettings, Seat
from stream.settings.fields import setting

__all__ = ["MletSettings"]


@dataclass(frozen=True)
class MletSettings(MethodSettings):
    """The categorical tables as products of two factors."""

    prefix: ClassVar[str] = "mlet"
    methods: ClassVar[tuple[Entry, ...]] = (
        Entry(
            "mlet",
            Seat.TABLES,
            "Train each categorical table as a product with a wider inner dimension, merged exactly for serving.",
        ),
    )

    shape_the_model: ClassVar[frozenset[str]] = frozenset({"inner"})

    inner: int = setting(0, "The inner dimension; 0: four times network.embedding_dim.", minimum=0)
    rows_rate: float = setting(0.1, "Rows of the wide factor, a row for each categorical value.", above=0)
    factor_rate: float = setting(0.003, "The narrow factor that each categorical feature has beside its rows.", above=0)
