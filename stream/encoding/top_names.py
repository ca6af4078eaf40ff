"""The most frequent of names without number, in bounded memory (Misra and Gries 1982, in the form that can be merged).

Of at most CAPACITY names a count is kept. Where a batch brings more, all counts are lowered by the largest one that has
no room, and what is not above 0 leaves (Agarwal et al. 2012, "Mergeable summaries"). So a count is never above the true
one, and below it by a hundredth of all sightings at most: a name that is more than that of them is there.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from stream.encoding.kept_name import kept_name
from stream.state import Tree

__all__ = ["CAPACITY", "TOP_UNKNOWN", "UNKNOWN", "TopNames"]

CAPACITY = 100
"""Names kept of each kind; with what is kept of a long name (`kept_name`), less than 64 KiB."""

UNKNOWN = ("feature", "label", "shown")
"""Where an unknown name may stand: among the features, the labels, or in `shown`."""

TOP_UNKNOWN = 5
"""How many names of each are told of."""


class TopNames:
    """Counts of the most frequent names."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, seen: Mapping[str, int]) -> None:
        """Count the names of a batch."""
        counts = self._counts
        for name, number in seen.items():
            kept = kept_name(name)
            counts[kept] = counts.get(kept, 0) + number
        if len(counts) > CAPACITY:
            lowered = heapq.nlargest(CAPACITY + 1, counts.values())[-1]
            self._counts = {name: count - lowered for name, count in counts.items() if count > lowered}

    def top(self, number: int) -> list[tuple[str, int]]:
        """Return the most frequent names with how often each was seen at least, most first, then by name."""
        return heapq.nsmallest(number, self._counts.items(), key=lambda entry: (-entry[1], entry[0]))

    def state(self) -> Tree:
        """Return the counts by name, in the order of names."""
        return dict(sorted(self._counts.items()))

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self._counts = dict(tree)
