"""A warning where event times seem to be in another unit than milliseconds, and no record's timestamp can tell."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from stream.log.protocol import Record
from stream.records.event_time import seems_to_be, utc
from stream.service.item import Item, PendingVersion

__all__ = ["UnitWatch"]

_log = logging.getLogger("stream.service")


class UnitWatch:
    """Warns once of the interactions and once of the versions: such a stream is wrong as a whole."""

    def __init__(self) -> None:
        self._items_warned = self._versions_warned = False

    def saw_items(self, items: Iterable[Item]) -> None:
        """Look at interactions."""
        if self._items_warned:
            return
        for item in items:
            event = item.interaction
            if event is not None and _warned(item.record, event.ts):
                self._items_warned = True
                return

    def saw_versions(self, versions: Iterable[PendingVersion]) -> None:
        """Look at schema versions."""
        for pending in versions:
            if self._versions_warned:
                return
            self._versions_warned = pending.version is not None and _warned(pending.record, pending.version.ts)


def _warned(record: Record, ts: int) -> bool:
    unit = seems_to_be(ts)
    if unit is None:
        return False
    _log.warning(
        "%s: the ts %d of record %d is %s as milliseconds; it seems to be in %s. Event time is in Unix milliseconds: "
        "write it so, or versions and interactions do not meet",
        record.topic,
        ts,
        record.offset,
        utc(ts),
        unit,
    )
    return True
