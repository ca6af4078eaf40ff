"""A Python environment for a peer that cannot share ours, made once in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stream.errors import ConfigurationError
from stream.installed.cache import user_cache

__all__ = ["DEEP_RIVER", "peer_python"]

DEEP_RIVER = ("deep-river==0.3.4", "pytest", "orjson", "scikit-learn>=1.5")
"""It wants torch below 2.6; with that, on Linux, come 5.5 GB of libraries, CUDA's among them. Once, some minutes.

It imports pytest at every start without asking for it; the hasher of its inputs is scikit-learn's.
"""
_SECONDS = 1800.0


def peer_python(name: str, requirements: Sequence[str], directory: Path | None = None) -> Path:
    """Return the interpreter of an environment that has these requirements; `directory` None is the user's cache.

    Several processes may call this at once: one makes it.

    Raises:
        ConfigurationError: it cannot be made here, and why.
    """
    made_of = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:8]
    place = user_cache(f"peer-{name}-{made_of}") if directory is None else directory
    python = place / "bin" / "python"
    ready = place / "ready"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists() and python.exists():
            return python
        shutil.rmtree(place, ignore_errors=True)
        try:
            _run(name, [sys.executable, "-m", "venv", str(place)])
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run(name, [*pip, *requirements])
            ready.touch()
        except ConfigurationError:
            shutil.rmtree(place, ignore_errors=True)
            raise
    return python


def _run(name: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unavailable(name, str(error)) from error
    if done.returncode:
        raise _unavailable(name, (done.stderr.strip().splitlines() or ["no reason was given"])[-1])


def _unavailable(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"The peer {name} cannot be had here: it could not be installed ({why}).")
