"""Prequential measures: the model's ranking, loss and calibration beside two baselines that only count."""

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
