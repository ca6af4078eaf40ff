"""A client of one connection, and a server process to ask."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream.errors import StreamError

__all__ = ["Client", "Served", "percentile", "served"]


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of the values lie at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Client:
    """One kept connection."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=60)

    def ask(self, body: Any) -> tuple[int, dict[str, Any]]:
        """Return status and answer of a question."""
        return self._call("POST", "/v1/recommend", json.dumps(body).encode())

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and answer of a path."""
        return self._call("GET", path, None)

    def _call(self, method: str, path: str, body: bytes | None) -> tuple[int, dict[str, Any]]:
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Served:
    """A running server."""

    def __init__(self, url: str, process: subprocess.Popen[str], start_seconds: float) -> None:
        self.url, self.process, self.start_seconds = url, process, start_seconds
        self.start_cpu_seconds = _cpu_seconds(process.pid)


@contextmanager
def served(versions: Path, *arguments: str) -> Iterator[Served]:
    """Run `stream serve` over a directory that has a version; it is ready to answer in the block."""
    command = [sys.executable, "-m", "stream", "serve", str(versions), "--set", "serve.port=0", *arguments]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            if found is None:
                raise StreamError(f"stream serve did not start: {process.communicate(timeout=30)[0]}")
            while not _answers(found[0]):
                if process.poll() is not None or time.perf_counter() - begun > 120:
                    raise StreamError("stream serve did not get ready within two minutes")
                time.sleep(0.02)
            yield Served(found[0], process, time.perf_counter() - begun)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _cpu_seconds(pid: int) -> float | None:
    """Return the processor time of a process so far; None where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _answers(url: str) -> bool:
    client = Client(url)
    try:
        return client.get("/readyz")[0] == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()
