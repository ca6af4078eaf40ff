"""When a backbone is frozen for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.adaptation.entry import NO_BACKBONE, Entry, MethodSettings, Seat
from stream.settings.fields import setting

__all__ = ["BackboneSettings"]


@dataclass(frozen=True)
class BackboneSettings(MethodSettings):
    """The backbone that tune-head, PeterRec and IAK freeze for good."""

    prefix: ClassVar[str] = "backbone"
    methods: ClassVar[tuple[Entry, ...]] = (
        Entry(
            "tune-head",
            Seat.TRUNK,
            "A control: after pre-training, inputs that were there and the trunk stand still for good.",
            refuses={"scratch": NO_BACKBONE},
        ),
    )

    pretrain_events: int = setting(
        5_000, "Events on which the backbone is trained before it is frozen for good.", minimum=1
    )
