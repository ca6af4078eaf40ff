"""Run one command and never leave it behind: it ends when whoever holds our standard input ends, however that happens.

`python guard.py DIRECTORY COMMAND...` starts COMMAND and waits. When standard input reaches its end (the parent
closed it, exited or was killed with SIGKILL) or on SIGTERM, the command gets SIGTERM and, `GRACE_SECONDS` later,
SIGKILL; then DIRECTORY, unless it is "-", is removed. On Linux the command also dies with this process
(PR_SET_PDEATHSIG).

This file is run by its path, alone, in an isolated interpreter: it imports nothing but the standard library.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

GRACE_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


def main(directory: str, command: list[str]) -> int:
    """Run `command` until it ends or standard input does; return its exit status (128 + signal for a signal's)."""
    stopped, stop = os.pipe()
    os.set_blocking(stop, False)
    signal.set_wakeup_fd(stop)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    try:
        # This single-threaded interpreter may safely run Python between fork and exec.
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)
        _wait(child, stopped)
        return 128 - child.returncode if child.returncode < 0 else child.returncode
    finally:
        if directory != "-":
            shutil.rmtree(directory, ignore_errors=True)


def _wait(child: "subprocess.Popen[bytes]", stopped: int) -> None:
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno(), stopped], [], [])
        if stopped in readable and not set(os.read(stopped, 64)) - {signal.SIGCHLD}:
            continue
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
