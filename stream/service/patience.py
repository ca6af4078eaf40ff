"""Waiting for a log that does not answer: one sentence at its beginning, one at its end, and a bound."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from stream.errors import BrokerUnavailable
from stream.observe import Observer

__all__ = ["Patience"]

T = TypeVar("T")

_log = logging.getLogger("stream.service")


class Patience:
    """Asks a log, and takes it that it does not answer, for as long as that may last.

    Only questions go through it, which may be asked again. A commit is none: if its outcome is not known, the process
    leaves, and the next start finds out.

    Args:
        seconds: how long the log may be away.
        clock: monotonic seconds.
        observer: told when it goes away, again at each question in vain, and when it is back.
    """

    def __init__(self, seconds: float, clock: Callable[[], float], observer: Observer) -> None:
        self._seconds = seconds
        self._clock = clock
        self._observer = observer
        self._since: float | None = None

    @property
    def away(self) -> bool:
        """Whether the last question was in vain."""
        return self._since is not None

    def ask(self, question: Callable[[], T]) -> T | None:
        """Return the answer, or None if the log is away; raises `BrokerUnavailable` once that has lasted too long."""
        asked = self._clock()
        try:
            answer = question()
        except BrokerUnavailable as error:
            self._missed(asked, error)
            return None
        if self._since is not None:
            away_seconds = self._clock() - self._since
            _log.warning("the log answers again after %.0f s", away_seconds)
            self._since = None
            self._observer.log_back(away_seconds)
        return answer

    def _missed(self, asked: float, error: BrokerUnavailable) -> None:
        if self._since is None:
            self._since = asked
            _log.warning("%s Waiting for up to %g s (kafka.patience_seconds); nothing is lost.", error, self._seconds)
        away_seconds = self._clock() - self._since
        if away_seconds >= self._seconds:
            raise BrokerUnavailable(
                f"{error} It has been away for {away_seconds:.0f} s, and kafka.patience_seconds is {self._seconds:g}. "
                "The next start goes on from the last checkpoint."
            ) from error
        self._observer.log_away(str(error), away_seconds)
