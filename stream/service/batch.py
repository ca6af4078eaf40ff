"""The batch that is being filled: items in the order in which they will be trained, none of them trained yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from stream.service.item import Item

__all__ = ["PartialBatch"]


class PartialBatch:
    """Interactions up to a count, a size or an age, and the dead letters that stand behind them in their partitions.

    Nothing of it is ever in a checkpoint: whoever takes it has to train or to give back all of it.

    Args:
        size: interactions in a full batch.
        age_seconds: how long the first one may wait; 0 = for ever.
        size_bytes: keys and values that fill it too; one interaction always has room.
    """

    def __init__(self, size: int, age_seconds: float, size_bytes: int = 8 << 20) -> None:
        self._size = size
        self._size_bytes = size_bytes
        self._bytes = 0
        self._age_seconds = age_seconds
        self._entries: list[Item] = []
        self._partitions: Counter[int] = Counter()
        self._opened_seconds = 0.0
        self.events = 0

    @property
    def full(self) -> bool:
        """Whether it has its count, or its bytes."""
        return self.events >= self._size or self._bytes >= self._size_bytes

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def partitions(self) -> Mapping[int, int]:
        """How many records it holds of each partition, dead letters included."""
        return self._partitions

    def due_in(self, now: float) -> float | None:
        """Return the seconds until its age is reached, at least 0; None if it never is."""
        if not self.events or not self._age_seconds:
            return None
        return max(0.0, self._opened_seconds + self._age_seconds - now)

    def holds_before(self, item: Item) -> bool:
        """Whether it holds an earlier record of the item's partition."""
        return item.record.partition in self._partitions

    def add(self, item: Item, now: float) -> None:
        """Append an interaction, or a dead letter that stands behind one."""
        if not self.events:
            self._opened_seconds = now
        self._entries.append(item)
        self._partitions[item.record.partition] += 1
        self._bytes += item.size_bytes
        self.events += not item.reason

    def take(self) -> list[Item]:
        """Return all its items in order, and be empty."""
        entries = self._entries
        self._entries, self.events, self._bytes = [], 0, 0
        self._partitions.clear()
        return entries
