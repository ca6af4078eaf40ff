"""Runs a module as `python -m` does, in a process that kills itself with SIGKILL at a given place.

python -m tests.crashing POINT[:VISIT] MODULE ARGUMENT...

What a crash leaves behind is what is tested, so the crash is a real one; and the service knows nothing of it: its steps
are wrapped here. A bare POINT means its first visit. The process id and the point go to stderr first.
"""

from __future__ import annotations

import functools
import mmap
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from stream.checkpoint import file, store
from stream.publish import store as versions
from stream.publish import writing
from stream.service.checkpointing import Checkpointer
from stream.service.step_times import StepTimes

__all__ = ["POINTS"]


class Crash:
    """Counts the visits of one point, in this process and in those that it forks, and kills it at one of them."""

    def __init__(self, wanted: str) -> None:
        self.point, _, count = wanted.partition(":")
        self._at = int(count or 1)
        self._visits = mmap.mmap(-1, 8)
        self._process = os.getpid()

    def visit(self) -> None:
        visits = int.from_bytes(self._visits[:8], "little") + 1
        self._visits[:8] = visits.to_bytes(8, "little")
        if visits == self._at:
            self._die(visits)

    def _die(self, visits: int) -> NoReturn:
        said = f"crash point {self.point}: process {self._process} kills itself at visit {visits}\n"
        os.write(2, said.encode())
        os.kill(self._process, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)  # the child, where it is one that writes
        raise AssertionError("unreachable")


def _before(owner: Any, name: str, crash: Crash) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*arguments: Any) -> Any:
        crash.visit()
        return original(*arguments)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, crash: Crash) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*arguments: Any) -> Any:
        result = original(*arguments)
        crash.visit()
        return result

    setattr(owner, name, wrapped)


def _writing(crash: Crash) -> None:
    """Half of the temporary file is written."""

    def half(out: Any, number: int, pieces: Iterable[bytes | memoryview]) -> tuple[str, int]:
        payload = b"".join(pieces)
        out.write(payload[: len(payload) // 2])
        out.flush()
        crash.visit()
        out.seek(0)
        out.truncate()
        return pour(out, number, [payload])

    pour = file.pour
    setattr(store, "pour", half)  # noqa: B010


def _written(crash: Crash) -> None:
    """The temporary file is durable, the log's commit has not begun."""
    _after(store.CheckpointStore, "fill", crash)


def _before_rename(crash: Crash) -> None:
    """The log's commit names a file that still has its temporary name."""
    _before(store.CheckpointStore, "promote", crash)


def _after_rename(crash: Crash) -> None:
    """The checkpoint is complete."""
    _after(store.CheckpointStore, "promote", crash)


def _warm_up(crash: Crash) -> None:
    """A batch was trained inside a warm-up."""
    add = StepTimes.add

    def wrapped(self: StepTimes, phase: str, events: int, seconds: float, cpu_seconds: float) -> None:
        add(self, phase, events, seconds, cpu_seconds)
        if phase == "warm_up":
            crash.visit()

    setattr(StepTimes, "add", wrapped)  # noqa: B010


def _trained_meanwhile(crash: Crash) -> None:
    """A checkpoint was begun, training went on by a batch, and the log's commit of the checkpoint has not begun."""
    trained = threading.Event()
    add, begin, finish = StepTimes.add, Checkpointer.begin, Checkpointer._finish

    def adding(self: StepTimes, *arguments: Any) -> None:
        add(self, *arguments)
        trained.set()

    def beginning(self: Checkpointer, *arguments: Any) -> None:
        trained.clear()
        begin(self, *arguments)

    def finishing(self: Checkpointer, flight: Any) -> None:
        if self.committed and trained.wait(20.0):  # the very first is waited for, and so is the last
            crash.visit()
        finish(self, flight)

    for owner, name, wrapped in (
        (StepTimes, "add", adding),
        (Checkpointer, "begin", beginning),
        (Checkpointer, "_finish", finishing),
    ):
        setattr(owner, name, wrapped)


def _version_writing(crash: Crash) -> None:
    """The arrays of a model version are in a temporary file, not yet durable."""
    _after(writing, "write_arrays", crash)


def _version_arrays_written(crash: Crash) -> None:
    """They have their name, the version's JSON file has not."""
    _before(writing, "replace_file", crash)


def _version_written(crash: Crash) -> None:
    """Both files are there, the pointer does not name them."""
    _after(writing, "replace_file", crash)


def _pointer_moved(crash: Crash) -> None:
    """The pointer names the version."""
    _after(versions, "move", crash)


POINTS: dict[str, Callable[[Crash], None]] = {
    "checkpoint_writing": _writing,
    "trained_meanwhile": _trained_meanwhile,
    "checkpoint_written": _written,
    "committed_before_rename": _before_rename,
    "after_rename": _after_rename,
    "warm_up": _warm_up,
    "version_writing": _version_writing,
    "version_arrays_written": _version_arrays_written,
    "version_written": _version_written,
    "pointer_moved": _pointer_moved,
}


if __name__ == "__main__":
    _, wanted, module, *arguments = sys.argv
    crash = Crash(wanted)
    POINTS[crash.point](crash)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
