"""Whether the process lives and whether its model may be relied on: pure rules over what the service reports.

Alive (`/healthz`): a poll has completed within the bound; a process that fails this hangs and should be restarted.
Ready (`/readyz`): the model is restored (or newly made), the log answers, and the first schema version was not lost. A
schema version that stands rejected is told beside it and does not fail it: it may be another team's, and a rollout
would stick on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream.observe import Observer, Poll, Start

if TYPE_CHECKING:
    from stream.report import SchemaReport

__all__ = ["Health", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, and the sentence that says why.

    Attributes:
        ok: yes or no.
        reason: why.
        rejection: what is wrong with the schema version that stands rejected; None if none does.
    """

    ok: bool
    reason: str
    rejection: str | None = None


class Health(Observer):
    """Answers both questions at any moment, from any thread.

    Args:
        clock: the service's monotonic clock, in seconds.
        poll_bound_seconds: how long no poll may complete before the process counts as hung; it is counted from here on
            until the first poll, so it has to leave room for restoring the checkpoint.
    """

    def __init__(self, clock: Callable[[], float], poll_bound_seconds: float) -> None:
        self._clock = clock
        self._bound = poll_bound_seconds
        self._last_sign_of_life = clock()
        self._polled = False
        self._restored = False
        self._stopped = False
        self._rejection: str | None = None
        self._away: str | None = None
        self._missing: str | None = None
        self._lost = False

    def alive(self) -> Verdict:
        """Tell whether a poll has completed within the bound."""
        gap = max(0.0, self._clock() - self._last_sign_of_life)
        since = "since the last poll completed" if self._polled else "since the start, and no poll has completed yet"
        if gap > self._bound:
            return Verdict(False, f"{gap:.1f} s {since}; the bound is {self._bound:g} s (metrics.poll_bound_seconds)")
        return Verdict(True, f"{gap:.1f} s {since}; the bound is {self._bound:g} s")

    def ready(self) -> Verdict:
        """Tell whether the model is restored, and which schema version stands rejected."""
        if self._stopped:
            return Verdict(False, "the learner has stopped", self._rejection)
        if not self._restored:
            return Verdict(False, "the model is not restored yet")
        if self._away is not None:
            return Verdict(False, f"the log does not answer: {self._away}", self._rejection)
        if self._missing is not None:
            return Verdict(not self._lost, self._missing, self._rejection)
        return Verdict(True, "the model is restored and the log answers", self._rejection)

    def started(self, start: Start) -> None:
        """The model is there."""
        self._restored = True
        self._last_sign_of_life = self._clock()

    def polled(self, poll: Poll) -> None:
        """A sign of life."""
        self._polled = True
        self._last_sign_of_life = poll.at_monotonic_seconds

    def log_away(self, reason: str, seconds: float) -> None:
        """Alive, for it asks again and again; not ready."""
        self._away = reason
        self._last_sign_of_life = self._clock()

    def log_back(self, seconds: float) -> None:
        """Ready again."""
        self._away = None

    def schema_changed(self, report: SchemaReport, seconds: float) -> None:
        """A version that takes effect ends a rejection; one that is ignored as a repetition does not."""
        if not report.duplicate:
            self._rejection = self._missing = None

    def stands_by(self, what_is_missing: str, lost: bool) -> None:
        """The first schema version is not there."""
        self._missing, self._lost = what_is_missing, lost

    def schema_rejected(self, version: int | None, reason: str) -> None:
        """It stands rejected from now until a next version is applied."""
        which = "a schema version without a readable number" if version is None else f"schema version {version}"
        self._rejection = f"{which} was rejected ({reason}); publish a corrected one under the number that is due"

    def stopped(self, summary: Mapping[str, Any]) -> None:
        """Nothing is learned any more."""
        self._stopped = True
