"""Other libraries on the same bytes: from JSON to a learned event, one thread each, in environments of their own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Final

from stream.bench.peer_environment import DEEP_RIVER, peer_python
from stream.bench.speed.workload import Workload
from stream.errors import ConfigurationError

__all__ = ["LINEAR", "PEERS", "run_peer"]

PEERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "deep-river": ("deep-river", DEEP_RIVER),
    "scikit-learn": ("scikit-learn", ("scikit-learn>=1.5", "orjson")),
    "vowpal-wabbit": ("vowpal-wabbit", ("vowpalwabbit>=9.8", "numpy", "orjson")),
}
"""Each peer's environment: its name, and what is installed there."""
LINEAR: Final = frozenset({"vowpal-wabbit"})
"""Peers without hidden layers."""


def run_peer(name: str, workload: Workload) -> tuple[float, float]:
    """Return a peer's CPU seconds for a workload, and the mean loss of its predictions in nats a pair.

    Raises:
        ConfigurationError: the peer cannot be had here, or failed, and why.
    """
    environment, requirements = PEERS[name]
    python = peer_python(environment, requirements)
    script = Path(__file__).with_name("peer_script.py")
    # -P: the script's own folder holds modules of ours by names that the standard library has too.
    offers = ",".join(workload.offers())
    command = [str(python), "-P", str(script), name, str(workload.interactions), offers]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(workload.settings.batch_size)],
        env=os.environ | threads,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ConfigurationError(f"The peer {name} failed here: {last}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return float(found["cpu_seconds"]), float(found["loss"])
