"""The code of before, beside today's: a commit of this repository, unpacked into the user's cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from stream.bench.speed.workload import Workload
from stream.errors import ConfigurationError
from stream.installed.cache import user_cache

__all__ = ["FORMER", "former_code", "from_memory_then"]

FORMER = "31835ad"
"""The last commit before the loops were compiled."""
_SCRIPT = """
import dataclasses, json, sys, time
from pathlib import Path
import torch
from stream.bench.speed import Workload, _from_memory
from stream.network.settings import NetworkSettings
from stream.settings.root import Settings
given = json.loads(sys.argv[1])
torch.set_num_threads(1)
settings = Settings(batch_size=given["batch_size"], batch_age_seconds=0,
                    network=NetworkSettings(hidden=tuple(given["hidden"])))
measured = dataclasses.replace(settings.evaluation, attribute=given["attribute"], finite=given["finite"])
settings = dataclasses.replace(settings, evaluation=measured)
workload = Workload("then", Path(given["interactions"]), Path(given["schema"]), settings)
lines = workload.lines()
started = time.process_time()
_from_memory(workload, lines)
print(time.process_time() - started)
"""


def former_code() -> Path:
    """Return a folder with the code of `FORMER`, unpacked once.

    Raises:
        ConfigurationError: this is no clone that has that commit.
    """
    place = user_cache(f"former-{FORMER}")
    if (place / "stream").is_dir():
        return place
    root = Path(__file__).resolve().parents[3]
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        archive = Path(temporary) / "code.tar"
        command = ["git", "-C", str(root), "archive", "--output", str(archive), FORMER, "stream"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            why = (getattr(error, "stderr", None) or str(error)).strip()
            raise ConfigurationError(f"The code of commit {FORMER} cannot be had here: {why}") from error
        unpacked = Path(temporary) / "code"
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        try:
            unpacked.rename(place)
        except OSError:
            if not (place / "stream").is_dir():  # another process was first
                raise
    return place


def from_memory_then(workload: Workload) -> float:
    """Return the CPU seconds that the former code takes for a workload from memory, in a process of its own.

    Raises:
        ConfigurationError: it cannot be had here, or failed, and why.
    """
    settings = workload.settings
    given = {
        "interactions": str(workload.interactions),
        "schema": str(workload.schema),
        "batch_size": settings.batch_size,
        "hidden": list(settings.network.hidden),
        "attribute": settings.evaluation.attribute,
        "finite": settings.evaluation.finite,
    }
    environment = os.environ | {"PYTHONPATH": str(former_code()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", _SCRIPT, json.dumps(given)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ConfigurationError(f"The code of commit {FORMER} failed here: {last}")
    return float(done.stdout.split()[-1])
