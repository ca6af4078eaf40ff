"""Any order of training, publishing, kills, restarts, zombies, damage, refusals and an operator's word."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stream.errors import Fenced, PublishError
from stream.publish.follow import Follower, follow
from stream.publish.operate import promote, roll_back
from stream.publish.pointer import read_pointer
from stream.publish.snapshot import Snapshot
from tests.publish.made_models import MadeModel, equal
from tests.publish.publishing import Publishing
from tests.publish.test_gate import by_scale


class _Life(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp())
        self.directory = self.place / "versions"
        self.model = MadeModel(rows=12)
        self.states: list[Snapshot] = [self.model.frozen()]
        self.followers = [Follower(self.directory)]
        self.newest = 0
        self.zombie: Publishing | None = None
        self.number = 0
        self.start()

    def start(self) -> None:
        self.publishing = Publishing(
            self.directory, self.model, scores=by_scale, full_seconds=10.0, full_versions=2, delta_seconds=1.0
        )
        event = b'{"id": "e", "key": "k", "ts": 1, "features": {}, "labels": ["a", "b"]}'
        self.publishing.publisher.keep([(b"k", event)] * 3)

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.publishing.publisher.close()
            shutil.rmtree(self.place)

    def changed(self, loss: float = 0.5) -> None:
        self.states.append(self.model.frozen())
        self.publishing.publisher.trained(loss)

    @rule(better=st.booleans(), loss=st.sampled_from([0.5, 0.5, 0.9]))
    def train(self, better: bool, loss: float) -> None:
        self.model.train(2)
        self.model.scale[...] = 2.0 if better else 0.0
        self.changed(loss)

    @rule()
    def add(self) -> None:
        self.number += 1
        self.model.add(f"n{self.number}")
        self.changed()
        self.publishing.publisher.schema_applied()

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        live = [name for name in self.model.names if name is not None]
        if len(live) > 2:
            self.model.remove(data.draw(st.sampled_from(live)))
            self.changed()

    @rule(there=st.booleans())
    def an_array_comes_or_goes(self, there: bool) -> None:
        import numpy as np

        if there:
            self.model.extra["late"] = np.full((3, 2), float(len(self.states)))
        else:
            self.model.extra.clear()
        self.changed()

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.publishing.pass_seconds(seconds)

    @rule()
    def time_passes_and_nobody_waits(self) -> None:
        self.publishing.now += 1.0
        self.publishing.publisher.tend()

    @rule()
    def restart_from_an_older_state(self) -> None:
        self.publishing.publisher.close()  # what was in hand is written, as a kill may leave it too
        self.model = MadeModel(rows=12)
        self.model.train(2)
        self.states.append(self.model.frozen())
        self.start()

    @precondition(lambda self: self.zombie is None)
    @rule()
    def another_takes_over(self) -> None:
        self.zombie = self.publishing
        self.zombie.settle()
        self.start()

    @precondition(lambda self: self.zombie is not None)
    @rule()
    def the_zombie_wakes(self) -> None:
        assert self.zombie is not None
        self.publishing.settle()
        before = (self.directory / "current.json").read_bytes()
        self.zombie.publisher.trained(0.5)
        try:
            for _ in range(3):
                self.zombie.pass_seconds(100)
        except Fenced:
            pass
        else:
            assert self.zombie.publisher._state == "held"
        assert (self.directory / "current.json").read_bytes() == before
        self.zombie.publisher.close()
        self.zombie = None

    @rule(count=st.sampled_from([1, 2]))
    def readers_look(self, count: int) -> None:
        for follower in self.followers[:count]:
            follower.poll()

    @rule()
    def another_reader_starts(self) -> None:
        self.followers.append(follow(self.directory))
        self.followers = self.followers[-3:]

    @rule(data=st.data())
    def a_file_is_damaged(self, data: st.DataObject) -> None:
        self.publishing.settle()
        files = sorted(path for path in self.directory.iterdir() if path.name.startswith(("full", "delta")))
        if files:
            path = data.draw(st.sampled_from(files))
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 4
            other = path.with_name("other")  # a new file: one that is mapped shows what is written into it
            other.write_bytes(content)
            other.replace(path)

    @rule(back=st.booleans())
    def an_operator_chooses(self, back: bool) -> None:
        self.publishing.settle()
        try:
            if back:
                roll_back(self.directory, "because")
            else:
                promote(self.directory)
        except PublishError:
            pass

    @invariant()
    def numbers_rise_for_ever(self) -> None:
        pointer = read_pointer(self.directory) if hasattr(self, "directory") else None
        if pointer is not None:
            assert pointer.newest >= max(self.newest, pointer.version)
            self.newest = pointer.newest

    @invariant()
    def no_reader_has_anything_but_a_state_that_there_was(self) -> None:
        for follower in getattr(self, "followers", ()):
            if follower.snapshot is not None:
                assert any(equal(follower.snapshot, state) for state in self.states)

    @invariant()
    def who_reads_at_last_has_what_the_pointer_names(self) -> None:
        if not hasattr(self, "directory"):
            return
        for follower in self.followers[:1]:
            if follower.poll() is not None:
                pointer = follower.pointer
                assert pointer is not None
                assert follower.snapshot is not None
                assert follower.snapshot.schema_version == pointer.schema_version
                assert follower.snapshot.events_trained == pointer.events_trained


TestLife = _Life.TestCase
TestLife.settings = given_settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
