"""One path, not two: files and the embedded log, with and without kills, end in one state, bit for bit.

In one process, so in seconds; `tests/end_to_end` does the same with processes, signals and Kafka.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stream.data.synthetic.files import write
from stream.data.synthetic.scenarios import scenario
from stream.learner.core import LearnerCore
from stream.log.embedded import EmbeddedTopic
from stream.log.produce import in_order, produce
from stream.log.settings import KafkaSettings, LogSettings, TopicSettings
from stream.log.writer import writing
from stream.observe import Observer, Step
from stream.service import endpoints
from stream.service.endpoints import Endpoints
from stream.service.start import open_service
from stream.settings.load import load
from stream.settings.root import Settings

SAME = ("events_read", "events_trained", "events_dead_lettered", "ids_digest", "state_digest", "warmups", "model")
NOT_THE_CUT = tuple(name for name in SAME if name != "model")
ASSIGNMENTS = ("batch_size=32", "batch_age_seconds=0", "idle_seconds=0.3", "checkpoint.every_events=100")

Opening = Callable[[], AbstractContextManager[Endpoints]]


class Killed(Exception):
    """What stands for a SIGKILL in the middle of a step."""


@pytest.fixture(scope="module")
def stream_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Events with ten changes of their schema, a few invalid lines among them."""
    directory = tmp_path_factory.mktemp("stream")
    written = write(directory, scenario("ten_changes", events=600))
    lines = written.interactions.read_bytes().splitlines()
    for index in (7, 8, 150, 151, 399):
        lines.insert(index, b'{"id": "broken"}')
    written.interactions.write_bytes(b"\n".join(lines) + b"\n")
    return written.interactions, written.schema


@pytest.fixture(scope="module")
def from_files(stream_files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    letters = tmp_path_factory.mktemp("letters") / "dead-letters.jsonl"
    settings = load(Settings, assignments=[*ASSIGNMENTS, f"dead_letters.file={letters}"])
    found = served(lambda: endpoints.files(settings, *stream_files, None), settings)
    assert (found["events_trained"], found["events_dead_lettered"]) == (600, 5)
    assert found["warmups"] > 0
    return found


def served(opening: Opening, settings: Settings, kills: int = 0) -> dict[str, Any]:
    """Serve to the end, after so many processes that died inside a training step; return what has to be the same."""
    chance = random.Random(5)
    for left in range(kills, -1, -1):
        with opening() as opened:

            def learner(tree: dict[str, Any] | None, dies: bool = left > 0) -> LearnerCore:
                made = LearnerCore(settings) if tree is None else LearnerCore.from_state(tree, settings)
                if dies:
                    die_after(made, chance.randint(3, 8))
                return made

            try:
                summary = open_service(opened, settings, learner, Observer(), stop_at_end=True).run()
            except Killed:
                continue
            return {name: summary[name] for name in SAME}
    raise AssertionError("the last process was not to die")


def die_after(learner: LearnerCore, batches: int) -> None:
    learn, left = learner.learn, [batches]

    def dying(batch: Any) -> Any:
        report = learn(batch)
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return report

    learner.learn = dying  # type: ignore[method-assign]


def fill(files: tuple[Path, Path], kafka: KafkaSettings, log: LogSettings, topics: TopicSettings) -> None:
    with writing(kafka, log, topics) as writers, files[0].open("rb") as interactions, files[1].open("rb") as schema:
        produce(in_order(interactions, schema), writers)


@pytest.mark.parametrize("kills", [0, 4])
def test_files_resumed_from_checkpoints_equal_one_pass(
    tmp_path: Path, stream_files: tuple[Path, Path], from_files: dict[str, Any], kills: int
) -> None:
    settings = load(Settings, assignments=ASSIGNMENTS)
    assert served(lambda: endpoints.files(settings, *stream_files, tmp_path), settings, kills) == from_files


@pytest.fixture
def embedded(tmp_path: Path, stream_files: tuple[Path, Path]) -> Settings:
    directory = tmp_path / "log"
    for topic in ("interactions", "feature-schema"):
        EmbeddedTopic.create(directory, topic)
    fill(stream_files, KafkaSettings(), LogSettings(str(directory)), TopicSettings())
    extra = (f"log.directory={directory}", f"checkpoint.directory={tmp_path / 'checkpoints'}")
    return load(Settings, assignments=[*ASSIGNMENTS, *extra])


@pytest.mark.parametrize("kills", [0, 4])
def test_the_embedded_log_equals_files(embedded: Settings, from_files: dict[str, Any], kills: int) -> None:
    assert served(lambda: endpoints.live(embedded), embedded, kills) == from_files


def test_a_service_that_a_finite_pass_ends_has_the_digest_of_a_pass_and_says_that_its_measures_are_of_its_life(
    embedded: Settings, stream_files: tuple[Path, Path], from_files: dict[str, Any], tmp_path: Path
) -> None:
    """A service keeps no sums for the cut of the first fifth, so they can be no part of the digest."""
    finite = replace(embedded, evaluation=replace(embedded.evaluation, finite=True))
    assert opened_service(embedded, stop_after=300)["events_trained"] == 300
    resumed = opened_service(finite)
    with endpoints.files(finite, *stream_files, tmp_path / "pass") as files:
        whole = open_service(files, finite, lambda tree: LearnerCore(finite), Observer()).run()
    assert {name: resumed[name] for name in NOT_THE_CUT} == {name: from_files[name] for name in NOT_THE_CUT}
    assert whole["state_digest"] == resumed["state_digest"]
    assert (whole["first_fifth_left_out"], resumed["first_fifth_left_out"]) == (True, False)
    assert resumed["model"] == from_files["model"] != whole["model"]


def opened_service(settings: Settings, stop_after: int | None = None) -> dict[str, Any]:
    """Serve to the end, or as one that runs for ever until it has trained so many events and is asked to stop."""

    class Stopper(Observer):
        def trained(self, step: Step) -> None:
            if stop_after is not None and step.report.events_trained_total >= stop_after:
                service.stop()

    def learner(tree: dict[str, Any] | None) -> LearnerCore:
        return LearnerCore(settings) if tree is None else LearnerCore.from_state(tree, settings)

    with endpoints.live(settings) as opened:
        service = open_service(opened, settings, learner, Stopper(), stop_at_end=stop_after is None)
        return service.run()
