"""Prequential measures: the model's ranking, loss and calibration beside two baselines that only count."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.evaluation.drift import LossDrift
    from stream.evaluation.evaluation import Evaluation
    from stream.evaluation.quality import RankingQuality
    from stream.evaluation.scored import ScoredEvents
    from stream.evaluation.scores import BatchScores, EventScore
    from stream.evaluation.settings import DriftSettings, EvaluationSettings
    from stream.evaluation.windowed import WindowedMeasures

__all__ = [
    "BatchScores",
    "DriftSettings",
    "Evaluation",
    "EvaluationSettings",
    "EventScore",
    "LossDrift",
    "RankingQuality",
    "ScoredEvents",
    "WindowedMeasures",
]

# Who reads settings need not wait for the compiler.
_MODULE = {
    "BatchScores": "scores",
    "DriftSettings": "settings",
    "Evaluation": "evaluation",
    "EvaluationSettings": "settings",
    "EventScore": "scores",
    "LossDrift": "drift",
    "RankingQuality": "quality",
    "ScoredEvents": "scored",
    "WindowedMeasures": "windowed",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE[name]}"), name)
