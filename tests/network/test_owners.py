"""What the rows of a table belong to is said by its part; a table that nobody names is an error, not one row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from stream.adaptation import METHODS
from stream.learner.core import LearnerCore
from stream.network.part import Owner, Part
from stream.network.table import Table
from stream.testing.streams import FEATURES, OFFERS, apply, settings


class _Careless(Part):
    def __init__(self, table: Table) -> None:
        self._table = table

    def tables(self) -> Iterator[tuple[str, Table]]:
        yield "forgotten", self._table


def _table(rows: int) -> Table:
    return Table(rows, (3,), method="adam", rate=0.1, device=torch.device("cpu"))


def test_a_table_whose_owner_is_not_declared_is_an_error_in_digest_and_count() -> None:
    learner = LearnerCore(settings())
    apply(learner, *FEATURES, *OFFERS)
    learner.state_digest()
    learner.network.trunk = _Careless(_table(4))  # type: ignore[assignment]
    with pytest.raises(LookupError, match="_Careless does not say what the 4 rows of its table 'forgotten' belong to"):
        learner.state_digest()
    with pytest.raises(LookupError, match="add it to `owners`"):
        learner.report()


def test_a_table_of_several_rows_cannot_be_the_parts_as_a_whole() -> None:
    part = _Careless(_table(4))
    part.owners = {"forgotten": Owner.PART}  # type: ignore[misc]
    with pytest.raises(LookupError, match="4 rows"):
        part.owner_of("forgotten", _table(4))
    assert part.owner_of("forgotten", _table(1)) is Owner.PART


@pytest.mark.parametrize("strategy", METHODS)
def test_every_methods_tables_say_what_owns_their_rows(strategy: str) -> None:
    learner = LearnerCore(settings(strategy, hidden=(12, 12)))
    for _, part in learner.network.parts():
        for name, table in part.tables():
            assert table.names is not None or part.owner_of(name, table) in Owner
