"""A part of the network: named tables, and whatever else it holds; what checkpoint, digest and freezing see of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import ClassVar

import torch

from stream.network.frame import Frame
from stream.network.table import Table
from stream.state import Tree

__all__ = ["Owner", "Part"]


class Owner(StrEnum):
    """What the rows of a table belong to; a table with names of its own (`table.names`) needs none of these."""

    NUMERIC = "numeric feature"
    CATEGORICAL = "categorical feature"
    VALUE_ROW = "value of a categorical feature"
    OFFER = "offer"
    ATTRIBUTE_VALUE = "attribute value"
    COUNT_INPUT = "running count as an input"
    TASK = "task"
    PART = "the part as a whole"
    """The table has one row."""


class Part:
    """The base of input layer, trunk, output layer and pair part; a method may put a subclass in their place."""

    owners: ClassVar[Mapping[str, Owner]] = {}
    """By the name of a table, what its rows belong to; digests and checkpoints name the rows by it."""
    keeps_posterior = False
    """Whether some of its weights have a posterior, whose variance `logit_variance` tells."""

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name."""
        yield from ()

    def owner_of(self, name: str, table: Table) -> Owner:
        """Return what a table's rows belong to; raises LookupError if the part does not say it."""
        owner = self.owners.get(name)
        if owner is None or (owner is Owner.PART and table.rows != 1):
            raise LookupError(
                f"{type(self).__name__} does not say what the {table.rows} rows of its table {name!r} belong to; "
                "add it to `owners`, or give the table names of its own"
            )
        return owner

    @property
    def any_fresh(self) -> bool:
        """Say whether a warm-up trains anything in this part."""
        return any(bool(table.fresh.any()) for _, table in self.tables())

    def trains(self, *, warming_up: bool) -> bool:
        """Say whether a step would train anything here; where not, no gradient need be computed for it."""
        if warming_up:
            return self.any_fresh
        return not all(table.holds and bool(table.held.all()) for _, table in self.tables())

    def hold(self) -> None:
        """Let every row in use stand still for good, outside warm-ups too."""
        for _, table in self.tables():
            table.hold()

    def end_warmup(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        for _, table in self.tables():
            table.fresh.fill_(False)

    def logit_variance(self, frame: Frame) -> torch.Tensor | None:
        """Return the variance float64 `(P,)` that the part's posterior gives the last forward's logits, if any."""
        return None

    def extra_state(self) -> Tree:
        """Return what the part holds beside its tables, as a state tree."""
        return {}

    def restore_extra(self, tree: Tree) -> None:
        """Take back what `extra_state` returned."""

    def named_extra(self) -> Iterator[tuple[str, object]]:
        """Yield the same by name, for the state digest."""
        yield from ()

    def frozen_extra(self) -> Iterator[tuple[str, object]]:
        """Yield by name, of the same, what a running warm-up must leave as it is."""
        yield from ()
