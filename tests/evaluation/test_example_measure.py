"""A measure of rankings is a file and a line: one that lives here alone is told of wherever the others are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.evaluation import Evaluation, EvaluationSettings
from stream.evaluation.measures import RANKING_MEASURES, RankingMeasure
from stream.metrics.catalogue import contested_gauges, quality_gauges
from tests.evaluation.histories import Event, Teller


def _reciprocal_rank(hits: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    first = hits.argmax(1) + 1
    return np.where(hits.any(1), 1.0 / first, 0.0)


EXAMPLE = RankingMeasure("reciprocal_rank_at_5", "Prequential reciprocal rank at 5", _reciprocal_rank)


@pytest.mark.parametrize("finite", [False, True])
def test_a_measure_of_its_own_is_in_scores_windows_sums_summary_and_metrics(
    monkeypatch: pytest.MonkeyPatch, finite: bool
) -> None:
    monkeypatch.setitem(RANKING_MEASURES, EXAMPLE.name, EXAMPLE)
    teller = Teller(Evaluation(EvaluationSettings(finite=finite)), batch=2)
    teller.tell([("add", name, {}) for name in "abcdefgh"])
    logits = {name: float(-place) for place, name in enumerate("abcdefgh")}
    every = set(logits)
    teller.tell([Event("1", "k", 0, 1, every, {"b"}, logits), Event("2", "k", 1, 1, every, {"d", "h"}, logits)])
    found = [score.quality.reciprocal_rank_at_5 for score in teller.scores if score.quality]
    assert found == [1 / 2, 1 / 4]
    evaluation = teller.evaluation
    assert evaluation.window().reciprocal_rank_at_5 == evaluation.lifetime().reciprocal_rank_at_5 == 3 / 8
    summary = evaluation.summary()
    for part in (summary["model"], summary["model"]["contested"]):
        assert part["reciprocal_rank_at_5"] == 3 / 8
        assert part["recall_at_5"] == 3 / 4
    # Of equal scores the first by name comes first, and what was taken once before.
    assert summary["baselines"]["popularity"]["reciprocal_rank_at_5"] == pytest.approx((1 / 2 + 1 / 4) / 2)
    (gauge,), (contested,) = quality_gauges([EXAMPLE]), contested_gauges([EXAMPLE])
    assert (gauge.name, contested.name) == (
        "stream_reciprocal_rank_at_5",
        "stream_contested_reciprocal_rank_at_5",
    )
    resumed = Evaluation(EvaluationSettings(finite=finite))
    resumed.restore(evaluation.state())
    assert resumed.summary() == summary
