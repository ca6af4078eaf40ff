"""When checkpoints are written, where, and how many stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.checkpoint.recover import LostOffsets, Missing
from stream.settings import Section, setting

__all__ = ["CheckpointSettings"]


@dataclass(frozen=True)
class CheckpointSettings(Section):
    """Where the learner's state survives."""

    prefix: ClassVar[str] = "checkpoint"

    directory: str = setting("checkpoints", "Directory of the checkpoints; one learner's own.")
    every_events: int = setting(
        5000, "A checkpoint after so many trained events, or sooner by every_seconds.", minimum=1
    )
    every_seconds: float = setting(30.0, "A checkpoint after so long, where anything changed.", above=0)
    in_background: bool = setting(
        True,
        "Written by a forked process while training goes on; needs Linux, device = cpu, and memory for what training "
        "changes meanwhile (at most as much as the process has). False writes it while training stands still.",
    )
    keep: int = setting(3, "How many checkpoints stay on disk.", minimum=1)
    missing: str = setting(
        Missing.FAIL.value,
        "Where the log's last commit names a checkpoint that is not in the directory: fail, go on from the newest "
        "one that is (and train again what came after it), or start from scratch.",
        choices=tuple(choice.value for choice in Missing),
    )
    lost_offsets: str = setting(
        LostOffsets.FAIL.value,
        "Where the log lacks the offset to go on from, for retention has deleted it or the topic was made anew: "
        "fail, or go on from the earliest or the latest record that it has; what lies between is lost to the model.",
        choices=tuple(choice.value for choice in LostOffsets),
    )
