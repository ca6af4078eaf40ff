"""One multi-label network that keeps learning from Kafka while its features and offers change."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.learner.core import Predictions
    from stream.library import Learner
    from stream.records.interaction import Interaction, decode_interaction
    from stream.schema import Schema, Version, parse_version
    from stream.settings.learner import LearnerSettings

    __version__: str

__all__ = [
    "Interaction",
    "Learner",
    "LearnerSettings",
    "Predictions",
    "Schema",
    "Version",
    "__version__",
    "decode_interaction",
    "parse_version",
]

_HOME = {
    "Interaction": "stream.records.interaction",
    "Learner": "stream.library",
    "LearnerSettings": "stream.settings.learner",
    "Predictions": "stream.learner.core",
    "Schema": "stream.schema",
    "Version": "stream.schema",
    "decode_interaction": "stream.records.interaction",
    "parse_version": "stream.schema",
}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("stream-learner")
    except PackageNotFoundError:  # read from a directory that was never installed
        return "unknown"


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    # The learner brings torch, which takes seconds to import: commands that do not learn need not wait for it.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
