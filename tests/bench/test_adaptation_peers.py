"""The peers see the same events and offers as we do, and are measured alike; where one cannot be had it says why."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stream.bench.adaptation import peer_script
from stream.bench.adaptation.online import run_arm
from stream.bench.adaptation.pairs import pairs_of
from stream.bench.adaptation.peers import run_peer
from stream.bench.adaptation.stream import STREAMS, of_json
from stream.bench.peer_environment import DEEP_RIVER, peer_python
from stream.errors import ConfigurationError
from stream.records.interaction import Interaction
from stream.schema import Schema, Version


def test_river_is_measured_on_the_pairs_that_the_learner_is_measured_on() -> None:
    stream = STREAMS["synthetic:both_layers"](2, 300)
    told: list[int] = []
    peer = run_peer("river-logistic", stream, 2, lambda done, total: told.append(done))
    ours = run_arm(stream, {"network.hidden": "8"}, 2, lambda done, total: None)
    for name in ("bce_pairs", "old_pairs", "new_pairs"):
        np.testing.assert_array_equal(getattr(peer, name), getattr(ours, name))
    np.testing.assert_array_equal(np.isnan(peer.recall), np.isnan(ours.recall))
    assert told == [100, 200, 300]
    assert peer.bce_sum[:150].sum() / peer.bce_pairs[:150].sum() < np.log(2)
    assert 0 < peer.train_seconds == peer.seconds[-1]
    assert peer.parameters > 0
    assert peer.peak_memory_bytes > 10e6


def test_a_peer_that_runs_out_of_time_or_events_leaves_a_shorter_trace() -> None:
    stream = STREAMS["synthetic:stationary"](2, 300)
    cut = run_peer("river-logistic", stream, 2, lambda done, total: None, limit_events=40)
    assert (len(cut), cut.notes["events_of_stream"]) == (40, 300)
    assert len(run_peer("river-logistic", stream, 2, lambda done, total: None, limit_seconds=0.0)) == 1


def test_an_offer_that_a_peer_does_not_know_has_the_prior() -> None:
    peer = peer_script.RiverLogistic(0)
    peer.learn({"a": 1.0, "w": "word", "list": ["x", "y"]}, ["known"], [True], -3.0)
    known, unknown = peer.predict({"a": 1.0, "w": "word"}, ["known", "new"], -3.0)
    assert unknown == -3.0
    assert known > -3.0


def test_pairs_are_those_of_the_contract() -> None:
    changes = [
        {"op": "add_label", "name": name, "attributes": {"place": place}}
        for name, place in (("a", "x"), ("b", "x"), ("c", "y"))
    ]
    base = {"id": "e", "key": "k", "ts": 1, "features": {}}
    version, *events = of_json(
        [
            {"version": 1, "ts": 0, "changes": changes},
            {**base, "labels": ["a", "nothing"]},
            {**base, "labels": ["c"], "shown": {"place": ["x"]}},
            {**base, "labels": [], "shown": ["b", "nothing"]},
            {**base, "labels": [], "shown": {}},
            {**base, "labels": [], "shown": {"elsewhere": ["x"]}},
        ]
    )
    assert isinstance(version, Version)
    schema = Schema.empty().apply(version)
    found = [pairs_of(event, schema) for event in events if isinstance(event, Interaction)]
    assert [pairs.offers for pairs in found] == [["a", "b", "c"], ["a", "b", "c"], ["b"], ["a", "b", "c"], []]
    assert found[0].taken == [True, False, False]
    assert (found[1].possible, found[1].taken) == ([True, True, False], [False, False, True])


def test_an_unknown_peer_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="deep-river"):
        run_peer("nobody", STREAMS["synthetic:rename"](0, 10), 0, lambda done, total: None)


def test_an_environment_that_cannot_be_made_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.run

    def without_registry(command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
        if "pip" in command:
            return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: No matching distribution found")
        return real([*command[:3], "--without-pip", *command[3:]], capture_output=True, text=True, check=False)

    monkeypatch.setattr(subprocess, "run", without_registry)
    with pytest.raises(ConfigurationError, match=r"could not be installed \(ERROR: No matching distribution"):
        peer_python("deep-river", DEEP_RIVER, tmp_path / "environment")
    assert not (tmp_path / "environment").exists()


def test_an_environment_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / "ready").touch()
    monkeypatch.setattr(subprocess, "run", None)
    assert peer_python("deep-river", DEEP_RIVER, tmp_path) == tmp_path / "bin" / "python"


def test_the_script_needs_nothing_of_this_project() -> None:
    assert peer_script.__file__ is not None
    code = (
        "import sys, runpy; sys.modules['stream'] = None; "
        f"runpy.run_path({peer_script.__file__!r}); print('numpy' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True False"
    assert importlib.util.find_spec("deep_river") is None, (
        "deep-river pins torch: it must not come into this environment"
    )
