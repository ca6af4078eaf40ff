"""What every part of the network keeps to: tables that are named and owned, freezing, and a state that comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from stream.network.part import Owner, Part
from stream.state import Tree, decode, encode
from stream.state.digest import digest

__all__ = ["check_part"]


def check_part(make: Callable[[], Part]) -> None:
    """Check a part that `make` builds anew at each call, always from the same seed.

    Raises AssertionError with what is expected.
    """
    part, twin = make(), make()
    tables = dict(part.tables())
    twice = [name for name, times in Counter(name for name, _ in part.tables()).items() if times > 1]
    assert not twice, f"two tables have one name: {twice}"
    for name, table in tables.items():
        if table.names is None:
            try:
                owner = part.owner_of(name, table)
            except LookupError as error:
                raise AssertionError(str(error)) from None
            assert owner in Owner, f"the owner of table {name!r} is none of {', '.join(Owner)}"
    assert _state(part) == _state(twin), "two parts of one seed differ: is a random number drawn that no seed decides?"

    for table in tables.values():
        table.fresh.fill_(True)
    assert not tables or part.any_fresh, "a part whose tables are fresh has to say so (any_fresh)"
    assert not tables or part.trains(warming_up=True), "a warm-up trains what is fresh"
    part.end_warmup()
    assert not part.any_fresh, "after end_warmup nothing is fresh"
    assert not part.trains(warming_up=True), "a warm-up trains nothing that is not fresh"

    for number, table in enumerate(tables.values()):
        table.weight.add_(0.5 + number)
    assert not tables or _state(part) != _state(twin), "weights that move have to show in the tables' state"
    _restore(twin, decode(encode(_tree(part))))
    assert _state(part) == _state(twin), "what state and extra_state return, restored, is another part"

    part.hold()
    assert not part.any_fresh, "hold makes nothing fresh"
    names = [name for name, _ in part.named_extra()]
    assert len(set(names)) == len(names), f"named_extra gives a name twice: {names}"
    digest(part.named_extra())  # raises TypeError for a value that has no one form


def _tree(part: Part) -> Tree:
    return {"tables": {name: table.state() for name, table in part.tables()}, "extra": part.extra_state()}


def _restore(part: Part, tree: Tree) -> None:
    for name, table in part.tables():
        table.restore(tree["tables"][name])
    part.restore_extra(tree["extra"])


def _state(part: Part) -> bytes:
    return encode({"part": _tree(part), "named": {name: _plain(value) for name, value in part.named_extra()}})


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value
