"""On a stream whose truth is known, the loss falls towards the least that can be expected."""

from __future__ import annotations

import json

from stream.data.synthetic import SyntheticEvent, SyntheticSettings, generate
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction, decode_interaction
from stream.schema import parse_version
from stream.settings.learner import LearnerSettings


def test_the_excess_over_the_true_loss_falls_below_a_third() -> None:
    learner = LearnerCore(LearnerSettings(seed=1))
    stream = SyntheticSettings(
        seed=4, events=3_000, numeric=6, categorical=2, values=8, users=40, offers=10, groups=3, positives=2.0
    )
    waiting: list[Interaction] = []
    model: list[float] = []
    truth: list[float] = []
    for item in generate(stream):
        if not isinstance(item, SyntheticEvent):
            learner.apply(parse_version(json.dumps(item).encode()))
            continue
        waiting.append(decode_interaction(json.dumps(item.interaction).encode()))
        truth.append(item.realised / item.pairs)
        if len(waiting) == 50:
            report = learner.learn(learner.encode(waiting))
            model += [score.bce_sum / score.bce_pairs for score in report.scores]
            waiting.clear()
    tenth = len(model) // 10
    excess = [
        sum(model[start : start + tenth]) / tenth - sum(truth[start : start + tenth]) / tenth
        for start in (0, len(model) - tenth)
    ]
    assert excess[1] > -0.02, "better than the truth: the score was given after the training"
    assert excess[1] < excess[0] / 3
