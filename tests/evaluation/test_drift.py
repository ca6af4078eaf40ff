"""Drift of the loss, and a detector that a checkpoint carries exactly."""

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from river.drift import ADWIN

from stream.evaluation import DriftSettings, LossDrift
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
    assert sizes[1] < sizes[0] + 20


@pytest.mark.parametrize("delta", [0.0005, 0.002, 0.3])
@pytest.mark.parametrize(("clock", "grace"), [(32, 100), (1, 10), (7, 1)])
@pytest.mark.parametrize("kind", ["shift", "slope", "noise", "steps", "constant", "large"])
def test_drift_is_detected_where_river_detects_it(delta: float, clock: int, grace: int, kind: str) -> None:
    rng = random.Random(f"{kind}{delta}{clock}")
    course: Callable[[int], float] = {
        "shift": lambda i: rng.gauss(0.06 if i < 1500 else 0.09, 0.02),
        "slope": lambda i: rng.gauss(0.06 + i * 1e-4, 0.02),
        "noise": lambda i: rng.expovariate(10.0),
        "steps": lambda i: float(i // 400 % 3) + rng.random(),
        "constant": lambda i: 0.25,
        "large": lambda i: rng.gauss(1e9 * (1 + i // 1000), 1e8),
    }[kind]
    ours = LossDrift(DriftSettings(delta=delta, check_every_events=clock, grace_events=grace))
    theirs: Any = ADWIN(delta=delta, clock=clock, grace_period=grace)  # type: ignore[no-untyped-call]
    detected: tuple[list[int], list[int]] = ([], [])
    for index in range(3000):
        value = course(index)
        if ours.update([value]):
            detected[0].append(index)
        theirs.update(value)
        if theirs.drift_detected:
            detected[1].append(index)
        assert ours._adwin._width == (0 if theirs.drift_detected else theirs.width)
    assert detected[0] == detected[1]
    if kind in ("steps", "large"):
        assert len(detected[0]) >= 2


def test_training_imports_neither_river_nor_what_it_brings() -> None:
    code = "import sys, stream; stream.Learner; print(sorted({'river', 'pandas'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
