"""Cells by (row, column), exact and bounded: what ties a key, or an input value, to an offer or attribute value.

Of all pairs that there could be, those that occurred have a cell: weight, sum of squares and counts, found by a hash of
64 bits with open addressing. A name that leaves takes its cells with it at once, without a pass over them: each use of
a row or column has a number of its own, and a cell goes by the two numbers of the names that it began under. What
nobody can find any more is dropped when room is made.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from stream.network import cell_index
from stream.state.tree import Tree

__all__ = ["DIRECT_BYTES", "Cells"]

_SMALLEST = 64
_LIVES = 1 << 31
"""Row and column numbers fit into 32 bits each; before they run out all are numbered anew."""
_EVICTED = 8
"""A full registry gives up one cell in this many at once: finding the longest unseen costs a pass over all."""
_BLOCK = 1 << 16
_DIRECT = 1 << 23
"""Rows times columns up to which a registry that keeps one has a direct index of 4 bytes each."""
DIRECT_BYTES = 4 * _DIRECT
"""What that index takes at most."""


class Cells:
    """At most ``capacity`` cells under element-wise Adagrad, each with ``counts`` numbers float64; row 0 is nobody's.

    ``weights`` float32 ``(n, 3)`` are weight, sum of squares and room for a sum, which is 0 between steps; ``counts``
    ``(n, counts)``. A cell is fresh if its row or its column is.
    """

    compiled = False
    """Whether cells are found and begun by compiled loops."""

    def __init__(
        self, *, capacity: int, counts: int, rate: float, prior: float, device: torch.device, direct: bool = False
    ) -> None:
        self.capacity = max(1, capacity)
        self.rate, self.prior, self.device = rate, prior, device
        self.used = 0
        self.evictions = 0
        """Cells of living names that were given up because the bound was met."""
        self.row_lives, self.column_lives = np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self._next = [1, 0]
        self._left = False
        """Whether a name left since cells that nobody finds were last dropped."""
        self.fresh_rows, self.fresh_columns = np.zeros(1, dtype=bool), np.zeros(0, dtype=bool)
        self._counts = counts
        self._keeps_direct = direct
        self._allocate(min(_SMALLEST, self.capacity))

    def _allocate(self, reserved: int) -> None:
        self.names, self.seen = np.zeros(reserved, dtype=np.int64), np.zeros(reserved, dtype=np.int64)
        self.weights = np.zeros((reserved, 3), dtype=np.float32)
        self.counts = np.zeros((reserved, self._counts))
        self._index_anew()
        self._view()

    def _view(self) -> None:
        self.weight, self.squares = (torch.from_numpy(self.weights[:, place]) for place in (0, 1))

    @property
    def reserved(self) -> int:
        """Cells that there is room for now."""
        return len(self.names)

    @property
    def nbytes(self) -> int:
        """What the cells and their index take."""
        arrays = self.names, self.seen, self.weights, self.counts, self.index, self.direct
        return sum(array.nbytes for array in arrays)

    # -- names ----------------------------------------------------------------------------------------------------

    def reserve(self, rows: int, columns: int) -> None:
        """Make room for the numbers of rows and columns; none of these has a cell yet."""
        for axis, (name, size) in enumerate((("row", rows), ("column", columns))):
            lives = getattr(self, f"{name}_lives")
            extra = size - len(lives)
            if extra > 0:
                extra = max(extra, len(lives)) if axis == 0 else extra
                new = np.arange(self._next[axis], self._next[axis] + extra)
                self._next[axis] += extra
                setattr(self, f"{name}_lives", np.concatenate([lives, new]))
                fresh = getattr(self, f"fresh_{name}s")
                setattr(self, f"fresh_{name}s", np.concatenate([fresh, np.zeros(extra, dtype=bool)]))
        if self.direct.shape != (len(self.row_lives), len(self.column_lives)):
            self._direct_anew()
        self._number_anew()

    def clear_rows(self, rows: list[int]) -> None:
        """Let rows start anew: nobody finds their cells any more."""
        self._clear(0, self.row_lives, self.fresh_rows, rows)

    def clear_columns(self, columns: list[int]) -> None:
        """Let columns start anew."""
        self._clear(1, self.column_lives, self.fresh_columns, columns)

    def _clear(self, axis: int, lives: np.ndarray, fresh: np.ndarray, places: list[int]) -> None:
        if not len(places):
            return
        lives[places] = np.arange(self._next[axis], self._next[axis] + len(places))
        self._next[axis] += len(places)
        fresh[places] = False
        self._left = True
        self._number_anew()

    def _number_anew(self) -> None:
        """Number the rows and columns from the start if their numbers are about to run out; their order stays."""
        if max(self._next) < _LIVES:
            return
        self._keep(self._living())
        parts = self._parts(self.names[: self.used])
        renamed = []
        for axis, lives in enumerate((self.row_lives, self.column_lives)):
            order = np.sort(lives)
            renamed.append(np.searchsorted(order, parts[axis]))
            lives[:] = np.searchsorted(order, lives)
            self._next[axis] = len(lives)
        self.names[: self.used] = renamed[0] << 32 | renamed[1]
        self._index_anew()

    @staticmethod
    def _parts(names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return names >> 32, names & 0xFFFFFFFF

    def name(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the names int64 ``(n,)`` of cells, -1 for those of row 0 or without a column (below 0)."""
        found = self.row_lives[rows] << 32 | self.column_lives[columns]
        found[(rows == 0) | (columns < 0)] = -1
        return np.asarray(found)

    def live(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return row, column and place ``(n,)`` each of the cells whose names live, in the order they began."""
        found = []
        for part, lives in zip(self._parts(self.names[: self.used]), (self.row_lives, self.column_lives), strict=True):
            order = np.argsort(lives)
            at = np.minimum(np.searchsorted(lives[order], part), len(lives) - 1) if len(lives) else part
            slots = order[at] if len(lives) else part
            found.append((slots, lives[slots] == part if len(lives) else np.zeros(len(part), dtype=bool)))
        (rows, known), (columns, named) = found
        places = np.flatnonzero(known & named)
        return rows[places], columns[places], places

    # -- cells ----------------------------------------------------------------------------------------------------

    def find(self, names: np.ndarray) -> np.ndarray:
        """Return the cells int32 ``(n,)`` of ``names``, -1 for none."""
        found = np.empty(len(names), dtype=np.int32)
        if self.compiled:
            from stream.network import cell_kernels

            cell_kernels.find(self.index, self.names, names, found)
        else:
            cell_index.find(self.index, self.names, names, found)
        return found

    def begin(self, names: np.ndarray, now: int, *, may_evict: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Give each of ``names`` a cell; return these ``(n,)``, -1 for one that there is no room for.

        Also returns where each earlier cell is now (-1: gone), or None if none has moved. Without ``may_evict`` a full
        registry begins nothing; a cell ``seen`` at ``now`` is never given up.
        """
        moved: np.ndarray | None = None
        if self.used + len(names) > self.reserved:
            there = self.find(names)
            self.seen[there[there >= 0]] = now
            missing = np.unique(names[(there < 0) & (names >= 0)])
            moved = self._make_room(len(missing), now, may_evict=may_evict)
        found = np.empty(len(names), dtype=np.int32)
        if self.compiled:
            from stream.network import cell_kernels

            used = cell_kernels.begin(self.index, self.names, self.used, names, found)
        else:
            used = cell_index.begin(self.index, self.names, self.used, names, found)
        new = slice(self.used, used)
        self.seen[new] = now
        self.weights[new] = (0.0, self.prior, 0.0)
        self.counts[new] = 0.0
        self.used = used
        return found, moved

    def _make_room(self, number: int, now: int, *, may_evict: bool) -> np.ndarray | None:
        moved: np.ndarray | None = None
        while self.used + number > self.reserved:
            dead = ~self._living() if self._left else None
            self._left = False
            if dead is not None and 4 * int(dead.sum()) >= min(self.used, number * 4):
                moved = _then(moved, self._keep(~dead))
            elif self.reserved < self.capacity:
                self._grow(min(2 * self.reserved, self.capacity))
            else:
                if dead is not None and dead.any():
                    moved = _then(moved, self._keep(~dead))
                short = self.used + number - self.reserved
                if may_evict and short > 0:
                    moved = _then(moved, self._evict(max(self.reserved // _EVICTED, short), now))
                break
        return moved

    def _living(self) -> np.ndarray:
        keep = np.zeros(self.used, dtype=bool)
        keep[self.live()[2]] = True
        return keep

    def _evict(self, number: int, now: int) -> np.ndarray | None:
        """Give up the longest unseen cells, of those seen together the ones whose names joined first."""
        seen = self.seen[: self.used]
        number = min(number, int((seen < now).sum()))
        if not number:
            return None
        last = np.partition(seen, number - 1)[number - 1]
        keep = seen >= last
        ties = np.flatnonzero(seen == last)
        over = number - (self.used - int(keep.sum()))
        keep[ties[np.argsort(self.names[ties])[:over]]] = False
        self.evictions += number
        return self._keep(keep)

    def _keep(self, keep: np.ndarray) -> np.ndarray:
        """Keep some of the cells ``(used,)``, in their order; return where each is now, -1 for none."""
        moved = np.cumsum(keep, dtype=np.int32) - 1
        moved[~keep] = -1
        kept = 0
        for first in range(0, self.used, _BLOCK):
            some = first + np.flatnonzero(keep[first : first + _BLOCK])
            for array in (self.names, self.seen, self.weights, self.counts):
                array[kept : kept + len(some)] = array[some]
            kept += len(some)
        self.used = kept
        self._index_anew()
        return moved

    def _grow(self, reserved: int) -> None:
        for name in ("names", "seen", "weights", "counts"):
            old = getattr(self, name)
            new = np.zeros((reserved, *old.shape[1:]), dtype=old.dtype)
            new[: self.used] = old[: self.used]
            setattr(self, name, new)
        self._index_anew()
        self._view()

    def _index_anew(self) -> None:
        size = max(2 * cell_index.LANES, 2 << max(0, self.reserved - 1).bit_length())
        self.index = np.zeros(size, dtype=np.int32)
        if self.compiled:
            from stream.network import cell_kernels

            cell_kernels.fill(self.index, self.names, self.used)
        else:
            cell_index.fill(self.index, self.names, self.used)
        self._direct_anew()

    def _direct_anew(self) -> None:
        """Make the direct index anew: by row and column, the cell + 1 that began there last, which may have gone.

        Most of what an event looks up has no cell, and a hash costs several times as much as a look at its place.
        """
        shape = len(self.row_lives), len(self.column_lives)
        if not (self._keeps_direct and self.compiled) or shape[0] * shape[1] > _DIRECT:
            self.direct = np.zeros((0, 0), dtype=np.int32)
            return
        self.direct = np.zeros(shape, dtype=np.int32)
        rows, columns, places = self.live()
        self.direct[rows, columns] = places + 1

    def note(self, rows: np.ndarray, columns: np.ndarray, cells: np.ndarray) -> None:
        """Take into the direct index, if there is one, cells `(n,)` that have begun by row and column."""
        if self.direct.size:
            self.direct[rows, columns] = cells + 1

    def use_loops(self) -> None:
        """Find and begin cells by compiled loops from now on."""
        self.compiled = True
        self._index_anew()

    # -- weights --------------------------------------------------------------------------------------------------

    def read(self, cells: np.ndarray) -> torch.Tensor:
        """Return the weights ``(n,)`` of cells, 0 where there is none (below 0)."""
        places = torch.from_numpy(cells.astype(np.int64))
        found = self.weight[places.clamp_min(0)]
        return found.masked_fill(places < 0, 0.0).to(self.device)

    def trained(self, rows: np.ndarray, columns: np.ndarray, *, warming_up: bool) -> np.ndarray:
        """Return which of the cells ``(n,)`` of some rows and columns a step may train."""
        if not warming_up:
            return np.ones(len(rows), dtype=bool)
        return np.asarray(self.fresh_rows[rows] | self.fresh_columns[columns])

    def descend(self, cells: torch.Tensor, gradient: torch.Tensor) -> None:
        """Step along the ``gradient`` ``(n,)`` of distinct cells."""
        cells, gradient = cells.cpu(), gradient.cpu()
        squares = self.squares[cells].addcmul_(gradient, gradient)
        self.squares[cells] = squares
        self.weight[cells] = self.weight[cells].addcdiv_(gradient, squares.sqrt().add_(1e-10), value=-self.rate)

    def end_warmup(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        self.fresh_rows.fill(False)
        self.fresh_columns.fill(False)

    @property
    def any_fresh(self) -> bool:
        """Say whether a warm-up trains any cell."""
        return bool(self.fresh_rows.any() or self.fresh_columns.any())

    def is_finite(self) -> bool:
        """Say whether every weight and sum of squares is a number."""
        return bool(np.isfinite(self.weights[: self.used]).all())

    # -- state ----------------------------------------------------------------------------------------------------

    def state(self) -> Tree:
        """Return the cells that there are, and the numbers of rows and columns."""
        used = self.used
        return {
            "reserved": self.reserved,
            "names": self.names[:used],
            "seen": self.seen[:used],
            "weights": self.weights[:used, :2],
            "counts": self.counts[:used],
            "row_lives": self.row_lives,
            "column_lives": self.column_lives,
            "next": list(self._next),
            "fresh_rows": self.fresh_rows,
            "fresh_columns": self.fresh_columns,
            "evictions": self.evictions,
        }

    def restore(self, tree: Tree) -> None:
        """Take back what :meth:`state` returned."""
        self.used = 0
        self._allocate(int(tree["reserved"]))
        self.used = len(tree["names"])
        self.names[: self.used], self.seen[: self.used] = tree["names"], tree["seen"]
        self.weights[: self.used, :2], self.counts[: self.used] = tree["weights"], tree["counts"]
        for name in ("row_lives", "column_lives", "fresh_rows", "fresh_columns"):
            setattr(self, name, tree[name].copy())
        self._next = [int(number) for number in tree["next"]]
        self._left = True
        self.evictions = int(tree["evictions"])
        self._index_anew()

    def named(
        self, rows: list[tuple[str, int]], columns: list[tuple[str, int]], *, trained: bool = False
    ) -> Iterator[tuple[str, list[str], np.ndarray]]:
        """Yield each row's name with its cells' columns, sorted by name, and their places; of given names only.

        With ``trained``, only those whose weight or history is not that of a cell that just began.
        """
        row_of = np.full(len(self.row_lives), -1)
        row_of[[row for _, row in rows]] = np.arange(len(rows))
        ordered = sorted(columns)
        rank_of = np.full(len(self.column_lives), -1)
        rank_of[[column for _, column in ordered]] = np.arange(len(ordered))
        found_rows, found_columns, places = self.live()
        if trained:
            moved = (self.weights[places, :2] != np.array([0.0, self.prior], dtype=np.float32)).any(1)
            found_rows, found_columns, places = found_rows[moved], found_columns[moved], places[moved]
        row, rank = row_of[found_rows], rank_of[found_columns]
        order = np.lexsort((rank, row))
        order = order[(row[order] >= 0) & (rank[order] >= 0)]
        bounds = np.searchsorted(row[order], np.arange(len(rows) + 1))
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            some = order[bounds[number] : bounds[number + 1]]
            yield rows[number][0], [ordered[place][0] for place in rank[some].tolist()], places[some]


def _then(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    """Return one move after another."""
    if first is None or second is None:
        return second if first is None else first
    return np.where(first < 0, first, second[first])
