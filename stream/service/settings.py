"""The service's own settings: dead letters and what may be held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.settings import Section, setting

__all__ = ["DeadLetterSettings", "HeldSettings"]


@dataclass(frozen=True)
class DeadLetterSettings(Section):
    """What happens to interactions that cannot be used."""

    prefix: ClassVar[str] = "dead_letters"

    file: str = setting(
        "dead-letters.jsonl",
        "Where dead letters go without Kafka: relative to the learner's own directory in the embedded log, or to the "
        "checkpoint directory of a replay. A replay without one adds to the file of that name where it runs.",
    )
    burst_events: int = setting(
        100, "More invalid ones than this among the last burst_window_events stop the process.", minimum=1
    )
    burst_window_events: int = setting(
        200, "How many of the last interactions are looked at for a burst.", minimum=1, maximum=100_000
    )
    buffer_events: int = setting(
        1000, "So many dead letters that wait to be published bring the next checkpoint forward.", minimum=1
    )
    buffer_bytes: int = setting(16 << 20, "The same bound for their keys and values together.", minimum=1)


@dataclass(frozen=True)
class HeldSettings(Section):
    """How much may wait in memory for its turn; beyond it a partition is paused."""

    prefix: ClassVar[str] = "held"

    partition_events: int = setting(
        10_000, "Interactions of one partition that may wait before it is paused.", minimum=1
    )
    partition_bytes: int = setting(64 << 20, "The same bound for their keys, values and headers.", minimum=1)
    process_bytes: int = setting(
        256 << 20,
        "The same for all partitions together, 800 bytes more for each interaction. Those are paused of which "
        "something waits; the others, for which they wait, are read on.",
        minimum=1,
    )
    batch_bytes: int = setting(
        8 << 20, "Keys and values that fill a batch before it has its batch_size of interactions.", minimum=1
    )
