"""Drift of the loss, and a detector that a checkpoint carries exactly."""

import random

import pytest

from stream.evaluation import DriftSettings, LossDrift
from stream.evaluation import drift as drift_module
from stream.state import decode, encode


def _losses(count: int, mean: float, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [max(0.0, rng.gauss(mean, 0.02)) for _ in range(count)]


def test_a_shift_of_the_mean_loss_is_drift_and_is_seen_once() -> None:
    drift = LossDrift(DriftSettings())
    assert not drift.update(_losses(2000, 0.06))
    assert drift.update(_losses(1000, 0.2, seed=2))
    assert drift.detections == 1
    assert not drift.update(_losses(3000, 0.2, seed=3))


def test_a_loss_that_only_scatters_is_no_drift() -> None:
    assert not LossDrift(DriftSettings()).update(_losses(20_000, 0.06))


@pytest.mark.parametrize("cut", [0, 1, 999, 1500, 2003, 2100, 2999])
def test_a_resumed_detector_equals_the_one_that_went_on(cut: int) -> None:
    losses = _losses(2000, 0.06) + _losses(1000, 0.2, seed=2)
    through = LossDrift(DriftSettings())
    through.update(losses[:cut])
    resumed = LossDrift(DriftSettings())
    resumed.restore(decode(encode(through.state())))
    for loss in losses[cut:]:
        assert resumed.update([loss]) == through.update([loss])
    assert resumed.detections == through.detections == 1
    assert encode(resumed.state()) == encode(through.state())
    assert dict(resumed.named_state()) == dict(through.named_state())


def test_batches_do_not_show_in_the_state() -> None:
    losses = _losses(2000, 0.06) + _losses(1000, 0.2, seed=2)
    whole, single = LossDrift(DriftSettings()), LossDrift(DriftSettings())
    whole.update(losses)
    for loss in losses:
        single.update([loss])
    assert dict(whole.named_state()) == dict(single.named_state())


def test_memory_grows_with_the_logarithm_of_the_window() -> None:
    drift = LossDrift(DriftSettings())
    sizes = []
    for _ in range(2):
        drift.update(_losses(20_000, 0.06))
        sizes.append(drift.state()["window"].size)
    assert drift.detections == 0
    assert sizes[1] < sizes[0] + 400


def test_a_window_of_another_version_of_river_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    drift = LossDrift(DriftSettings())
    drift.update(_losses(2000, 0.06) + _losses(1000, 0.2, seed=2))
    state = drift.state()
    monkeypatch.setattr(drift_module, "version", lambda _: "another")
    restored, fresh = LossDrift(DriftSettings()), LossDrift(DriftSettings())
    restored.restore(state)
    assert restored.detections == 1
    assert restored.state()["window"].tobytes() == fresh.state()["window"].tobytes()
