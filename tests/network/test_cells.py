"""The registry of cells against a dictionary: whatever begins, leaves, is given up, grows or is restored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from stream.network import cell_index, cell_kernels, cells
from stream.network.cells import Cells

ROWS, COLUMNS = 6, 5
CPU = torch.device("cpu")
Pairs = list[tuple[int, int]]

pairs = st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(-1, COLUMNS - 1)), min_size=1, max_size=12)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), pairs, st.booleans()),
        st.tuples(st.just("see"), pairs),
        st.tuples(st.just("clear_rows"), st.lists(st.integers(1, ROWS - 1), max_size=2, unique=True)),
        st.tuples(st.just("clear_columns"), st.lists(st.integers(0, COLUMNS - 1), max_size=2, unique=True)),
        st.tuples(st.just("restore")),
    ),
    max_size=30,
)


def _cells(capacity: int, *, compiled: bool) -> Cells:
    found = Cells(capacity=capacity, counts=1, rate=0.1, prior=0.5, device=CPU)
    found.compiled = compiled
    found.reserve(ROWS, COLUMNS)
    return found


class Plain:
    """The same in a dictionary: when each cell was seen last and what it counts; the longest unseen leave."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held: dict[tuple[int, int], list[float]] = {}
        self.now = 0

    def clear(self, gone: Any) -> None:
        self.held = {cell: kept for cell, kept in self.held.items() if not gone(cell)}


def _arrays(some: Pairs) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = zip(*some, strict=True)
    return np.array(rows), np.array(columns)


def _check(found: Cells, plain: Plain) -> None:
    rows, columns, places = found.live()
    counted = found.counts[places, 0].tolist()
    assert dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), counted, strict=True)) == {
        cell: kept[1] for cell, kept in plain.held.items()
    }
    every = [(row, column) for row in range(ROWS) for column in range(COLUMNS)]
    looked = found.find(found.name(*_arrays(every)))
    assert {cell for cell, place in zip(every, looked.tolist(), strict=True) if place >= 0} == plain.held.keys()
    assert found.used <= found.reserved <= found.capacity
    assert len(found.index) >= 2 * found.reserved
    assert not found.weights[: found.used, 2].any()


@pytest.mark.parametrize("compiled", [False, True])
@given(moves, st.integers(1, 24))
@given_settings(max_examples=60, deadline=None)
def test_any_life_of_a_registry_is_that_of_a_dictionary(compiled: bool, life: list[Any], capacity: int) -> None:
    found, plain = _cells(capacity, compiled=compiled), Plain(capacity)
    for move in life:
        plain.now += 1
        if move[0] == "begin":
            begun, _ = found.begin(found.name(*_arrays(move[1])), plain.now, may_evict=move[2])
            # What began is what is there; what had no room is not. Who left is checked by a test of its own.
            rows, columns, places = found.live()
            there = set(zip(rows.tolist(), columns.tolist(), strict=True))
            for cell, place in zip(move[1], begun.tolist(), strict=True):
                assert (place >= 0) == (cell in there)
                if place >= 0:
                    found.seen[place] = plain.now
            gone = plain.held.keys() - there
            assert not gone or move[2], "nothing is given up in a warm-up"
            assert all(plain.held[cell][0] < plain.now for cell in gone)
            plain.held = {cell: plain.held.get(cell, [0.0, 0.0]) for cell in there}
            for cell in there & set(move[1]):
                plain.held[cell][0] = plain.now
            for row, column, place in zip(rows.tolist(), columns.tolist(), places.tolist(), strict=True):
                found.counts[place, 0] += row * 10 + column
                plain.held[row, column][1] += row * 10 + column
        elif move[0] == "see":
            known = [cell for cell in move[1] if cell in plain.held]
            if known:
                found.seen[found.find(found.name(*_arrays(known)))] = plain.now
                for cell in known:
                    plain.held[cell][0] = plain.now
        elif move[0] == "clear_rows":
            found.clear_rows(move[1])
            plain.clear(lambda cell, rows=move[1]: cell[0] in rows)
        elif move[0] == "clear_columns":
            found.clear_columns(move[1])
            plain.clear(lambda cell, columns=move[1]: cell[1] in columns)
        else:
            again = _cells(capacity, compiled=compiled)
            again.restore(found.state())
            found = again
        _check(found, plain)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_longest_unseen_leave_and_are_counted_and_nothing_of_the_step_does(compiled: bool) -> None:
    found = _cells(16, compiled=compiled)
    found.reserve(2, 100)
    for now in range(1, 17):
        found.begin(found.name(np.array([1]), np.array([now])), now, may_evict=True)
    found.seen[0] = 50
    _, moved = found.begin(found.name(np.array([1, 1, 1]), np.array([60, 61, 62])), 51, may_evict=True)
    assert found.evictions == 3
    assert sorted(found.live()[1].tolist()) == [1, *range(5, 17), 60, 61, 62]
    assert moved is not None
    assert moved.tolist() == [0, -1, -1, -1, *range(1, 13)]
    every = np.arange(20, 60)
    begun, _ = found.begin(found.name(np.ones_like(every), every), 51, may_evict=True)
    assert (begun >= 0).sum() == 13, "three of this step stay; the others made room"
    assert {60, 61, 62} <= set(found.live()[1].tolist())


def test_a_full_registry_begins_nothing_if_nothing_may_leave() -> None:
    found = _cells(4, compiled=True)
    found.begin(found.name(np.array([1, 1, 1, 1]), np.arange(4)), 1, may_evict=True)
    before = found.state()
    begun, moved = found.begin(found.name(np.array([2, 2]), np.array([0, 1])), 2, may_evict=False)
    assert begun.tolist() == [-1, -1]
    assert moved is None
    assert all(np.array_equal(found.state()[name], value) for name, value in before.items())


def test_names_that_leave_make_room_before_any_that_live_and_before_it_grows() -> None:
    found = _cells(1 << 12, compiled=True)
    for life in range(200):
        rows, columns = np.divmod(np.arange((ROWS - 1) * COLUMNS), COLUMNS)
        found.begin(found.name(rows + 1, columns), life, may_evict=True)
        found.clear_rows(list(range(1, ROWS)))
    assert found.reserved == 64
    assert found.evictions == 0


@pytest.mark.parametrize("compiled", [False, True])
def test_numbers_that_run_out_are_given_anew_and_no_cell_is_lost(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "_LIVES", 40)
    found = _cells(100, compiled=compiled)
    kept = found.name(np.array([1, 2]), np.array([0, 3]))
    found.begin(kept, 1, may_evict=True)
    found.counts[:2, 0] = 7.0, 8.0
    for _ in range(50):
        found.clear_rows([3, 4])
        found.clear_columns([1, 2])
        found.begin(found.name(np.array([3]), np.array([1])), 2, may_evict=True)
    assert max(found._next) < 40
    assert len({*found.row_lives.tolist()}) == len(found.row_lives)
    places = found.find(found.name(np.array([1, 2]), np.array([0, 3])))
    assert found.counts[places, 0].tolist() == [7.0, 8.0]
    assert len(found.live()[0]) == 3


def test_growing_changes_no_bit_of_what_is_there() -> None:
    rng = np.random.default_rng(3)
    found = _cells(1 << 14, compiled=True)
    found.reserve(500, 200)
    kept: dict[int, tuple[bytes, bytes]] = {}
    for now in range(1, 60):
        rows, columns = rng.integers(1, 500, 100), rng.integers(0, 200, 100)
        names = found.name(rows, columns)
        begun, _ = found.begin(names, now, may_evict=True)
        found.weights[begun, :2] = rng.random((100, 2))
        found.counts[begun] = rng.random((100, 1))
        for name, place in zip(names.tolist(), begun.tolist(), strict=True):
            kept[name] = found.weights[place].tobytes(), found.counts[place].tobytes()
    places = found.find(np.array(list(kept)))
    assert found.reserved >= found.used == len(kept) > 4000
    for (name, bits), place in zip(kept.items(), places.tolist(), strict=True):
        assert bits == (found.weights[place].tobytes(), found.counts[place].tobytes()), name


def _looks(index: np.ndarray, held: np.ndarray, names: np.ndarray) -> float:
    """Return how often a name is looked for, on average, until it is found."""
    at, looks, pending = cell_index.places(names, len(index)), 0, np.arange(len(names))
    while len(pending):
        looks += len(pending)
        pending = pending[held[index[at[pending]] - 1] != names[pending]]
        at[pending] = (at[pending] + cell_index.NEXT) % len(index)
    return looks / len(names)


def test_both_indexes_find_the_same_and_are_filled_evenly() -> None:
    rows, columns = np.divmod(np.arange(40_000), 200)
    names = rows << 32 | columns
    held = np.zeros(1 << 16, dtype=np.int64)
    held[: len(names)] = names
    found = []
    for kind in (cell_index, cell_kernels):
        index = np.zeros(1 << 17, dtype=np.int32)
        kind.fill(index, held, len(names))
        looked = np.empty(len(names) + 1, dtype=np.int32)
        kind.find(index, held, np.append(names[::-1], 1 << 50), looked)
        found.append(looked)
        assert _looks(index, held, names) < 2.0, "names in rows and columns do not cluster"
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], np.append(np.arange(len(names))[::-1], -1))


@pytest.mark.parametrize("seed", range(3))
def test_the_direct_index_says_what_the_hash_says_whatever_leaves_grows_or_is_given_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = Cells(capacity=48, counts=0, rate=0.1, prior=0.1, device=torch.device("cpu"), direct=True)
    cells.use_loops()
    size = [8, 4]
    cells.reserve(*size)
    for now in range(1, 200):
        rows, columns = (rng.integers(0, number, 9) for number in size)
        names = cells.name(rows, columns)
        begun, _ = cells.begin(names, now, may_evict=True)
        there = begun >= 0
        cells.note(rows[there], columns[there], begun[there])
        what = rng.integers(0, 12)
        if what == 0:
            cells.clear_rows([int(rng.integers(1, size[0]))])
        elif what == 1:
            cells.clear_columns([int(rng.integers(0, size[1]))])
        elif what == 2 and now < 150:
            size = [size[0] + 2, size[1] + 1]
            cells.reserve(*size)
        elif what == 3:
            again = Cells(capacity=48, counts=0, rate=0.1, prior=0.1, device=torch.device("cpu"), direct=True)
            again.use_loops()
            again.restore(cells.state())
            cells = again
        every = np.indices((len(cells.row_lives), len(cells.column_lives))).reshape(2, -1)
        every = every[:, every[0] > 0]
        wanted = cells.find(cells.name(*every))
        direct = cells.direct[every[0], every[1]] - 1
        direct[direct >= 0] = np.where(cells.names[direct] == cells.name(*every), direct, -1)[direct >= 0]
        assert (direct == wanted).all()
    assert cells.evictions
