"""What a run costs: seconds, CPU seconds, memory; only of what stands inside the measured blocks."""

from __future__ import annotations

import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Meter"]


class Meter:
    """A stopwatch over blocks, and the process's peak memory since it was made."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.last_cpu_seconds = 0.0
        """Of the last block alone."""
        with suppress(OSError):  # Linux alone can begin a new peak; elsewhere it is that of the whole process
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Add the block's time."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.last_cpu_seconds = time.process_time() - cpu
            self.seconds += time.perf_counter() - wall
            self.cpu_seconds += self.last_cpu_seconds

    @staticmethod
    def peak_memory_bytes() -> int:
        """Return the largest resident set so far."""
        with suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
            if found:
                return int(found[1]) * 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
