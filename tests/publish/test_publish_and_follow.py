"""What is published is what is read: full versions, deltas, tombstones, growth; a reader never sees anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.errors import Fenced, PublishError
from stream.publish.follow import Follower, follow
from stream.publish.operate import roll_back
from stream.publish.pointer import read_pointer
from stream.publish.snapshot import Snapshot
from tests.publish.made_models import MadeModel, assert_equal
from tests.publish.publishing import Publishing


def begun(directory: Path, **settings: Any) -> Publishing:
    publishing = Publishing(directory, MadeModel(), **settings)
    publishing.pass_seconds(1)
    return publishing


def test_a_full_version_and_then_deltas_each_lead_to_the_state_as_it_was(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    follower = follow(tmp_path)
    assert follower.trouble is None
    assert_equal(follower.snapshot, publishing.model.frozen())
    for step in range(20):
        publishing.train()
        if step == 5:
            publishing.model.remove("o7")
        if step == 7:
            publishing.model.add("new")
        if step == 9:
            publishing.model.add("newer")
        if step == 11:
            publishing.model.extra["late"] = np.arange(6.0).reshape(2, 3)
        if step == 15:
            publishing.model.extra.clear()
        publishing.pass_seconds(1)
        taken = follower.poll()
        assert taken is not None, follower.trouble
        assert not taken.full
        assert_equal(follower.snapshot, publishing.model.frozen())
        assert_equal(follow(tmp_path).snapshot, publishing.model.frozen())
        if step == 5:
            assert taken.tombstones == {"offers": ["o7"]}
        if step == 15:
            assert taken.gone == {"late"}
    assert [kind for kind, _ in publishing.heard.published] == ["full", *["delta"] * 20]
    assert not publishing.heard.failures


def test_a_delta_says_which_rows_changed_and_changes_them_in_place(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    follower = follow(tmp_path)
    assert follower.snapshot is not None
    table = follower.snapshot.arrays["table"]
    publishing.model.table[[3, 40]] += 1
    publishing.train()
    publishing.model.table[[3, 40]] += 1
    publishing.pass_seconds(1)
    taken = follower.poll()
    assert taken is not None
    rows = taken.rows["table"]
    assert rows is not None
    assert {3, 40} <= set(rows.tolist())
    assert len(rows) <= 5
    assert taken.snapshot.arrays["table"] is table
    assert taken.rows["dense"] is None
    assert "flags" not in taken.rows
    assert "table" not in taken.replaced


def test_nothing_is_published_if_nothing_was_trained(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    follower = follow(tmp_path)
    for _ in range(5):
        publishing.pass_seconds(1000)
    assert follower.poll() is None
    assert follower.version == 1


def test_a_schema_version_does_not_wait_for_its_turn(tmp_path: Path) -> None:
    publishing = begun(tmp_path, delta_seconds=1000.0)
    publishing.train()
    publishing.pass_seconds(1)
    publishing.train()
    publishing.pass_seconds(1)
    assert publishing.heard.published == [("full", 1), ("delta", 2)]
    publishing.model.add("offer")
    publishing.publisher.schema_applied()
    publishing.pass_seconds(0)
    assert publishing.heard.published[-1] == ("delta", 3)
    follower = follow(tmp_path)
    assert follower.snapshot is not None
    assert "offer" in follower.snapshot.manifest["offers"]


def test_deltas_go_on_while_a_full_version_is_made_and_lead_on_from_it(tmp_path: Path) -> None:
    import threading

    going_on = threading.Event()
    publishing = begun(tmp_path, full_seconds=10.0)
    write = publishing.store.write

    def slow(kind: str, *arguments: object) -> object:
        if kind == "full":
            assert going_on.wait(60)
        return write(kind, *arguments)  # type: ignore[arg-type]

    publishing.store.write = slow  # type: ignore[method-assign, assignment]
    lagging, keen = follow(tmp_path), follow(tmp_path)
    states: list[Snapshot] = []
    publishing.train()
    publishing.now += 20
    publishing.publisher.tend()
    states.append(publishing.model.frozen())
    for _ in range(4):
        running = publishing.publisher._delta
        assert running is not None
        running.future.result()
        publishing.publisher.tend()
        keen.poll()
        assert_equal(keen.snapshot, states[-1])
        publishing.train()
        publishing.model.flags[5] ^= True  # and back again: then it is as it was, but not to who read the delta
        publishing.now += 1
        publishing.publisher.tend()
        states.append(publishing.model.frozen())
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    assert pointer.full is not None
    assert pointer.full.version == 1
    going_on.set()
    publishing.pass_seconds(1)
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    assert pointer.full is not None
    assert pointer.full.version == 2
    for follower in (lagging, keen, follow(tmp_path)):
        full = follower.version == 0
        taken = follower.poll()
        if not full and taken is not None:
            assert not taken.full
        assert_equal(follower.snapshot, states[-1])
    for _ in range(3):
        publishing.train()
        publishing.pass_seconds(1)
        assert lagging.poll() is not None
        assert_equal(lagging.snapshot, publishing.model.frozen())
        assert_equal(follow(tmp_path).snapshot, publishing.model.frozen())
    assert publishing.publisher._shadow.settled


def test_after_a_restart_the_next_version_is_a_full_one_with_a_higher_number(tmp_path: Path) -> None:
    first = begun(tmp_path)
    for _ in range(5):
        first.train()
        first.pass_seconds(1)
    first.publisher.close()
    follower = follow(tmp_path)
    assert follower.version == 6
    behind = MadeModel(seed=0)  # as a checkpoint of before would have it
    second = Publishing(tmp_path, behind)
    second.pass_seconds(1)
    assert second.heard.published == [("full", 7)]
    taken = follower.poll()
    assert taken is not None
    assert taken.full
    assert_equal(follower.snapshot, behind.frozen())


def test_the_older_of_two_publishers_is_fenced_and_moves_nothing(tmp_path: Path) -> None:
    old = begun(tmp_path)
    new = Publishing(tmp_path, MadeModel(seed=1))
    old.train()
    with pytest.raises(Fenced, match="a newer learner"):
        old.pass_seconds(1)
    new.pass_seconds(1)
    assert_equal(follow(tmp_path).snapshot, new.model.frozen())
    with pytest.raises(Fenced):
        old.store.move(lambda pointer: pointer)


def test_one_that_the_log_has_fenced_cannot_take_over(tmp_path: Path) -> None:
    begun(tmp_path)

    def refuse() -> None:
        raise Fenced("a newer one")

    before = (tmp_path / "current.json").read_bytes()
    with pytest.raises(Fenced):
        Publishing(tmp_path, MadeModel(), confirm=refuse)
    assert (tmp_path / "current.json").read_bytes() == before


def test_another_learners_directory_is_left_alone(tmp_path: Path) -> None:
    begun(tmp_path)
    other = Publishing(tmp_path, MadeModel(), name="other")
    assert "a publish.directory of its own" in other.heard.failures[0]
    other.train()
    other.pass_seconds(100)
    assert not other.heard.published


@pytest.mark.parametrize("ending", ["json", "safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
@pytest.mark.parametrize("kind", ["full", "delta"])
def test_what_is_damaged_is_not_taken_and_the_last_good_version_stays(
    tmp_path: Path, ending: str, damage: str, kind: str
) -> None:
    publishing = begun(tmp_path)
    follower = follow(tmp_path)
    good = publishing.model.frozen()
    publishing.train()
    if kind == "full":
        publishing.publisher.close()
        publishing = Publishing(tmp_path, MadeModel(seed=3))
    publishing.pass_seconds(1)
    path = tmp_path / f"{kind}-000000000002.{ending}"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[-1]
    path.write_bytes(content)
    if damage == "gone":
        path.unlink()
    taken = follower.poll()
    # A delta that cannot be read is no way, and the full version before it does not lead on either.
    assert taken is None
    assert follower.trouble
    assert follower.version == 1
    assert_equal(follower.snapshot, good)
    publishing.train()
    publishing.pass_seconds(1000)
    publishing.pass_seconds(1000)
    assert follower.poll() is not None or follower.poll() is not None
    assert follower.trouble is None


def test_a_reader_that_lags_too_far_takes_the_next_full_version(tmp_path: Path) -> None:
    publishing = begun(tmp_path, full_seconds=10.0, full_versions=1)
    follower = follow(tmp_path)
    for _ in range(80):
        publishing.train()
        publishing.pass_seconds(1)
    taken = follower.poll()
    assert taken is not None
    assert taken.full
    assert_equal(follower.snapshot, publishing.model.frozen())


def test_retention_by_count_and_by_bytes_never_takes_what_is_served(tmp_path: Path) -> None:
    publishing = begun(tmp_path, full_seconds=10.0, full_versions=3)
    for _ in range(60):
        publishing.train()
        publishing.pass_seconds(1)
    assert len(list(tmp_path.glob("full-*.json"))) == 3
    assert len(list(tmp_path.glob("delta-*.json"))) < 90
    publishing.publisher.close()
    small = Publishing(tmp_path, publishing.model, full_seconds=10.0, full_versions=3, disk_bytes=1)
    small.pass_seconds(1)
    assert len(list(tmp_path.glob("full-*.json"))) == 1
    assert_equal(follow(tmp_path).snapshot, publishing.model.frozen())


def test_a_directory_made_anew_is_another_series(tmp_path: Path) -> None:
    publishing = begun(tmp_path / "a")
    follower = follow(tmp_path / "a")
    for _ in range(3):
        publishing.train()
        publishing.pass_seconds(1)
    follower.poll()
    assert follower.version == 4
    (tmp_path / "a").rename(tmp_path / "b")
    other = begun(tmp_path / "a")
    for _ in range(3):  # the same numbers
        other.train()
        other.pass_seconds(1)
    other.model.table[:] = 5
    taken = follower.poll()
    assert taken is not None
    assert taken.full
    publishing.train()
    with pytest.raises(Fenced):
        publishing.pass_seconds(1)


def test_an_empty_directory_has_nothing_to_follow(tmp_path: Path) -> None:
    follower = follow(tmp_path / "none")
    assert follower.snapshot is None
    assert follower.version == 0
    assert follower.trouble is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "full": 3}'])
def test_a_pointer_that_is_none_is_trouble_and_nothing_else(tmp_path: Path, text: str) -> None:
    publishing = begun(tmp_path)
    follower = follow(tmp_path)
    (tmp_path / "current.json").write_text(text)
    assert follower.poll() is None
    assert follower.trouble is not None
    assert_equal(follower.snapshot, publishing.model.frozen())
    with pytest.raises(PublishError):
        read_pointer(tmp_path)


def test_what_is_published_is_json_that_anyone_reads(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    publishing.train()
    publishing.model.remove("o3")
    publishing.pass_seconds(1)
    pointer = json.loads((tmp_path / "current.json").read_text())
    assert pointer["version"] == 2
    assert pointer["schema_version"] == 2
    full = json.loads((tmp_path / pointer["full"]["file"]).read_text())
    assert full["manifest"]["offers"][3] == "o3"
    delta = json.loads((tmp_path / pointer["deltas"][0]["file"]).read_text())
    assert delta["after"] == 1
    assert delta["tombstones"] == {"offers": ["o3"]}
    assert {path.suffix for path in tmp_path.iterdir() if path.name != "lock"} == {".json", ".safetensors"}


def test_a_follower_of_a_service_that_publishes_nothing_more_stays_where_it_is(tmp_path: Path) -> None:
    publishing = begun(tmp_path)
    follower = Follower(tmp_path)
    assert follower.poll() is not None
    publishing.publisher.close()
    (tmp_path / "current.json").unlink()
    assert follower.poll() is None
    assert follower.trouble
    assert follower.version == 1


def test_retention_leaves_the_version_that_an_operator_holds(tmp_path: Path) -> None:
    publishing = begun(tmp_path, full_seconds=10.0, full_versions=1, disk_bytes=1)
    held = publishing.model.frozen()
    roll_back(tmp_path, "because", 1)
    for _ in range(8):
        publishing.train()
        publishing.pass_seconds(5)
    assert_equal(follow(tmp_path).snapshot, held)
