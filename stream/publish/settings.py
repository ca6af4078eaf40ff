"""When model versions are published, where, and which are let through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.settings import Section, setting

__all__ = ["PublishSettings"]


@dataclass(frozen=True)
class PublishSettings(Section):
    """Model versions for those who answer: `stream serve`, or any program that reads the files."""

    prefix: ClassVar[str] = "publish"

    directory: str = setting("", "Directory of the model versions, one learner's own; empty: none are published.")
    delta_seconds: float = setting(
        0.5,
        "A version with what changed after so long, if anything did; less often if publishing would cost more than its "
        "share. A schema version is published as soon as it is applied.",
        above=0,
    )
    full_seconds: float = setting(300.0, "A full version after so long, through the gate.", above=0)
    chain_bytes: int = setting(
        256 << 20, "So many bytes of deltas since the full version bring the next one forward.", minimum=1
    )
    share: float = setting(
        0.05,
        "The largest part of the time that publishing may take: three fifths for deltas, two for full versions. The "
        "intervals stretch as far as that needs.",
        above=0,
        maximum=1,
    )
    full_versions: int = setting(5, "How many full versions stay on disk, to roll back to.", minimum=1)
    disk_bytes: int = setting(
        10 << 30, "Bytes of all versions; beyond it the oldest go sooner, but never the served one.", minimum=1
    )
    gate_events: int = setting(
        2000, "A full version is compared with the served one on so many of the newest events; 0: on none.", minimum=0
    )
    gate_bytes: int = setting(
        16 << 20,
        "Bytes of keys and values that these events may take in memory; of larger ones fewer are kept.",
        minimum=1,
    )
    gate_events_min: int = setting(
        1000, "With fewer events than this nothing is compared, and the version is let through.", minimum=1
    )
    gate_loss: float = setting(
        0.25, "A full version is refused if its loss on these events is larger by more than this share.", minimum=0
    )
    gate_calibration: float = setting(
        0.7,
        "It is refused if takes promised over takes that came is further from 1 than the served version's by more than "
        "this, in logarithms; 0.7 is a factor of two. In half a second of training sound models were seen to move by "
        "0.45, and their loss by 4 %.",
        minimum=0,
    )
    delta_loss: float = setting(
        0.25,
        "While the windowed loss is larger by more than this share than it was at the last full version, no deltas are "
        "published, and full versions, gated, come sooner.",
        minimum=0,
    )
