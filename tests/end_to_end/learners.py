"""Learners as users start them, `python -m stream run`; or the same command in this process where nothing kills it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream.checkpoint import newest
from stream.cli import main
from stream.errors import CheckpointError
from tests.end_to_end.streams import Stream

ROOT = Path(__file__).parents[2]

SMALL = (
    *("network.hidden=8", "network.embedding_dim=4", "network.pair_hidden=4", "network.pair_cells=100000"),
    *("warmup.max_events=96", "warmup.window_events=16", "evaluation.attribute=group"),
    *("batch_size=16", "batch_age_seconds=0", "idle_seconds=0.5", "version_wait_seconds=0.2"),
    *("metrics.enabled=false", "checkpoint.every_events=160"),
)
"""A small network, batches cut by count alone, and checkpoints often enough to be killed among them."""


def command(name: str, settings: Sequence[str], **options: object) -> list[str]:
    """The arguments of a command; an option True has no value, one that is None is left out."""
    arguments = [name]
    for option, value in options.items():
        if value is not None:
            arguments += [f"--{option.replace('_', '-')}", *([] if value is True else [str(value)])]
    for setting in (*SMALL, *settings):
        arguments += ["--set", setting]
    return arguments


def here(arguments: Sequence[str], summary: Path) -> dict[str, Any]:
    """Run a command in this process to its end, and return the summary that it wrote."""
    code = main([*arguments, "--summary", str(summary), *(["--set", "view.style=none"])])
    assert code == 0, f"stream {arguments[0]} ended with exit code {code}"
    found: dict[str, Any] = json.loads(summary.read_text())
    return found


def replay(stream: Stream, directory: Path, *settings: str) -> dict[str, Any]:
    """Make one pass over the files, with `directory`/predictions.jsonl, and return its summary."""
    letters = f"dead_letters.file={directory / 'dead-letters.jsonl'}"
    arguments = command(
        "replay",
        (letters, *settings),
        interactions=stream.interactions,
        schema=stream.schema,
        predictions=directory / "predictions.jsonl",
    )
    return here(arguments, directory / "replay.json")


class Life:
    """One process of a learner; what it says goes to a file, which may be read while it runs."""

    def __init__(self, arguments: Sequence[str], log: Path, crash_point: str | None = None) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        module = ["stream"] if crash_point is None else ["tests.crashing", crash_point, "stream"]
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *module, *arguments], cwd=ROOT, env=environment, stdout=file, stderr=file
            )

    @property
    def said(self) -> str:
        """All that it has said so far."""
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def restored(self) -> tuple[str, dict[int, int]] | None:
        """From what it started, and the offsets of the interactions; None while it has not said."""
        found = re.search(rf"process {self.pid} starts from ([^:]+): \S+ offsets {{([^}}]*)}}", self.said)
        if found is None:
            return None
        pairs = (pair.split(": ") for pair in found[2].split(", "))
        return found[1], {int(partition): int(offset) for partition, offset in pairs}

    def wait(self, seconds: float = 240.0) -> int:
        """Wait for its end and return the exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the learner did not end within {seconds} s:\n{self.said}") from None

    def wait_for(self, done: Callable[[], bool], what: str, seconds: float = 240.0) -> None:
        """Wait until `done`, while the process lives."""
        deadline = time.monotonic() + seconds
        while not done():
            code = self.process.poll()
            assert code is None, f"the learner ended with exit code {code} before {what}:\n{self.said}"
            assert time.monotonic() < deadline, f"{what} never came:\n{self.said}"
            time.sleep(0.01)


@contextmanager
def living(arguments: Sequence[str], log: Path, crash_point: str | None = None) -> Iterator[Life]:
    """Run a learner in a process of its own for the block; it is dead after it."""
    life = Life(arguments, log, crash_point)
    try:
        yield life
    finally:
        life.process.kill()
        life.process.wait()


def stored_offsets(directory: Path) -> dict[int, int]:
    """The offsets of the newest checkpoint, nothing where there is none yet."""
    try:
        offsets = newest(directory).tree()["service"]["offsets"]
    except (CheckpointError, FileNotFoundError):
        return {}
    return {int(partition): offset for partition, offset in offsets.items()}
