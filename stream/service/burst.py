"""A burst of invalid records stops the process: the fault is likelier in a setting than in so many records."""

from __future__ import annotations

from collections import deque

from stream.errors import DeadLetterBurst
from stream.service.item import Item

__all__ = ["BurstGuard"]


class BurstGuard:
    """Counts the invalid ones among the last interactions.

    Its memory is part of the checkpoint, so that a process that is restarted again and again drains no topic.

    Args:
        most: how many of the last `window` may be invalid.
        window: how many of the last are looked at.
        remembered: `state()` of the guard that this one goes on from.
    """

    def __init__(self, most: int, window: int, remembered: str = "") -> None:
        self._most = most
        self._recent: deque[bool] = deque((mark == "x" for mark in remembered), maxlen=window)
        self._invalid = sum(self._recent)

    def saw(self, item: Item) -> None:
        """Note the next item; raises `DeadLetterBurst` if one more would be too many, before it is settled."""
        recent = self._recent
        if len(recent) == recent.maxlen:
            self._invalid -= recent[0]
        recent.append(bool(item.reason))
        self._invalid += recent[-1]
        if item.reason and self._invalid > self._most:
            record = item.record
            raise DeadLetterBurst(
                f"{self._invalid} of the last {len(recent)} interactions are invalid, at last {record.topic}-"
                f"{record.partition} at offset {record.offset} ({item.reason}: {item.message}); not one of them is "
                "skipped. See what its producer sends, and the topic's name; to go on all the same raise "
                "dead_letters.burst_events"
            )

    def unsee(self, count: int) -> None:
        """Forget the last `count` items: they were given back."""
        for _ in range(min(count, len(self._recent))):
            self._invalid -= self._recent.pop()

    def state(self, unsettled: int) -> str:
        """Return the memory without the last `unsettled` items, which a restart will see again."""
        kept = list(self._recent)[: max(0, len(self._recent) - unsettled)]
        return "".join("x" if invalid else "." for invalid in kept)
