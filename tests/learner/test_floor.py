"""The published probability has a floor: on any stream it is about as good as the best expert, and calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from stream.learner.core import LearnerCore
from stream.network.experts import EXPERTS
from stream.records.interaction import Interaction, decode_interaction
from stream.scoring.recommend import recommend
from stream.settings.learner import LearnerSettings
from stream.testing.streams import FEATURES, OFFERS, apply, events, feature, label, learn, restored, settings, trained


def stream(
    rate: float, offers: int, shown: int, signal: float, number: int, jump: float | None = None
) -> tuple[list[dict[str, object]], list[Interaction]]:
    generator = np.random.default_rng(int(1e6 * rate) + offers)
    weights = generator.standard_normal((2, offers))
    changes = [
        feature("x", "numeric"),
        feature("y", "numeric"),
        *(label(f"o{o}", group=f"g{o % 5}") for o in range(offers)),
    ]
    found = []
    for index in range(number):
        chosen = np.sort(generator.choice(offers, shown, replace=False))
        now = jump if jump is not None and index >= number // 2 else rate
        x = generator.standard_normal(2)
        chance = 1 / (1 + np.exp(-(np.log(now / (1 - now)) + signal * x @ weights[:, chosen])))
        taken = tuple(f"o{o}" for o in chosen[generator.random(shown) < chance])
        names = tuple(f"o{o}" for o in chosen)
        features = {"x": float(x[0]), "y": float(x[1])}
        key = f"k{generator.integers(0, 40)}"
        found.append(Interaction(f"e{index}", key, 1_700_000_000_000 + index, features, taken, names, None, 1.0))
    return changes, found


STREAMS = {
    "rare clicks": (0.0005, 20, 1, 0.0, 3000, None),
    "clicks": (0.01, 20, 1, 0.0, 3000, None),
    "no signal": (0.1, 10, 10, 0.0, 1500, None),
    "one offer": (0.3, 1, 1, 0.0, 1500, None),
    "many offers": (0.02, 200, 10, 0.0, 1500, None),
    "signal": (0.1, 10, 5, 1.0, 1500, None),
    "a rate that jumps": (0.002, 20, 3, 0.0, 3000, 0.05),
}


@pytest.mark.parametrize("name", STREAMS)
def test_on_any_stream_it_is_near_the_best_expert_by_that_experts_own_loss(name: str) -> None:
    changes, interactions = stream(*STREAMS[name])
    learner = LearnerCore(LearnerSettings(seed=1))
    apply(learner, *changes)
    scores, taken, published = [], [], 0.0
    for start in range(0, len(interactions), 64):
        batch = learner.encode(interactions[start : start + 64])
        report = learner.learn(batch)
        published += report.loss * report.pairs
        scores.append(report.published)
        taken.append(batch.taken)
    mixture = report.mixture
    best = min(mixture.loss_sums.values())
    assert mixture.loss_sum == pytest.approx(published)
    assert mixture.loss_sum <= 1.003 * best + 5.0
    assert mixture.loss_sum <= best + mixture.regret_bound
    assert sum(mixture.weights.values()) == pytest.approx(1.0)
    chance, outcome = 1 / (1 + np.exp(-np.concatenate(scores))), np.concatenate(taken)
    late = len(chance) // 5
    if STREAMS[name][-1] is not None:  # the jump is learned on the way
        return
    for group in np.array_split(np.argsort(chance[late:], kind="stable") + late, 5):
        expected, spread = chance[group].sum(), np.sqrt((chance[group] * (1 - chance[group])).sum())
        assert abs(outcome[group].sum() - expected) <= max(0.15 * expected, 4 * spread), name


def test_a_recent_rate_follows_a_jump_within_some_hundred_labels() -> None:
    """By events alone, half of what is recent here would still be from before the jump a thousand events later."""
    changes, interactions = stream(0.01, 10, 10, 0.0, 1200, 0.2)
    learner = LearnerCore(LearnerSettings(seed=1))
    apply(learner, *changes)
    for start in range(0, 600, 50):
        learner.learn(learner.encode(interactions[start : start + 50]))
    experts = learner.network.experts
    assert 0.007 < experts.taken / experts.pairs < 0.014
    for start in range(600, 850, 50):
        learner.learn(learner.encode(interactions[start : start + 50]))
    assert 0.15 < experts.taken / experts.pairs < 0.23


def test_what_is_published_ranked_and_recommended_is_the_mixture() -> None:
    learner = trained()
    batch = learner.encode(events(16, first=900))
    predicted = learner.predict(batch)
    assert predicted.scores.dtype == np.float64
    assert not np.allclose(predicted.scores, predicted.logits)
    report = learner.learn(batch)
    first = int(batch.offsets[1])
    assert report.published[:first] == pytest.approx(predicted.scores[:first])
    names = learner.network.layout.offers.offers.names
    by_name = {
        names[slot]: score for slot, score in zip(batch.pair_slot[:first], report.published[:first], strict=True)
    }
    assert dict(report.scores[0].top) == {name: by_name[name] for name, _ in report.scores[0].top}
    line = b'{"id": "r", "key": "k1", "ts": 1700000900000, "features": {"age": 3}}'
    said = recommend(learner, line, 4)["recommendations"]
    asked = learner.predict(learner.encode([decode_interaction(line, labels_optional=True)]))
    chances = dict(zip([names[slot] for slot in asked.batch.pair_slot], 1 / (1 + np.exp(-asked.scores)), strict=True))
    assert dict(said) == pytest.approx(chances)


def test_the_network_trains_on_its_own_logit_whatever_the_mixture_says() -> None:
    one, two = trained(number=96), trained(number=96)
    two.network.experts.mixture.log_weights = np.log(np.linspace(0.1, 0.9, len(EXPERTS)) / 3.5)
    learn(one, events(64, first=300))
    learn(two, events(64, first=300))
    assert one.frozen_digest() == two.frozen_digest()
    assert one.state_digest() != two.state_digest()


def test_weights_do_not_enter_the_mixture() -> None:
    reports = []
    for factor in (1.0, 50.0):
        learner = LearnerCore(settings(hidden=(4,)))
        apply(learner, *FEATURES, *OFFERS)
        stream_of = events(64)
        for number, event in enumerate(stream_of):
            event.weight = factor if number == 40 else 1.0
        reports.append(learn(learner, stream_of)[-1].mixture)
    for name in ("rate", "recent_rate", "offer_rate", "key_counts"):
        assert reports[0].loss_sums[name] == reports[1].loss_sums[name]


@pytest.mark.parametrize("strategy", ["carry", "replace", "scratch", "never", "carry+glmix", "carry+iak"])
def test_the_mixture_lives_through_changes_and_checkpoints(strategy: str) -> None:
    learner = trained(strategy)
    apply(
        learner, feature("extra", "numeric"), label("jam", group="g1"), {"op": "rename_label", "name": "tea", "to": "t"}
    )
    learn(learner, events(32, first=500))
    again = restored(learner)
    assert again.state_digest() == learner.state_digest()
    assert again.report().mixture == learner.report().mixture
    one, two = (learn(each, events(32, first=700))[-1] for each in (learner, again))
    assert np.array_equal(one.published, two.published)
    assert np.isfinite(one.published).all()


def test_an_ignored_offer_keeps_the_priors_probability() -> None:
    learner = trained("never")
    apply(learner, label("jam", group="g1"))
    predictions = learner.predict(learner.encode(events(8, first=600)))
    jam = predictions.batch.pair_slot == learner.network.layout.offers.offers.slot("jam")
    assert 1 / (1 + np.exp(-predictions.scores[jam])) == pytest.approx(learner.settings.network.prevalence)
