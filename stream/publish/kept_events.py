"""The newest events, as the bytes that they came in, for comparing two versions on them."""

from __future__ import annotations

from collections import deque

from stream.errors import InvalidInteraction
from stream.records.interaction import Interaction, decode_interaction

__all__ = ["KeptEvents"]


class KeptEvents:
    """A queue of records, bounded by their number and their bytes.

    Args:
        most: how many.
        most_bytes: of keys and values.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._records: deque[tuple[bytes | None, bytes | None]] = deque()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def add(self, key: bytes | None, value: bytes | None) -> None:
        """Keep a record, and let go of the oldest ones beyond the bounds."""
        if not self._most:
            return
        self._records.append((key, value))
        self.size_bytes += len(key or b"") + len(value or b"")
        while len(self._records) > self._most or self.size_bytes > self._most_bytes:
            key, value = self._records.popleft()
            self.size_bytes -= len(key or b"") + len(value or b"")

    def records(self) -> list[tuple[bytes | None, bytes | None]]:
        """Return what is kept, oldest first: to be decoded on another thread."""
        return list(self._records)


def decoded(records: list[tuple[bytes | None, bytes | None]]) -> list[Interaction]:
    """Return the interactions of records; one that cannot be read is passed over."""
    found = []
    for key, value in records:
        try:
            found.append(decode_interaction(value, key))
        except InvalidInteraction:
            continue
    return found
