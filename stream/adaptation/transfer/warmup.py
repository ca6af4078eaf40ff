"""The frozen warm-up: when it starts, what it may cost, and when it is over.

It ends once the loss of the events that reach a new part has flattened, or at a bound in events; joining changes may
stretch it to two bounds; and of any 10,000 events at most a fifth is spent frozen (contract, part 5).
"""

from __future__ import annotations

from collections import deque

from stream.adaptation.transfer.settings import WarmupSettings
from stream.records.reasons import WarmupEnd
from stream.state import Tree

__all__ = ["Warmup"]


class Warmup:
    """The phase's clock, counted in events trained; it knows nothing of weights."""

    def __init__(self, settings: WarmupSettings) -> None:
        self._settings = settings
        self.active = False
        self.started_total = 0
        self.events_frozen_total = 0
        self.events = 0
        """Events trained in the running (or last) warm-up."""
        self._bound = 0
        self._losses: deque[float] = deque(maxlen=2 * settings.window_events)
        self._spent: deque[tuple[int, int]] = deque()
        """(first event, number of events) of what was spent frozen and may still lie within the budget's window."""

    def start(self, now: int, batch_events: int) -> bool:
        """Start at event number `now` unless the budget leaves no room for a batch."""
        if self._frozen_within(now, batch_events) + batch_events > self._allowed:
            return False
        self.active = True
        self.started_total += 1
        self.events = 0
        self._bound = self._settings.max_events
        self._losses.clear()
        return True

    def join(self) -> None:
        """Let a change join the running warm-up: a new bound from here, at most two from the start."""
        self._bound = min(self.events + self._settings.max_events, 2 * self._settings.max_events)
        self._losses.clear()

    def ends_before(self, now: int, batch_events: int) -> WarmupEnd | None:
        """Return why the next batch may not be frozen any more: `bound`, `budget`, or None if it may."""
        if self.events + batch_events > self._bound:
            return WarmupEnd.BOUND
        if self._frozen_within(now, batch_events) + batch_events > self._allowed:
            return WarmupEnd.BUDGET
        return None

    def trained(self, now: int, batch_events: int, losses: list[float]) -> WarmupEnd | None:
        """Count a frozen batch that began at event `now`; return `flattened` once the loss of `losses` has."""
        self.events += batch_events
        self.events_frozen_total += batch_events
        self._spent.append((now, batch_events))
        self._losses.extend(losses)
        window = self._settings.window_events
        if len(self._losses) < 2 * window:
            return None
        values = list(self._losses)
        before, after = sum(values[:window]) / window, sum(values[window:]) / window
        return WarmupEnd.FLATTENED if before - after <= self._settings.tolerance * before else None

    def end(self) -> None:
        """Leave the phase; nothing is frozen any more."""
        self.active = False

    @property
    def _allowed(self) -> float:
        return self._settings.budget_share * self._settings.budget_events

    def _frozen_within(self, now: int, batch_events: int) -> int:
        """Return the frozen events among the budget window that ends with the next batch."""
        oldest = now + batch_events - self._settings.budget_events
        while self._spent and sum(self._spent[0]) <= oldest:
            self._spent.popleft()
        return sum(number for _, number in self._spent)

    def state(self) -> Tree:
        """Return everything as JSON values."""
        return {
            "active": self.active,
            "started_total": self.started_total,
            "events_frozen_total": self.events_frozen_total,
            "events": self.events,
            "bound": self._bound,
            "losses": list(self._losses),
            "spent": [list(entry) for entry in self._spent],
        }

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.active = bool(tree["active"])
        self.started_total = int(tree["started_total"])
        self.events_frozen_total = int(tree["events_frozen_total"])
        self.events = int(tree["events"])
        self._bound = int(tree["bound"])
        self._losses = deque(tree["losses"], maxlen=2 * self._settings.window_events)
        self._spent = deque((int(first), int(number)) for first, number in tree["spent"])
