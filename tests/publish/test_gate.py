"""The gate, the bound on the loss, and an operator's word: what is not let through is not served."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.cli import main
from stream.errors import PublishError, VersionDamaged
from stream.publish.follow import follow
from stream.publish.gate import Bounds, Scored, compare
from stream.publish.operate import promote, roll_back
from stream.publish.pointer import read_pointer
from stream.publish.snapshot import Snapshot
from stream.records.interaction import Interaction
from tests.publish.made_models import MadeModel, assert_equal, equal
from tests.publish.publishing import Publishing

BOUNDS = Bounds(loss=0.02, calibration=0.1, events=1)


def scored(log_odds: list[list[float]], names: Sequence[str] = ("a", "b")) -> Scored:
    offsets = np.cumsum([0, *map(len, log_odds)])
    offer = np.concatenate([np.arange(len(row)) for row in log_odds])
    return Scored(names, offsets, offer, np.concatenate([np.array(row) for row in log_odds]))


def taking(*labels: tuple[str, ...]) -> list[Interaction]:
    return [Interaction(id=str(at), key=None, ts=0, features={}, labels=taken) for at, taken in enumerate(labels)]


def test_the_loss_is_that_of_the_common_pairs() -> None:
    events = taking(("a",), ("b",))
    one = scored([[1.0, -1.0], [-2.0, 0.5]])
    verdict = compare(one, one, events, BOUNDS)
    wanted = np.mean([np.logaddexp(0, -1), np.logaddexp(0, -1), np.logaddexp(0, -2), np.logaddexp(0, -0.5)])
    assert verdict.passed
    assert (verdict.events, verdict.pairs) == (2, 4)
    assert verdict.loss == pytest.approx(wanted)
    assert verdict.serving_loss == pytest.approx(wanted)
    # Offers stand elsewhere in the other version, and each has one that the other lacks.
    other = scored([[-9.0, -1.0, 1.0], [9.0, 0.5, -2.0]], ("new", "b", "a"))
    mixed = compare(scored([[1.0, -1.0, 5.0], [-2.0, 0.5, 5.0]], ("a", "b", "old")), other, events, BOUNDS)
    assert (mixed.pairs, mixed.loss, mixed.serving_loss) == (4, verdict.loss, verdict.serving_loss)


@pytest.mark.parametrize(
    ("candidate", "passed", "said"),
    [
        ([[2.0, -2.0], [-2.0, 2.0]], True, "its loss is"),
        ([[1.9999, -2.0], [-2.0, 2.0]], True, "its loss is"),
        ([[0.0, -2.0], [-2.0, 2.0]], False, "more, and the bound is 2.0%"),
        ([[np.nan, -2.0], [-2.0, 2.0]], False, "not a finite number"),
        ([[np.inf, -2.0], [-2.0, 2.0]], False, "not a finite number"),
    ],
)
def test_a_candidate_may_be_worse_by_the_bound_and_no_more(
    candidate: list[list[float]], passed: bool, said: str
) -> None:
    verdict = compare(scored(candidate), scored([[2.0, -2.0], [-2.0, 2.0]]), taking(("a",), ("b",)), BOUNDS)
    assert verdict.passed is passed
    assert said in verdict.sentence


def test_promises_that_are_off_by_more_are_refused_even_if_the_loss_is_not() -> None:
    serving = scored([[-2.0, -2.0]] * 10)
    candidate = scored([[-1.5, -1.5]] * 10)
    events = taking(*[("a",)] * 2, *[()] * 8)
    assert not compare(candidate, serving, events, Bounds(loss=10.0, calibration=0.1, events=1)).passed
    assert compare(candidate, serving, events, Bounds(loss=10.0, calibration=10.0, events=1)).passed
    assert compare(serving, candidate, events, Bounds(loss=10.0, calibration=0.1, events=1)).passed


def test_with_too_few_events_nothing_is_compared() -> None:
    verdict = compare(scored([[9.0, 9.0]]), scored([[-9.0, -9.0]]), taking(()), Bounds(0.02, 0.1, 2))
    assert verdict.passed
    assert verdict.loss is None


def by_scale(snapshot: Snapshot, interactions: Sequence[Interaction]) -> Scored:
    """A made-up scorer: the model's `scale` is its log-odds of every pair, and every pair is taken."""
    return scored([[float(snapshot.arrays["scale"])] * 2] * len(interactions))


def begun(directory: Path, scale: float = 2.0, **settings: Any) -> Publishing:
    publishing = Publishing(directory, MadeModel(), scores=by_scale, **{"full_seconds": 10.0, **settings})
    publishing.model.scale[...] = scale
    event = {"id": "e", "key": "k", "ts": 1, "features": {}, "labels": ["a", "b"]}
    publishing.publisher.keep([(b"k", json.dumps(event).encode())] * 5)
    publishing.pass_seconds(1)
    return publishing


def train(publishing: Publishing, scale: float, loss: float = 0.5) -> None:
    publishing.train(loss)
    publishing.model.scale[...] = scale


def test_a_worse_candidate_is_refused_and_the_version_before_it_is_served(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    train(publishing, 2.0)
    publishing.pass_seconds(1)
    good = publishing.model.frozen()
    follower = follow(tmp_path)
    train(publishing, 0.0)
    publishing.pass_seconds(20)
    assert len(publishing.heard.refused) == 1
    assert publishing.heard.states[-1] == "stopped"
    follower.poll()
    assert_equal(follower.snapshot, good)
    assert_equal(follow(tmp_path).snapshot, good)
    for _ in range(4):  # no delta goes out, and candidates are refused, at a bounded rate
        train(publishing, 0.0)
        publishing.pass_seconds(1)
    assert len(publishing.heard.refused) == 1
    train(publishing, 0.0)
    publishing.pass_seconds(5)
    assert len(publishing.heard.refused) == 2
    train(publishing, 2.5)
    publishing.pass_seconds(10)
    assert publishing.heard.published[-1][0] == "full"
    assert_equal(follow(tmp_path).snapshot, publishing.model.frozen())
    train(publishing, 2.5)
    publishing.pass_seconds(1)
    assert publishing.heard.states[-1] == "on"
    assert publishing.heard.published[-1][0] == "delta"
    follower.poll()
    assert_equal(follower.snapshot, publishing.model.frozen())


def test_a_refusal_is_written_down_as_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publishing = begun(tmp_path)
    train(publishing, 0.0)
    publishing.pass_seconds(20)
    assert main(["models", "list", "--directory", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "refused" in said
    assert "over the newest 5 events its loss is 0.69315 nats a pair and that of the serving version 0.12693" in said
    assert main(["models", "show", "2", "--directory", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["gate"]["passed"] is False
    # An operator may know better.
    assert main(["models", "promote", "2", "--directory", str(tmp_path)]) == 0
    assert_equal(follow(tmp_path).snapshot, publishing.model.frozen())


def test_a_model_that_is_no_number_is_refused(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    train(publishing, float("nan"))
    publishing.pass_seconds(20)
    assert publishing.heard.refused == ["a score of the candidate is not a finite number"]


def test_after_a_restart_the_candidate_is_compared_with_what_is_served(tmp_path: Path) -> None:
    first = begun(tmp_path)
    good = first.model.frozen()
    first.publisher.close()
    second = begun(tmp_path, scale=0.0)
    assert len(second.heard.refused) == 1
    assert_equal(follow(tmp_path).snapshot, good)


def test_without_events_the_windowed_losses_are_compared(tmp_path: Path) -> None:
    first = Publishing(tmp_path, MadeModel())
    first.train(0.5)
    first.pass_seconds(1)
    first.publisher.close()
    second = Publishing(tmp_path, MadeModel(seed=1))
    second.train(0.9)
    second.pass_seconds(1)
    assert "its windowed loss is 0.90000" in second.heard.refused[0]
    second.train(0.6)
    second.pass_seconds(100)
    assert_equal(follow(tmp_path).snapshot, second.model.frozen())


def test_a_loss_beyond_its_bound_stops_deltas_until_a_full_version_has_passed(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    train(publishing, 2.0, loss=0.5)
    publishing.pass_seconds(20)
    assert publishing.heard.published[-1][0] == "full"
    train(publishing, 2.0, loss=0.6)
    publishing.pass_seconds(1)
    assert publishing.heard.published[-1][0] == "delta"
    served = len(publishing.heard.published)
    good = publishing.model.frozen()
    train(publishing, 0.0, loss=0.7)
    publishing.pass_seconds(1)
    assert publishing.heard.states[-1] == "stopped"
    assert len(publishing.heard.refused) == 1, "a full version is tried at once"
    assert len(publishing.heard.published) == served
    assert_equal(follow(tmp_path).snapshot, good)
    # The world has changed for good: the candidate is not worse than what is served, so it becomes the reference.
    train(publishing, 2.0, loss=0.7)
    publishing.pass_seconds(20)
    train(publishing, 2.0, loss=0.7)
    publishing.pass_seconds(1)
    assert publishing.heard.states[-1] == "on"
    assert_equal(follow(tmp_path).snapshot, publishing.model.frozen())


def test_a_rollback_is_one_command_and_lasts_until_the_next_promotion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publishing = begun(tmp_path)
    first = publishing.model.frozen()
    follower = follow(tmp_path)
    for _ in range(30):
        train(publishing, 2.0)
        publishing.pass_seconds(1)
    follower.poll()
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    assert pointer.full is not None
    assert pointer.full.version > 1
    arguments = ["models", "rollback", "1", "--directory", str(tmp_path), "--reason", "it dreams"]
    assert main(arguments) == 0
    assert "held since" in capsys.readouterr().out
    taken = follower.poll()
    assert taken is not None
    assert_equal(follower.snapshot, first)
    for _ in range(30):
        train(publishing, 2.0)
        publishing.pass_seconds(1)
    assert publishing.heard.states[-1] == "held"
    assert follower.poll() is None
    assert follower.version == 1
    publishing.publisher.close()
    again = begun(tmp_path)  # a restart does not end it
    for _ in range(30):
        train(again, 2.0)
        again.pass_seconds(1)
    assert follower.poll() is None
    assert_equal(follow(tmp_path).snapshot, first)
    assert main(["models", "promote", "--directory", str(tmp_path)]) == 0
    taken = follower.poll()
    assert taken is not None
    assert follower.version > 30
    train(again, 2.0)
    again.pass_seconds(2)
    again.pass_seconds(2)
    follower.poll()
    assert_equal(follower.snapshot, again.model.frozen())


def test_a_rollback_without_a_number_is_to_the_full_version_before(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    with pytest.raises(PublishError, match="no full version before"):
        roll_back(tmp_path, "x")
    first = publishing.model.frozen()
    train(publishing, 2.0)
    publishing.pass_seconds(20)
    assert not equal(follow(tmp_path).snapshot, first)
    assert roll_back(tmp_path, "x").version == 1
    assert_equal(follow(tmp_path).snapshot, first)


def test_nothing_is_promoted_that_is_not_there_or_not_whole(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    train(publishing, 2.0)
    publishing.pass_seconds(20)
    before = (tmp_path / "current.json").read_bytes()
    with pytest.raises(PublishError, match="has no full version 9"):
        promote(tmp_path, 9)
    path = tmp_path / "full-000000000001.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(VersionDamaged):
        roll_back(tmp_path, "x", 1)
    assert (tmp_path / "current.json").read_bytes() == before


@pytest.mark.parametrize("action", ["list", "show", "promote", "rollback"])
def test_a_directory_without_versions_is_said_to_be_one(
    tmp_path: Path, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", action, "--directory", str(tmp_path)]) == PublishError.exit_code
    assert "no model version was ever published" in capsys.readouterr().err
    assert main(["models", action]) == 2
    assert "publish.directory is not set" in capsys.readouterr().err


def test_what_publishing_costs_is_bounded_by_construction(tmp_path: Path) -> None:
    """Each copy takes 0.2 s of a clock that the test sets: at most one such publication more than 5 % of the time."""
    publishing = begun(tmp_path, delta_seconds=0.5, share=0.05, full_seconds=20.0)
    snapshot, cpu = publishing.model.snapshot, [0.0]

    def costly() -> Snapshot:
        cpu[0] += 0.2
        return snapshot()

    publishing.publisher._snapshot = costly
    publishing.publisher._cpu_clock = lambda: cpu[0]
    began, spent = publishing.now, publishing.heard.cpu_seconds
    for _ in range(4000):
        train(publishing, 2.0)
        publishing.publisher.schema_applied()  # each of them urgent
        publishing.now += 0.1
        publishing.publisher.tend()
        publishing.settle()
    passed = publishing.now - began
    cost = publishing.heard.cpu_seconds - spent
    published = len(publishing.heard.published)
    assert published > 20
    # What was saved up, what may be owed, one delta and one full version.
    assert cost <= 0.05 * passed + 2 * 1.0 + 1.0 + 2 * 0.3


def test_a_refusal_that_is_quicker_than_the_delta_beside_it_takes_that_back_all_the_same(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    good = publishing.model.frozen()
    write = publishing.store.write

    def slow(kind: str, *arguments: Any) -> Any:
        if kind == "delta":
            time.sleep(0.5)
        return write(kind, *arguments)

    publishing.store.write = slow  # type: ignore[method-assign, assignment]
    train(publishing, 0.0)
    publishing.pass_seconds(20)
    assert len(publishing.heard.refused) == 1
    assert_equal(follow(tmp_path).snapshot, good)
