"""A finite pass that ends with a rejected schema version fails, with its sentence at the end and in the summary."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from stream.broker import LocalBroker
from stream.cli import main

TYPO = {"op": "add_feature", "name": "platform", "type": "categorical"}
RIGHT = {"op": "add_feature", "name": "platform", "kind": "categorical"}
TEA = {"op": "add_label", "name": "tea"}
START_MS = 1_700_000_000_000
EVENTS = [
    {"id": str(number), "key": "ann", "ts": START_MS + number, "features": {"platform": "ios"}, "labels": ["tea"]}
    for number in range(3)
]


def version(number: int, ts: int, *changes: dict[str, Any]) -> dict[str, Any]:
    return {"version": number, "ts": ts, "changes": list(changes)}


def write(path: Path, values: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def replayed(
    directory: Path, versions: list[dict[str, Any]], *options: str, events: list[dict[str, Any]] = EVENTS
) -> int:
    schema, interactions = write(directory / "s.jsonl", versions), write(directory / "i.jsonl", events)
    letters = f"dead_letters.file={directory / 'letters.jsonl'}"
    files = ["--schema", str(schema), "--interactions", str(interactions), "--set", letters]
    return main(["replay", *files, *options])


def test_a_rejected_first_version_fails_the_pass_and_the_last_line_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replayed(tmp_path, [version(1, START_MS, TYPO, TEA)]) == 9
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert summary["events_trained"] == 3
    assert summary["schema_rejection"]["version"] == 1
    assert summary["schema_rejection"]["reason"] == "unknown_member"
    assert "did you mean kind?" in summary["schema_rejection"]["message"]
    last = said.err.splitlines()[-1]
    assert last.startswith("stream replay: schema version 1 was rejected")
    assert "did you mean kind?" in last
    assert "3 labels were dropped" in last


def test_a_rejection_that_a_next_version_mends_does_not_fail_the_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = version(1, START_MS, RIGHT, TEA)
    assert replayed(tmp_path, [version(1, START_MS, TYPO, TEA), good]) == 0
    assert json.loads(capsys.readouterr().out)["schema_rejection"] is None
    assert replayed(tmp_path, [good, version(2, START_MS, TEA)]) == 9
    assert json.loads(capsys.readouterr().out)["schema_rejection"]["reason"] == "label_live"


def test_the_rejection_is_in_the_checkpoint_and_fails_the_pass_that_goes_on_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ["--checkpoint", str(tmp_path / "kept"), "--summary", str(tmp_path / "summary.json")]
    for _ in range(2):
        assert replayed(tmp_path, [version(1, START_MS, TYPO)], *kept) == 9
        assert json.loads((tmp_path / "summary.json").read_text())["schema_rejection"]["version"] == 1
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "kept"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rejected_version"]["reason"] == "unknown_member"


@pytest.mark.parametrize("place", ["embedded", "kafka"])
def test_a_run_that_stops_at_the_end_fails_alike(
    place: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if place == "embedded":
        where = ["--set", f"log.directory={tmp_path / 'log'}"]
    else:
        broker: LocalBroker = request.getfixturevalue("kafka_broker")
        where = ["--set", f"kafka.bootstrap_servers={broker.bootstrap_servers}", "--set", f"name={tmp_path.name}"]
        for topic in ("interactions", "schema", "dead_letters"):
            where += ["--set", f"topics.{topic}={tmp_path.name}-{topic}"]
    assert main(["topics", "--create", *where]) == 0
    versions = [version(1, START_MS, RIGHT, TEA), version(2, START_MS, TYPO)]
    schema, interactions = write(tmp_path / "s.jsonl", versions), write(tmp_path / "i.jsonl", EVENTS)
    assert main(["produce", "--schema", str(schema), "--interactions", str(interactions), *where]) == 0
    quiet = [
        "metrics.enabled=false",
        "idle_seconds=0.2",
        "view.style=none",
        f"checkpoint.directory={tmp_path / 'kept'}",
    ]
    for setting in quiet:
        where += ["--set", setting]
    summary = tmp_path / "summary.json"
    assert main(["run", "--stop-at-end", "--summary", str(summary), *where]) == 9
    assert json.loads(summary.read_text())["schema_rejection"]["version"] == 2
    assert "stream run: schema version 2 was rejected" in capsys.readouterr().err


def test_a_first_version_after_the_last_interaction_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Seconds for milliseconds in one of two files: they never meet, and no label is learned."""
    seconds = [event | {"ts": START_MS // 1000} for event in EVENTS]
    with caplog.at_level(logging.WARNING):
        assert replayed(tmp_path, [version(1, START_MS, TEA)], events=seconds) == 0
    assert "it seems to be in seconds" in caplog.text
    assert "no schema version took effect" in caplog.text
    assert "2023-11-14" in caplog.text
    assert "1970-01-20" in caplog.text


def test_times_that_are_in_milliseconds_are_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert replayed(tmp_path, [version(1, 0, RIGHT, TEA)]) == 0
        assert replayed(tmp_path, [version(1, 0, RIGHT, TEA)], events=[event | {"ts": 7} for event in EVENTS]) == 0
    assert caplog.text == ""
