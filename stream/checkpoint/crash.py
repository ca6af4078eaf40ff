"""Places at which a test may kill the process for real, so that what a crash leaves behind is what is tested."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter

__all__ = ["CRASH_POINTS", "ENVIRONMENT_VARIABLE", "crash_point"]

ENVIRONMENT_VARIABLE = "STREAM_CRASH_POINT"
CRASH_POINTS = (
    "checkpoint_writing",  # half of the temporary file is written
    "checkpoint_written",  # the temporary file is durable, the log's commit has not begun
    "committed_before_rename",  # the log's commit names a file that still has its temporary name
    "after_rename",  # the checkpoint is complete
    "warm_up",  # a batch was trained inside a warm-up
    "version_writing",  # the arrays of a model version are in a temporary file, not yet durable
    "version_arrays_written",  # they have their name, the version's JSON file has not
    "version_written",  # both files are there, the pointer does not name them
    "pointer_moved",  # it does
)

_visits: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Kill this process with SIGKILL where ``STREAM_CRASH_POINT="name:count"`` names this visit; else do nothing.

    A bare name means its first visit. The process id and the point go to stderr first.
    """
    wanted = os.environ.get(ENVIRONMENT_VARIABLE)
    if wanted is None:
        return
    wanted_name, _, count = wanted.partition(":")
    if wanted_name != name:
        return
    _visits[name] += 1
    if _visits[name] == int(count or 1):
        sys.stderr.write(f"crash point {name}: process {os.getpid()} kills itself at visit {_visits[name]}\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
