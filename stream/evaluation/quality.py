"""How good a ranking is by every measure that there is, for one event or as a mean."""

from __future__ import annotations

from stream.evaluation.measures import RANKING_MEASURES

__all__ = ["RANKINGS", "RankingQuality"]

RANKINGS = ("model", "popularity", "entity_attribute_counts")
"""Whose rankings are measured."""


class RankingQuality(tuple[float, ...]):
    """A value of each measure in the order of `RANKING_MEASURES`, and by its name as an attribute."""

    __slots__ = ()

    def __new__(cls, *values: float) -> RankingQuality:
        """Hold the values."""
        return super().__new__(cls, values)

    def __getattr__(self, name: str) -> float:
        """Return the value of a measure."""
        for value, measure in zip(self, RANKING_MEASURES, strict=False):
            if measure == name:
                return value
        raise AttributeError(f"{name} is no measure; there are {', '.join(RANKING_MEASURES)}")
