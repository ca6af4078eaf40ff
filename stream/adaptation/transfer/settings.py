"""The bounds of a frozen warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.adaptation.entry import Entry, MethodSettings, Seat
from stream.settings.fields import setting

__all__ = ["WarmupSettings"]


@dataclass(frozen=True)
class WarmupSettings(MethodSettings):
    """Bounds of the phase in which only the new or replaced part is trained; the method's source states none."""

    prefix: ClassVar[str] = "warmup"
    methods: ClassVar[tuple[Entry, ...]] = (
        Entry(
            "carry",
            Seat.CHANGE,
            "Keep what survives by name, add the new without changing the function, warm up only what is new.",
        ),
        Entry("carry-unfrozen", Seat.CHANGE, "As carry, without the frozen warm-up: everything trains at once."),
        Entry(
            "replace",
            Seat.CHANGE,
            "The paper's: a fresh input and/or output layer, all else frozen until it is warm, then all unfrozen.",
        ),
        Entry("replace-unfrozen", Seat.CHANGE, "As replace, without the frozen warm-up: everything trains at once."),
        Entry("scratch", Seat.CHANGE, "A control: all weights, statistics and counts start anew at each change."),
        Entry("never", Seat.CHANGE, "A control: features and offers added after the first version are ignored."),
    )

    max_events: int = setting(
        128, "The bound on one warm-up; changes that join it may double it. Longer batches are never frozen.", minimum=1
    )
    window_events: int = setting(
        32, "Length of the two windows whose mean losses are compared; it is the shortest warm-up's half.", minimum=1
    )
    tolerance: float = setting(
        0.01, "The loss has flattened once a window is better than the one before by less than this share.", minimum=0
    )
    budget_share: float = setting(
        0.2, "The share of any so many events that may be spent frozen.", minimum=0, maximum=1
    )
    budget_events: int = setting(10_000, "The number of events that the share is taken of.", minimum=1)
