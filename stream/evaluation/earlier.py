"""What came earlier in a batch under the same slot: it lets a baseline take a batch in one go and miss no event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.compiler.available import compiles

__all__ = ["Earlier"]

_RADIX_SLOTS = 1 << 15
"""Below, slots fit in 16 bits, whose stable sort takes linear time."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """For P (event, offer) pairs and L labels, in training order: the same offers' in the events before.

    Labels are numbered here by slot, and within a slot in training order.
    """

    pairs: NDArray[np.int32]
    """(P,) how many pairs of the slot came in earlier events."""
    labels: NDArray[np.int32]
    """(P,) how many labels of the slot came in earlier events."""
    last_label: NDArray[np.int32]
    """(P,) the number of the last of these; of no meaning where there is none."""
    label: NDArray[np.int32]
    """(L,) the index of each label, by its number."""
    sighting: NDArray[np.int32]
    """(L,) how many labels of the slot came before, by number."""

    @classmethod
    def of(
        cls,
        slots: NDArray[np.integer[Any]],
        bounds: NDArray[np.int64],
        taken: NDArray[np.integer[Any]],
        taken_bounds: NDArray[np.int64],
    ) -> Earlier:
        """Look through B events: (P,) slots of pairs and (L,) slots of labels, each within its (B + 1,) bounds.

        A slot occurs at most once among an event's pairs, and at most once among its labels.
        """
        if len(bounds) == 2:  # the one event has none before it
            none, alone = np.zeros(slots.size, dtype=np.int32), np.arange(taken.size, dtype=np.int32)
            return cls(none, none, none, alone, np.zeros_like(alone))
        if compiles():
            return cls._by_loop(slots, bounds, taken, taken_bounds)
        # All in one row, an event's labels behind its pairs; then slot after slot, each in that order. Narrow types: a
        # batch's pairs leave and enter the cache many times here.
        pair_at = np.arange(slots.size) + np.repeat(taken_bounds[:-1], np.diff(bounds))
        label_at = np.arange(taken.size) + np.repeat(bounds[1:], np.diff(taken_bounds))
        narrow = max(slots.max(initial=0), taken.max(initial=0)) < _RADIX_SLOTS
        row = np.empty(slots.size + taken.size, dtype=np.int16 if narrow else np.int64)
        row[pair_at], row[label_at] = slots, taken
        index = np.full(row.size, -1, dtype=np.int32)
        index[label_at] = np.arange(taken.size)
        order = np.argsort(row, kind="stable")
        row, index = row[order], index[order]

        place = np.arange(row.size, dtype=np.int32)
        first = np.flatnonzero(np.append(True, row[1:] != row[:-1])[: row.size])
        run = np.repeat(np.arange(first.size), np.diff(first, append=row.size))
        is_label = index >= 0
        labels_so_far: NDArray[np.int32] = np.cumsum(is_label, dtype=np.int32) - is_label
        labels = labels_so_far - labels_so_far[first][run]
        pairs = place - place[first][run] - labels

        back = np.empty(row.size, dtype=np.int64)
        back[order] = place
        pair = back[pair_at]
        return cls(
            pairs=pairs[pair],
            labels=labels[pair],
            last_label=labels_so_far[pair] - 1,
            label=index[is_label],
            sighting=labels[is_label],
        )

    @classmethod
    def _by_loop(
        cls,
        slots: NDArray[np.integer[Any]],
        bounds: NDArray[np.int64],
        taken: NDArray[np.integer[Any]],
        taken_bounds: NDArray[np.int64],
    ) -> Earlier:
        from stream.evaluation.loops import look_back

        capacity = 1 + int(max(slots.max(initial=0), taken.max(initial=0)))
        by_pair = [np.empty(slots.size, dtype=np.int32) for _ in range(3)]
        by_label = [np.empty(taken.size, dtype=np.int32) for _ in range(2)]
        look_back(slots, bounds, taken, taken_bounds, capacity, *by_pair, *by_label)
        return cls(*by_pair, *by_label)

    def rounds(self) -> Iterator[NDArray[np.int64]]:
        """Yield the numbers of all labels in few rounds without a repeated slot: first sightings, second ones, ..."""
        for sighting in range(int(self.sighting.max(initial=-1)) + 1):
            yield np.flatnonzero(self.sighting == sighting)
