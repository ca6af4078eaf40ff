"""The demo's producer: `stream produce` in a process of its own, which ends with the block that needs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stream.errors import LogError

__all__ = ["Producer", "producing"]

_STOP_SECONDS = 10.0


class Producer:
    """A producer process that was started.

    Args:
        process: the process.
        log: the file that holds what it said.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def check(self) -> None:
        """Raise LogError, with the last thing that it said, if the process has failed."""
        status = self._process.poll()
        if status not in (None, 0):
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise LogError(f"The producer ended with exit status {status}. {said[-1] if said else 'It said nothing.'}")


@contextmanager
def producing(interactions: Path, schema: Path, log: Path, assignments: Sequence[str]) -> Iterator[Producer]:
    """Send two files to the log that the settings name, while the block runs; at its end the process is stopped.

    Args:
        interactions: the events, sorted by time.
        schema: the versions.
        log: the file to which the process writes what it has to say.
        assignments: settings as texts KEY=VALUE.
    """
    command = [sys.executable, "-m", "stream", "produce", "--interactions", str(interactions), "--schema", str(schema)]
    for assignment in assignments:
        command += ["--set", assignment]
    with log.open("wb") as said:
        # A session of its own: Ctrl-C is for the learner, which leaves in order; this process is stopped after it.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield Producer(process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
