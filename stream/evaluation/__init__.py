"""Prequential measures: the model's ranking, loss and calibration beside two baselines that only count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream.evaluation.drift import LossDrift
from stream.evaluation.quality import RankingQuality
from stream.evaluation.scored import ScoredEvents
from stream.evaluation.scores import BatchScores, EventScore
from stream.evaluation.settings import DriftSettings, EvaluationSettings
from stream.evaluation.windowed import WindowedMeasures

if TYPE_CHECKING:
    from stream.evaluation.evaluation import Evaluation

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


def __getattr__(name: str) -> Any:
    """Import the compiler only for who measures: who reads settings need not wait for it."""
    if name != "Evaluation":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stream.evaluation.evaluation import Evaluation

    return Evaluation
