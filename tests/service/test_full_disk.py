"""A full disk ends the process with the code of what could not be written, and a next start goes on from there."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from stream.cli import main
from stream.errors import CheckpointError, LogError
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.file_commit import read_dead_letters
from tests.end_to_end.learners import command

EVENTS = 120


@contextmanager
def full_beyond(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond this size: to it, the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_stream(directory: Path, identity: str, invalid: bytes) -> tuple[Path, Path]:
    """Write events, every tenth of them invalid, and a schema."""
    lines = [
        json.dumps(
            {"id": f"{identity}{at}", "key": f"k{at % 7}", "ts": at, "features": {}, "labels": ["x"] * (at % 3 > 0)}
        ).encode()
        if at % 10
        else invalid
        for at in range(EVENTS)
    ]
    (directory / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    changes = [{"op": "add_label", "name": name} for name in ("x", "y", "z")]
    (directory / "schema.jsonl").write_text(json.dumps({"version": 1, "ts": 0, "changes": changes}) + "\n")
    return directory / "events.jsonl", directory / "schema.jsonl"


@pytest.mark.parametrize(
    ("identity", "invalid", "bound_bytes", "code", "names"),
    [
        ("e", b"-", 400, CheckpointError.exit_code, "checkpoint-"),
        ("e" * 20_000, b"-", 1_000_000, LogError.exit_code, "predictions.jsonl"),
        ("e", b"-" * 200_000, 1_000_000, LogError.exit_code, "dead-letters.jsonl"),
    ],
    ids=["checkpoint", "predictions", "dead letters"],
)
def test_a_replay_says_which_file_and_ends_after_room_was_made_like_one_that_had_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    identity: str,
    invalid: bytes,
    bound_bytes: int,
    code: int,
    names: str,
) -> None:
    interactions, schema = write_stream(tmp_path, identity, invalid)

    def arguments(name: str) -> list[str]:
        (tmp_path / name).mkdir()
        return command(
            "replay",
            (),
            interactions=interactions,
            schema=schema,
            checkpoint=tmp_path / name / "checkpoints",
            predictions=tmp_path / name / "predictions.jsonl",
            summary=tmp_path / name / "summary.json",
        )

    full = arguments("full")
    with full_beyond(bound_bytes):
        ended = main(full)
    assert ended == code
    assert names in capsys.readouterr().err
    assert main(full) == main(arguments("roomy")) == 0
    predictions = [(tmp_path / name / "predictions.jsonl").read_bytes() for name in ("full", "roomy")]
    assert predictions[0] == predictions[1]
    full_letters, roomy_letters = (
        [replace(letter, ts_ms=0) for letter in read_dead_letters(tmp_path / name / "checkpoints/dead-letters.jsonl")]
        for name in ("full", "roomy")
    )
    assert full_letters == roomy_letters, "but for the moments at which they died"
    summaries = [json.loads((tmp_path / name / "summary.json").read_text()) for name in ("full", "roomy")]
    assert summaries[0]["state_digest"] == summaries[1]["state_digest"]


def test_a_producer_says_so_and_what_was_written_in_part_is_no_record(tmp_path: Path) -> None:
    topic = EmbeddedTopic.create(tmp_path, "interactions")
    writer = EmbeddedWriter(topic)
    with full_beyond(300):
        for _ in range(10):
            writer.send(b"key", b"v" * 50)
        with pytest.raises(LogError, match="cannot be written"):
            writer.flush()
    later = EmbeddedWriter(topic)
    later.send(b"key", b"later")
    later.flush()
    lines = topic.path(0).read_bytes().splitlines()
    assert [json.loads(line)["value"] for line in lines][-1] == "later"
