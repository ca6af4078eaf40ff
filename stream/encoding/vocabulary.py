"""Exact, growing, bounded vocabularies: a categorical value owns a row once it was seen often enough.

All features share one space of rows (one gather a batch), yet each has its own dictionary, capacity, candidates, a
row for *missing* and one for *rare*. Values not yet admitted, and values evicted, read as rare.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from stream.encoding.kept_name import LONGEST, any_long
from stream.state import Tree

__all__ = ["MISSING", "RARE", "ValueRows", "Vocabulary"]

MISSING, RARE = "\0missing", "\0rare"
_BATCHED_EVICTION = 100


@dataclass(slots=True)
class Vocabulary:
    """The values of one feature: `row_of` the admitted ones, `candidates` the sightings of the others."""

    missing: int
    rare: int
    multi: bool
    capacity: int
    """Values with a row of their own; the longest unseen make room."""
    closed: bool = False
    """A boolean's two values are all that it will ever have."""
    row_of: dict[str, int] = field(default_factory=dict)
    candidates: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """In the order of their last sightings; a plain dict would look for its oldest among all that it has deleted."""
    events: float = 0.0
    """Events trained since the feature was added."""
    shortened: bool = field(init=False)
    """Whether a row has belonged to a long value, by a name that a value could be sent to look like."""

    def __post_init__(self) -> None:
        self.shortened = any_long(self.row_of)

    def rows(self) -> list[int]:
        """Return every row of the feature, those for missing and rare first."""
        return [self.missing, self.rare, *self.row_of.values()]


class ValueRows:
    """The rows of all vocabularies: who owns each, when it was last used, and how much it took part.

    `mass` and `presence` `(rows,)` sum, over the events trained, the weight with which a row entered the input
    layer and whether it was there; over `Vocabulary.events` they are its running mean.
    """

    def __init__(self, *, capacity: int, admission_count: int, candidate_capacity: int) -> None:
        self.capacity = capacity
        self.admission_count = admission_count
        self.candidate_capacity = candidate_capacity
        self.vocabularies: dict[int, Vocabulary] = {}
        self.owner: list[tuple[int, str] | None] = []
        self.last_seen = np.zeros(256, dtype=np.int64)
        self.mass = np.zeros(256)
        self.presence = np.zeros(256)
        self._free: list[int] = []
        self.evictions = 0

    @property
    def reserved(self) -> int:
        """Rows to reserve in tables that are indexed by them."""
        return len(self.last_seen)

    @property
    def live(self) -> int:
        """Rows in use, those for missing and rare included."""
        return len(self.owner) - len(self._free)

    def _take(self, slot: int, value: str) -> int:
        if self._free:
            row = heapq.heappop(self._free)
            self.owner[row] = (slot, value)
        else:
            row = len(self.owner)
            self.owner.append((slot, value))
            if row >= len(self.last_seen):
                for name in ("last_seen", "mass", "presence"):
                    array = getattr(self, name)
                    setattr(self, name, np.concatenate([array, np.zeros_like(array)]))
        self.last_seen[row] = 0
        self.mass[row] = self.presence[row] = 0.0
        return row

    def _release(self, row: int) -> None:
        self.owner[row] = None
        self.last_seen[row] = 0
        self.mass[row] = self.presence[row] = 0.0
        heapq.heappush(self._free, row)

    def add(
        self, slot: int, *, multi: bool, closed_values: Iterable[str] = (), capacity: int | None = None
    ) -> Vocabulary:
        """Open the vocabulary of the feature in `slot`; a boolean's values are there from the start."""
        values = tuple(closed_values)
        bound = self.capacity if capacity is None else capacity
        vocabulary = Vocabulary(self._take(slot, MISSING), self._take(slot, RARE), multi, bound, closed=bool(values))
        for value in values:
            vocabulary.row_of[value] = self._take(slot, value)
        self.vocabularies[slot] = vocabulary
        return vocabulary

    def remove(self, slot: int) -> list[int]:
        """Close a vocabulary; return its rows, which are free from now on."""
        rows = self.vocabularies.pop(slot).rows()
        for row in rows:
            self._release(row)
        return rows

    def admit(
        self, unseen: Iterable[tuple[int, str]], now: int, *, open_rows: bool, may_evict: bool
    ) -> tuple[list[int], list[int]]:
        """Count sightings of values without a row; return the rows admitted and those evicted to make room.

        Sightings are counted always; rows are handed out only while the input layer is trained (`open_rows`).
        """
        admitted: list[int] = []
        evicted: list[int] = []
        for slot, value in unseen:
            vocabulary = self.vocabularies[slot]
            if vocabulary.closed or value in vocabulary.row_of:
                continue
            count = vocabulary.candidates.pop(value, 0) + 1
            full = len(vocabulary.row_of) >= vocabulary.capacity
            if count >= self.admission_count and open_rows and (may_evict or not full):
                if full:
                    evicted += self._evict(vocabulary)
                row = self._take(slot, value)
                vocabulary.row_of[value] = row
                vocabulary.shortened |= len(value) > LONGEST
                self.last_seen[row] = now
                admitted.append(row)
                continue
            if len(vocabulary.candidates) >= self.candidate_capacity:
                vocabulary.candidates.popitem(last=False)
                self.evictions += 1
            vocabulary.candidates[value] = count
        return admitted, evicted

    def _evict(self, vocabulary: Vocabulary) -> list[int]:
        """Give up the longest unseen rows of a full vocabulary; their share in the running mean reads as rare."""
        rows = np.fromiter(vocabulary.row_of.values(), dtype=np.int64, count=len(vocabulary.row_of))
        order = rows[np.lexsort((rows, self.last_seen[rows]))]
        gone = [int(row) for row in order[: max(1, len(rows) // _BATCHED_EVICTION)]]
        for row in gone:
            self.mass[vocabulary.rare] += self.mass[row]
            self.presence[vocabulary.rare] += self.presence[row]
            owner = self.owner[row]
            assert owner is not None
            del vocabulary.row_of[owner[1]]
            self._release(row)
        self.evictions += len(gone)
        return gone

    def owners(self) -> Iterator[tuple[int, int, str]]:
        """Yield `(row, feature slot, value)` of each row in use."""
        return ((row, *owner) for row, owner in enumerate(self.owner) if owner is not None)

    def state(self) -> Tree:
        """Return everything as a state tree, rows unchanged."""
        used = len(self.owner)
        return {
            "owner": [None if owner is None else list(owner) for owner in self.owner],
            "reserved": self.reserved,
            "last_seen": self.last_seen[:used].copy(),
            "mass": self.mass[:used].copy(),
            "presence": self.presence[:used].copy(),
            "evictions": self.evictions,
            "vocabularies": [
                [
                    slot,
                    v.missing,
                    v.rare,
                    v.multi,
                    v.capacity,
                    v.closed,
                    v.events,
                    list(v.row_of.items()),
                    list(v.candidates.items()),
                ]
                for slot, v in self.vocabularies.items()
            ],
        }

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.owner = [None if owner is None else (int(owner[0]), str(owner[1])) for owner in tree["owner"]]
        self._free = [row for row, owner in enumerate(self.owner) if owner is None]
        heapq.heapify(self._free)
        for name in ("last_seen", "mass", "presence"):
            array = np.zeros(int(tree["reserved"]), dtype=getattr(self, name).dtype)
            array[: len(self.owner)] = tree[name]
            setattr(self, name, array)
        self.evictions = int(tree["evictions"])
        self.vocabularies = {
            slot: Vocabulary(
                missing, rare, multi, bound, closed, dict(map(tuple, rows)), OrderedDict(map(tuple, seen)), events
            )
            for slot, missing, rare, multi, bound, closed, events, rows, seen in tree["vocabularies"]
        }
