"""What the terminal shows while a learner runs, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.settings.fields import Section, setting

__all__ = ["ViewSettings"]


@dataclass(frozen=True)
class ViewSettings(Section):
    """What the terminal shows."""

    prefix: ClassVar[str] = "view"
    style: str = setting(
        "auto",
        "What standard error gets: live (redrawn in place), lines (sentences), logs (a JSON object a line) or none; "
        "auto is live on a terminal and logs elsewhere.",
        choices=("auto", "live", "lines", "logs", "none"),
    )
    refresh_seconds: float = setting(0.25, "How often the live view is redrawn, at most.", above=0)
    report_seconds: float = setting(10.0, "How often lines and logs tell of the progress.", above=0)
    debug: bool = setting(False, "Let logs tell everything, the lines of the Kafka client among it.")
