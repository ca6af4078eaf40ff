"""A checkpoint written by a process of its own, while this one goes on: the kernel keeps the state as it was.

`fork` gives the child the memory of this moment and copies a page only once one of the two changes it, so what training
stops for is the copy of the page tables. The child turns the state into bytes, checks and hashes them, makes the file
durable, says so over a pipe, and ends without any of the parent's clean-up. It does nothing else: of the parent's
threads none lives in it, so what one of them held locked stays locked there.

The child dies with its parent, and keeps neither the directory's lock nor a connection open: a killed learner can be
started again at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from stream import errors
from stream.checkpoint.file import Buffer
from stream.checkpoint.store import CheckpointStore, Written
from stream.errors import CheckpointError, StreamError

__all__ = ["SILENT_SECONDS", "Writing", "can_fork", "write_beside"]

SILENT_SECONDS = 600.0
"""A child that has said nothing for so long is given up: no disk is as slow as that."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def can_fork() -> bool:
    """Say whether a child can go on from this process's memory here: on Linux alone it is sure to die with it."""
    return _LIBC is not None


class Writing:
    """A checkpoint on its way to the disk; `result` has to be called, or `abandon`."""

    def __init__(self, path: Path, number: int, child: int, answer: int) -> None:
        self._path = path
        self._number = number
        self._child = child
        self._answer = answer

    def result(self) -> Written:
        """Wait for the child, and return what it wrote.

        Raises what it raised, of this package's errors; `CheckpointError` if it came to no answer. Nothing of the
        checkpoint is left then.
        """
        said = self._said()
        status = self._end(kill=not said)
        try:
            found = json.loads(said)
        except ValueError:
            self._path.unlink(missing_ok=True)
            raise CheckpointError(self._without_an_answer(status)) from None
        if "digest" in found:
            return Written(self._path, self._number, found["digest"], found["size_bytes"])
        self._path.unlink(missing_ok=True)
        kind = getattr(errors, found["error"], CheckpointError)
        raise kind(found["message"])

    def abandon(self) -> None:
        """End the child, and remove what it has written."""
        self._end(kill=True)
        self._path.unlink(missing_ok=True)

    def _said(self) -> bytes:
        said = b""
        asked = select.poll()  # select itself knows no descriptor beyond 1,023
        asked.register(self._answer, select.POLLIN)
        while asked.poll(1000 * SILENT_SECONDS):
            more = os.read(self._answer, 1 << 16)
            if not more:
                break
            said += more
        return said

    def _end(self, *, kill: bool) -> int:
        """See the child end, by force or by itself, and return how it did."""
        os.close(self._answer)
        if kill:
            os.kill(self._child, signal.SIGKILL)  # nobody else waits for it, so the number is still its own
        return os.waitpid(self._child, 0)[1]

    def _without_an_answer(self, status: int) -> str:
        how = f"was killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "ended without an answer"
        return (
            f"checkpoint {self._number} was not written: the process that wrote it {how}. If it was the kernel, for "
            "lack of memory, give more, or set checkpoint.in_background to false; then start again: it goes on from "
            "the checkpoint before"
        )


def write_beside(store: CheckpointStore, number: int, pieces: Callable[[], Iterable[Buffer]]) -> Writing | None:
    """Write what `pieces` returns as of now in a child of this process; None if no child can be had.

    Args:
        store: the directory.
        number: of the checkpoint.
        pieces: called in the child; it may wait for no thread and for no connection.

    Raises `DirectoryLost`.
    """
    path = store.temporary(number)
    answer, say = os.pipe()
    parent = os.getpid()
    try:
        with warnings.catch_warnings():
            # From 3.12 on Python warns if there are threads; what the child does needs none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
    except OSError:
        os.close(answer)
        os.close(say)
        return None
    if not child:
        _write(store, path, number, pieces, say, parent)
    os.close(say)
    return Writing(path, number, child, answer)


def _write(
    store: CheckpointStore,
    path: Path,
    number: int,
    pieces: Callable[[], Iterable[Buffer]],
    say: int,
    parent: int,
) -> NoReturn:
    """Be the child."""
    try:
        gc.disable()  # a collection would look at every object, and so copy every page
        _die_with(parent)
        for number_of_signal in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number_of_signal, signal.SIG_IGN)  # the parent ends in order, and waits for this
        _close_all_but(say)
        if (torch := sys.modules.get("torch")) is not None:
            torch.set_num_threads(1)  # those that it had are not here, and it would wait for them
        written = store.fill(path, number, pieces())
        answer: dict[str, object] = {"digest": written.digest, "size_bytes": written.size_bytes}
    except StreamError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except BaseException:
        what = traceback.format_exc(limit=-3)
        answer = {"error": "CheckpointError", "message": f"checkpoint {number} cannot be made: {what}"}
    try:
        said = memoryview(json.dumps(answer).encode())
        while said:
            said = said[os.write(say, said) :]
    finally:
        os._exit(0)


def _close_all_but(kept: int) -> None:
    """Close what the parent has open: its lock, which would outlive it, and its connections."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # closing every possible one may take minutes
        if descriptor > 2 and descriptor != kept:
            with contextlib.suppress(OSError):  # that of the list itself
                os.close(descriptor)


def _die_with(parent: int) -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
