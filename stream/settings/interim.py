"""Sections whose owners have not declared them yet; each leaves for the room that uses it, and then this file goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.settings.fields import Section

__all__ = [
    "KafkaSettings",
    "LogSettings",
    "ViewSettings",
]


@dataclass(frozen=True)
class KafkaSettings(Section):
    """Where Kafka is and how to talk to it."""

    prefix: ClassVar[str] = "kafka"


@dataclass(frozen=True)
class LogSettings(Section):
    """The embedded log, which stands in for Kafka where there is none."""

    prefix: ClassVar[str] = "log"


@dataclass(frozen=True)
class ViewSettings(Section):
    """What the terminal shows."""

    prefix: ClassVar[str] = "view"
