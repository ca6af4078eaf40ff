"""Prequential measures: the model's ranking, loss and calibration beside two baselines that only count."""

from stream.evaluation.drift import LossDrift
from stream.evaluation.evaluation import Evaluation
from stream.evaluation.scored import EventScore, RankingQuality, ScoredEvents, WindowedMeasures
from stream.evaluation.settings import DriftSettings, EvaluationSettings

__all__ = [
    "DriftSettings",
    "Evaluation",
    "EvaluationSettings",
    "EventScore",
    "LossDrift",
    "RankingQuality",
    "ScoredEvents",
    "WindowedMeasures",
]
