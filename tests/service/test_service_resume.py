"""What a restart goes on from, and that it ends where an uninterrupted run ends, bit for bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import (
    CheckpointMissing,
    ConfigurationError,
    DeadLetterBurst,
    Fenced,
    NonFinite,
    OffsetOutOfRange,
    StreamError,
    TopicMadeAnew,
)
from stream.report import BatchReport
from stream.service import align, intake
from stream.testing import MemoryCommitLog, MemoryLog, MemorySource
from tests.service.counting_learner import CountingLearner, event, version
from tests.service.serving import Run


def filled(events: int = 50, partitions: int = 1, invalid: tuple[int, ...] = ()) -> MemoryLog:
    """Return a log of that many records, those at the indices `invalid` invalid, and a version every ten."""
    log = MemoryLog(partitions)
    for number in range(1, events // 10 + 2):
        log.publish(version(number, (number - 1) * 10))
    for index in range(events):
        log.send(b"broken" if index in invalid else event(f"e{index}", index), index % partitions)
    return log


def outcome(summary: dict[str, Any], log: MemoryLog) -> dict[str, Any]:
    """Return what must not depend on kills."""
    kept = ("events_read", "events_trained", "events_dead_lettered", "ids_digest", "state_digest")
    letters = [
        (letter.topic, letter.partition, letter.offset, letter.reason, letter.value) for letter in log.dead_letters
    ]
    return {**{key: summary[key] for key in kept}, "letters": sorted(letters)}


class Killed(Exception):
    """What a test raises in place of SIGKILL: nothing is cleaned up but what the kernel would."""


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_kills_at_any_step_of_a_checkpoint_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    invalid = tuple(data.draw(st.sets(st.integers(0, 49), max_size=8)))
    whole = filled(invalid=invalid)
    expected = outcome(Run(whole, None).run(), whole)

    log = filled(invalid=invalid)
    directory: Path = tmp_path_factory.mktemp("checkpoints")
    predictions = directory / "predictions.jsonl"
    every = f"checkpoint.every_events={data.draw(st.integers(1, 20))}"
    for _ in range(data.draw(st.integers(1, 4))):
        run = Run(log, directory, every, predictions=predictions)
        where = data.draw(st.sampled_from(["write", "written", "committed", "learn"]))
        after = data.draw(st.integers(0, 6))
        _kill_at(run, where, after)
        try:
            run.run()
        except Killed:
            run.die()
    run = Run(log, directory, every, predictions=predictions)
    assert outcome(run.run(), log) == expected
    lines = [json.loads(line)["id"] for line in predictions.read_bytes().splitlines()]
    assert lines == [f"e{index}" for index in range(50) if index not in invalid]
    assert not list(directory.glob("*.tmp"))


def _kill_at(run: Run, where: str, after: int) -> None:
    """Make the run die at the given visit of a place."""
    assert run.store is not None
    target: Any = {"write": run.store, "written": run.commit_log, "committed": run.store, "learn": run.learner}[where]
    method = {"write": "write", "written": "commit", "committed": "promote", "learn": "learn"}[where]
    original = getattr(target, method)
    visits = 0

    def dying(*arguments: Any) -> Any:
        nonlocal visits
        visits += 1
        if visits > after:
            raise Killed
        return original(*arguments)

    setattr(target, method, dying)


def test_dead_letters_inside_a_half_filled_batch_wait_for_it(tmp_path: Path) -> None:
    log = filled(3, invalid=(1,))
    run = Run(log, tmp_path, stop_at_end=False)
    run.service._step()
    run.service.stop()
    run.run()
    assert (log.commits[-1].offsets, log.dead_letters) == ({0: 0}, [])
    summary = Run(log, tmp_path).run()
    assert summary["events_read"] == 3
    assert [letter.offset for letter in log.dead_letters] == [1]
    assert log.commits[-1].offsets == {0: 3}


def test_a_stop_leaves_the_half_filled_batch_unread(tmp_path: Path) -> None:
    log = filled(10)
    run = Run(log, tmp_path, stop_at_end=False)
    run.service._step()
    run.service.stop()
    assert run.run()["events_trained"] == 8
    assert log.commits[-1].offsets == {0: 8}
    assert Run(log, tmp_path).run()["state_digest"] == Run(filled(10), None).run()["state_digest"]


def test_a_batch_is_trained_when_its_first_event_is_old_enough() -> None:
    log = filled(2)
    log.later(0.7, event("e2", 2), 0)
    log.later(1.5, event("e3", 3), 0)
    run = Run(log, None, "batch_age_seconds=1.0")
    run.run()
    assert run.learner.batches == [(1, ["e0", "e1", "e2"]), (1, ["e3"])]


def test_the_first_checkpoint_fixes_where_a_learner_began(tmp_path: Path) -> None:
    log = filled(20)
    run = Run(log, tmp_path, "start=latest", stop_at_end=False)
    run.service.stop()
    run.run()
    for index in range(20, 25):
        log.send(event(f"e{index}", index))
    later = Run(log, tmp_path, "start=latest")
    assert later.run()["events_trained"] == 5


def test_seconds_are_summed_over_restarts(tmp_path: Path) -> None:
    log = filled(20)
    first = Run(log, tmp_path, "idle_seconds=3").run()["seconds"]
    assert first == pytest.approx(3.0, abs=0.3)
    log.clock.sleep(1000)
    assert Run(log, tmp_path, "idle_seconds=3").run()["seconds"] == pytest.approx(2 * first, abs=0.3)


def test_a_fenced_learner_leaves_its_directory_as_it_was(tmp_path: Path) -> None:
    log = filled(20)
    predictions = tmp_path / "predictions.jsonl"
    old = Run(log, tmp_path / "old", predictions=predictions)
    old.service.saving.begin()
    before = {path: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    (tmp_path / "new").mkdir()
    for path, content in before.items():
        (tmp_path / "new" / path.name).write_bytes(content)
    new = Run(log, tmp_path / "new")
    with pytest.raises(Fenced):
        old.run()
    assert {path: path.read_bytes() for path in (tmp_path / "old").iterdir()} == before
    assert predictions.read_bytes() == b""
    assert new.run()["events_trained"] == 20


@pytest.mark.parametrize(
    ("assignment", "error"),
    [
        ("batch_age_seconds=1", CheckpointMissing),
        ("seed=1", ConfigurationError),
        ("topics.interactions=others", ConfigurationError),
    ],
    ids=["an empty directory", "another seed", "another topic"],
)
def test_a_start_that_cannot_succeed_leaves_a_healthy_learner_alone(
    tmp_path: Path, assignment: str, error: type[StreamError]
) -> None:
    log = filled(20)
    healthy = Run(log, tmp_path / "healthy")
    healthy.service.saving.begin()
    if error is ConfigurationError:
        shutil.copytree(tmp_path / "healthy", tmp_path / "wrong")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MemorySource, "topic", "others" if "topic" in assignment else "interactions")
        with pytest.raises(error):
            Run(log, tmp_path / "wrong", assignment)
    assert healthy.run()["events_trained"] == 20


def test_a_commit_that_comes_between_the_look_and_the_takeover_counts(tmp_path: Path) -> None:
    """The look finds a checkpoint that is here; what the takeover finds is another machine's."""
    log = filled(20)
    elsewhere = Run(log, tmp_path / "elsewhere")
    elsewhere.service.saving.begin()
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "here")
    stale = log.commits[-1]
    elsewhere.service._step()
    elsewhere.service.saving.begin()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MemoryCommitLog, "newest", lambda *_: stale)
        with pytest.raises(CheckpointMissing):
            Run(log, tmp_path / "here")


def test_a_commit_on_its_way_is_waited_for_before_a_checkpoint_counts_as_missing(tmp_path: Path) -> None:
    log = filled(20)
    first = Run(log, tmp_path, "checkpoint.keep=1")
    first.service.saving.begin()
    unsettled = log.commits[-1]
    first.service._step()
    first.service.saving.begin()
    first.die()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MemoryCommitLog, "newest", lambda self, wait=False: log.commits[-1] if wait else unsettled)
        assert Run(log, tmp_path).run()["events_trained"] == 20


def test_a_learner_that_was_stopped_asks_before_it_writes(tmp_path: Path) -> None:
    log = filled(20)
    old = Run(log, tmp_path)
    old.service.saving.begin()
    log.clock.sleep(600)  # SIGSTOP ... SIGCONT
    log.epoch += 1
    assert old.store is not None
    old.store.write = None  # type: ignore[assignment]  # to write is to fail
    with pytest.raises(Fenced):
        old.run()


def test_an_idle_learner_notices_that_it_was_replaced(tmp_path: Path) -> None:
    log = filled(8)
    run = Run(log, tmp_path, "checkpoint.every_seconds=10", stop_at_end=False)
    run.service.saving.begin()
    run.service._step()
    run.service.saving.begin()
    log.epoch += 1
    with pytest.raises(Fenced):
        run.run()


def test_a_burst_of_invalid_records_stops_the_process_and_drains_nothing(tmp_path: Path) -> None:
    log = filled(30)
    for _ in range(40):
        log.send(b"not an event")
    limits = ("dead_letters.burst_events=10", "dead_letters.burst_window_events=20")
    for _ in range(3):
        with pytest.raises(DeadLetterBurst, match="not_json"):
            Run(log, tmp_path, "checkpoint.every_events=4", *limits).run()
    assert log.dead_letters == []
    assert log.commits[-1].offsets[0] <= 30
    assert Run(log, tmp_path, "dead_letters.burst_events=100").run()["events_dead_lettered"] == 40


def test_a_restart_loop_drains_no_topic(tmp_path: Path) -> None:
    log = filled(4)
    for index in range(400):
        log.send(b"bad" if index % 5 else event(f"x{index}", 4 + index))
    limits = (
        "dead_letters.burst_events=10",
        "dead_letters.burst_window_events=20",
        "checkpoint.every_events=1",
        "batch_size=1",
    )
    for _ in range(5):
        with pytest.raises(DeadLetterBurst):
            Run(log, tmp_path, *limits).run()
    assert len(log.dead_letters) <= 10


def test_a_model_that_is_not_finite_is_never_checkpointed(tmp_path: Path) -> None:
    log = filled(20)

    class Diverging(CountingLearner):
        def learn(self, batch: Any) -> BatchReport:
            if self.events >= 8:
                raise NonFinite("the loss is NaN")
            return super().learn(batch)

    run = Run(log, tmp_path, "checkpoint.every_events=4")
    run.service._learner = Diverging()
    with pytest.raises(NonFinite):
        run.run()
    assert log.commits[-1].offsets == {0: 8}


def test_rejected_versions_are_dead_letters_of_the_schema_topic_and_stay_known(tmp_path: Path) -> None:
    log = filled(8)
    log.publish(version(2, 3, [{"op": "remove_feature", "name": "never"}]))
    log.versions = [log.versions[0], log.versions[-1]]
    log.versions = [type(r)(r.topic, 0, offset, None, r.value, None) for offset, r in enumerate(log.versions)]
    summary = Run(log, tmp_path).run()
    assert (summary["events_read"], summary["events_dead_lettered"]) == (8, 0)
    assert [(letter.topic, letter.offset, letter.reason) for letter in log.dead_letters] == [
        ("feature-schema", 1, "feature_absent")
    ]
    again = Run(log, tmp_path)
    assert again.service._progress.rejection is not None
    assert again.service._progress.rejection[:2] == (2, "feature_absent")
    log.publish(version(2, 3))
    again.run()
    assert again.service._progress.rejection is None


def test_a_missing_checkpoint_is_an_error_or_a_policy(tmp_path: Path) -> None:
    log = filled(40, invalid=(1, 30))
    expected = Run(filled(40, invalid=(1, 30)), None).run()["state_digest"]
    Run(log, tmp_path / "here", "checkpoint.every_events=8", "checkpoint.keep=99").run()
    newest = max((tmp_path / "here").glob("*.ckpt"))
    newest.unlink()
    with pytest.raises(CheckpointMissing, match=r"checkpoint\.missing"):
        Run(log, tmp_path / "here")
    stopped = Run(log, tmp_path / "here", "checkpoint.missing=newest", stop_at_end=False)
    stopped.service.stop()
    stopped.run()
    Run(
        log, tmp_path / "here", stop_at_end=False
    ).die()  # the log's commit names what was restored, so nothing is missing
    older = Run(log, tmp_path / "here", "checkpoint.missing=newest")
    assert older.run()["state_digest"] == expected
    scratch = Run(log, tmp_path / "empty", "checkpoint.missing=scratch")
    assert scratch.run()["state_digest"] == expected
    assert sorted(letter.offset for letter in log.dead_letters) == [1, 30]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    log = filled(40, invalid=(39,))
    expected = Run(filled(40, invalid=(39,)), None).run()["state_digest"]
    Run(log, tmp_path, "checkpoint.every_events=8").run()
    newest = max(tmp_path.glob("*.ckpt"))
    newest.write_bytes(newest.read_bytes()[:-1])
    run = Run(log, tmp_path)
    assert run.source.seeks[0][0] < 40
    assert run.run()["state_digest"] == expected
    assert len(log.dead_letters) == 1


def test_offsets_that_retention_has_deleted_are_an_error_or_a_policy(tmp_path: Path) -> None:
    log = filled(20)
    Run(log, tmp_path).run()
    for index in range(20, 40):
        log.send(event(f"e{index}", index))
    log.beginnings[0] = 30
    with pytest.raises(OffsetOutOfRange):
        Run(log, tmp_path)
    assert Run(log, tmp_path, "checkpoint.lost_offsets=earliest").run()["events_trained"] == 30


def made_anew(log: MemoryLog, ids: tuple[str | None, str | None], events: int) -> None:
    """Put other topics in the place of those of the log; the versions stay as they were."""
    log.topic_ids = ids
    log.records = {0: []}
    for index in range(events):
        log.send(event(f"anew{index}", 100 + index))


def test_a_topic_made_anew_is_seen_by_its_id_before_anybody_is_fenced(tmp_path: Path) -> None:
    log = filled(20)
    log.topic_ids = ("one", "schema")
    Run(log, tmp_path).run()
    made_anew(log, ("two", "schema"), 30)
    fences = log.epoch
    with pytest.raises(TopicMadeAnew, match=r"interactions was made anew.*one and is two.*checkpoint.lost_offsets"):
        Run(log, tmp_path)
    assert log.epoch == fences, "a healthy learner was left alone"
    assert Run(log, tmp_path, "checkpoint.lost_offsets=earliest").run()["events_trained"] == 20 + 30
    assert Run(log, tmp_path).run()["events_trained"] == 50, "once is enough"


def test_of_a_topic_made_anew_only_what_comes_from_now_on_is_trained_where_that_is_wanted(tmp_path: Path) -> None:
    log = filled(20)
    log.topic_ids = ("one", "schema")
    Run(log, tmp_path).run()
    made_anew(log, ("two", "schema"), 30)
    run = Run(log, tmp_path, "checkpoint.lost_offsets=latest")
    log.later(1.0, event("late", 999), 0)
    assert run.run()["events_trained"] == 21


def test_a_crash_right_after_such_a_start_does_not_go_back_to_the_offsets_of_before(tmp_path: Path) -> None:
    log = filled(20)
    log.topic_ids = ("one", "schema")
    Run(log, tmp_path).run()
    made_anew(log, ("two", "schema"), 30)
    run = Run(log, tmp_path, "checkpoint.lost_offsets=latest", stop_at_end=False)
    run.service.stop()
    run.run()
    assert log.commits[-1].offsets == {0: 30}, "the place is fixed before anything is trained"


def test_a_schema_topic_made_anew_is_named_and_read_again_from_its_earliest_record(tmp_path: Path) -> None:
    log = filled(20)
    log.topic_ids = ("one", "schema")
    Run(log, tmp_path).run()
    log.topic_ids = ("one", "another")
    log.publish(version(4, 200))
    log.send(event("last", 200))
    with pytest.raises(TopicMadeAnew, match=r"feature-schema was made anew.*publish there what it held"):
        Run(log, tmp_path)
    run = Run(log, tmp_path, "checkpoint.lost_offsets=earliest")
    assert run.run()["events_trained"] == 21
    assert run.learner.schema.version == 4
    assert log.dead_letters == [], "versions that are as they were are ignored, none is rejected"


def test_where_the_log_has_no_ids_a_partition_that_is_gone_says_that_a_topic_was_made_anew(tmp_path: Path) -> None:
    log = filled(20, partitions=2)
    Run(log, tmp_path).run()
    made_anew(log, (None, None), 5)
    with pytest.raises(TopicMadeAnew, match="has no partition 1 any more"):
        Run(log, tmp_path)
    assert Run(log, tmp_path, "checkpoint.lost_offsets=earliest").run()["events_trained"] == 25


def test_a_partition_that_was_added_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = filled(8)
    Run(log, tmp_path).run()
    log.records[1] = []
    log.send(event("new", 9), 1)
    assert Run(log, tmp_path).run()["events_trained"] == 9


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    log = filled(8)
    Run(log, tmp_path).run()
    with pytest.raises(ConfigurationError, match=r"seed = 1 \(it was 0\)"):
        Run(log, tmp_path, "seed=1")
    Run(log, tmp_path, "evaluation.finite=true", "optimiser.dense_rate=0.5").die()


def test_held_partitions_are_bounded_and_lose_nothing() -> None:
    log = MemoryLog(2)
    log.publish(version(1, 0))
    log.publish(version(2, 10))
    log.send(event("first", 0), 1)
    for index in range(2000):
        log.send(event(f"e{index}", 10 + index), 0)
    log.later(4.0, event("late", 9), 1)
    run = Run(log, None, "held.partition_events=600")
    held: list[int] = []
    regulate = run.service._intake.regulate

    def watched(waiting: dict[int, tuple[int, int]]) -> None:
        held.append(waiting[0][0])
        regulate(waiting)

    run.service._intake.regulate = watched  # type: ignore[method-assign]
    assert run.run()["events_trained"] == 2002
    assert run.learner.lines[:2] == [("first", 1), ("late", 1)]
    assert run.source.ever_paused == {0}
    assert not run.source.paused
    assert max(held) <= 600 + 500  # one fetch beyond the bound


def test_what_is_held_and_what_is_trained_at_once_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """30,827 held events of 200 features took 780 MB for their 96 MB."""
    monkeypatch.setattr(intake, "DECODED_BYTES", 2000)
    monkeypatch.setattr(align, "DECODED_BYTES", 2000)
    log = MemoryLog(3)
    log.publish(version(1, 0))
    log.publish(version(2, 10))
    log.send(event("first", 0), 1)
    for index in range(1000):
        log.send(event(f"e{index:04}", 10 + index), 0)
        log.send(event(f"f{index:04}", 10 + index), 2)
    log.later(4.0, event("late", 9), 1)
    size = len(event("e0000", 10))
    bound = 600 * (size + intake.RECORD_BYTES)
    run = Run(log, None, f"held.process_bytes={bound}", "batch_size=64", f"held.batch_bytes={10 * size}")
    held: list[int] = []
    decoded: list[int] = []
    regulate = run.service._intake.regulate

    def watched(waiting: dict[int, tuple[int, int]]) -> None:
        held.append(sum(events for events, _ in waiting.values()))
        queues = run.service._aligner._queues.values()
        decoded.append(sum(item.size_bytes for queue in queues for item in queue if not item.packed))
        assert decoded[-1] == run.service._aligner._decoded_bytes
        regulate(waiting)

    run.service._intake.regulate = watched  # type: ignore[method-assign]
    assert run.run()["events_trained"] == 2002
    assert run.learner.lines[:2] == [("first", 1), ("late", 1)]
    assert sorted(line for line, _ in run.learner.lines[2:]) == sorted(
        f"{letter}{index:04}" for letter in "ef" for index in range(1000)
    )
    assert run.source.ever_paused == {0, 2}
    assert not run.source.paused
    assert 600 <= max(held) <= 600 + 500 + 50  # one fetch beyond the bound, and a small one of the other
    assert 0 < max(decoded) <= 2000
    assert max(len(ids) for _, ids in run.learner.batches) == 10


def test_many_dead_letters_bring_the_checkpoint_forward(tmp_path: Path) -> None:
    log = filled(60, invalid=tuple(range(0, 60, 2)))
    Run(log, tmp_path, "dead_letters.buffer_events=5", "batch_size=1", "checkpoint.every_seconds=9999").run()
    assert len(log.commits) >= 2
    assert len(log.dead_letters) == 30
