"""The version that answers are given from: followed, and swapped between two answers, never within one.

A look at the directory reads and verifies on another thread. Putting what it found in place takes milliseconds and
happens on the event loop, while nobody scores: a short question is answered without giving way, and a long one, which
gives way between its parts, is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from stream.errors import StreamError
from stream.publish.follow import Follower, Taken, Update
from stream.publish.pointer import Pointer
from stream.records.interaction import Interaction
from stream.scoring.scorer import Scorer
from stream.scoring.why import why

__all__ = ["Held", "Serving"]

_log = logging.getLogger("stream.serving")


@dataclass(frozen=True, slots=True)
class Serving:
    """A version, ready to answer."""

    scorer: Scorer
    pointer: Pointer

    def staleness_seconds(self, unix_seconds: float) -> float | None:
        """Return by how much the wall clock is ahead of the model's event time; None before the first event."""
        event_time_ms = self.scorer.event_time_ms
        return None if event_time_ms is None else max(0.0, unix_seconds - event_time_ms / 1000.0)

    def age_seconds(self, unix_seconds: float) -> float:
        """Return how long ago the version was published."""
        return max(0.0, unix_seconds - self.pointer.published_ms / 1000.0)


class Held:
    """The served version of a directory.

    Args:
        directory: the model versions.
        swapped: told of each version that was put in place, with the seconds that it took.
        unix_seconds: wall-clock time.
    """

    def __init__(
        self,
        directory: Path,
        swapped: Callable[[Serving, bool, float], None] = lambda serving, full, seconds: None,
        unix_seconds: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self.serving: Serving | None = None
        self.trouble: str | None = None
        self.unix_seconds = unix_seconds
        self._swapped = swapped
        self._follower = Follower(directory)
        self._long = 0
        self._free = asyncio.Event()
        self._free.set()
        self._open = asyncio.Event()
        self._open.set()

    async def look(self) -> bool:
        """Take the served version if it is another one than is held; return whether it was."""
        update = await asyncio.to_thread(self._follower.look)
        self._told(self._follower.trouble)
        if update is None:
            self._same()
            return False
        self._open.clear()  # long questions that come now wait, or there might never be a moment
        try:
            await self._free.wait()
            self._take(update)
        except StreamError as error:
            self._told(str(error))
            return False
        finally:
            self._open.set()
        return True

    async def follow(self, poll_seconds: float) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # a version that this program cannot read must not end the answers from the last one
                _log.exception("a look at %s failed", self.directory)
                self._told("a look failed in a way that nobody foresaw; see the log")
            await asyncio.sleep(poll_seconds)

    def _take(self, update: Update) -> None:
        began = time.perf_counter()
        before = self.serving
        try:
            taken: Taken = self._follower.take(update)
            scorer = Scorer(taken.snapshot, None if before is None else before.scorer)
        except Exception:
            # Deltas move arrays in place: what the scorer reads may be half of them, and half is worse than nothing.
            if not update.full:
                self.serving = None
            self._follower = Follower(self.directory)
            raise
        pointer = self._follower.pointer
        assert pointer is not None
        if before is None:
            _rehearse(scorer)
        self.serving = Serving(scorer, pointer)
        self._swapped(self.serving, taken.full, time.perf_counter() - began)

    def _same(self) -> None:
        """Take over a pointer that moved without another version."""
        pointer = self._follower.pointer
        if self.serving is not None and pointer is not None and pointer is not self.serving.pointer:
            self.serving = Serving(self.serving.scorer, pointer)

    def _told(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self.trouble:
            _log.warning("the newest version cannot be taken, answers go on from the last one: %s", trouble)
        self.trouble = trouble

    @asynccontextmanager
    async def steady(self) -> AsyncIterator[None]:
        """Keep the version for a block that gives way to others."""
        await self._open.wait()
        self._long += 1
        self._free.clear()
        try:
            yield
        finally:
            self._long -= 1
            if not self._long:
                self._free.set()


def _rehearse(scorer: Scorer) -> None:
    """Score an event, so that no first answer waits for loops to be loaded."""
    event = Interaction("", None, scorer.event_time_ms or 0, {}, ())
    for found in scorer.best([event], 1)[0]:
        why(scorer, event, [found.offer])
