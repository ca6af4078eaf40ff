"""One multi-label network that keeps learning from Kafka while its features and offers change."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.interaction import Interaction, decode_interaction
    from stream.learner import Predictions
    from stream.library import Learner
    from stream.schema import Schema, Version, parse_version
    from stream.settings.learner import LearnerSettings

__all__ = [
    "Interaction",
    "Learner",
    "LearnerSettings",
    "Predictions",
    "Schema",
    "Version",
    "decode_interaction",
    "parse_version",
]

_HOME = {
    "Interaction": "stream.interaction",
    "Learner": "stream.library",
    "LearnerSettings": "stream.settings.learner",
    "Predictions": "stream.learner",
    "Schema": "stream.schema",
    "Version": "stream.schema",
    "decode_interaction": "stream.interaction",
    "parse_version": "stream.schema",
}


def __getattr__(name: str) -> Any:
    # The learner brings torch, which takes seconds to import: commands that do not learn need not wait for it.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
