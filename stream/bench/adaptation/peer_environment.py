"""A Python environment for a peer that cannot share ours, made once in the user's cache."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

from stream.cache import user_cache
from stream.errors import ConfigurationError

__all__ = ["DEEP_RIVER", "deep_river_python"]

DEEP_RIVER = "deep-river==0.3.4"
"""It wants torch below 2.6; with that, on Linux, come 5.5 GB of libraries, CUDA's among them. Once, some minutes."""
_UNDECLARED = ("pytest",)
"""It imports this at every start without asking for it."""
_SECONDS = 1800.0


def deep_river_python(directory: Path | None = None) -> Path:
    """Return the interpreter of an environment with `DEEP_RIVER`; `directory` None is the user's cache.

    Several processes may call this at once: one makes it.

    Raises:
        ConfigurationError: it cannot be made here, and why.
    """
    place = user_cache("peer-deep-river-0.3.4") if directory is None else directory
    python = place / "bin" / "python"
    ready = place / "ready"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists() and python.exists():
            return python
        shutil.rmtree(place, ignore_errors=True)
        try:
            _run([sys.executable, "-m", "venv", str(place)])
            _run(
                [
                    str(python),
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    DEEP_RIVER,
                    *_UNDECLARED,
                ]
            )
            ready.touch()
        except ConfigurationError:
            shutil.rmtree(place, ignore_errors=True)
            raise
    return python


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unavailable(str(error)) from error
    if done.returncode:
        raise _unavailable((done.stderr.strip().splitlines() or ["no reason was given"])[-1])


def _unavailable(why: str) -> ConfigurationError:
    return ConfigurationError(f"The peer deep-river cannot be had here: {DEEP_RIVER} could not be installed ({why}).")
