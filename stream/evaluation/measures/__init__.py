"""The measures of rankings by name; one more is a file beside these and a line here."""

from stream.evaluation.measures.measure import RankingMeasure
from stream.evaluation.measures.ndcg import NDCG
from stream.evaluation.measures.precision import PRECISION
from stream.evaluation.measures.recall import RECALL

__all__ = ["RANKING_MEASURES", "RankingMeasure"]

RANKING_MEASURES: dict[str, RankingMeasure] = {
    RECALL.name: RECALL,
    NDCG.name: NDCG,
    PRECISION.name: PRECISION,
}
