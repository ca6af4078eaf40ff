"""A real Prometheus on loopback, with the deployed configuration and rules, that scrapes one exporter."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"


def require(program: str) -> str:
    """Return the program's path; without it skip the test, or fail where all have to run (STREAM_REQUIRE_ALL=1)."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed (Debian: apt-get install prometheus)"
        if os.environ.get("STREAM_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def free_port() -> int:
    """Return a TCP port of loopback that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def text_of(url: str) -> str:
    """Return what a GET of the URL answers."""
    with urllib.request.urlopen(url, timeout=10) as response:
        body: bytes = response.read()
    return body.decode()


class Prometheus:
    """Scrapes from construction, every half second instead of every 15, until :meth:`close`.

    Args:
        directory: for its configuration, data and log.
        exporter: ``host:port`` to scrape.
    """

    def __init__(self, directory: Path, exporter: str) -> None:
        program = require("prometheus")
        port = free_port()
        config = (DEPLOY / "prometheus.yml").read_text(encoding="utf-8")
        changed = config.replace("127.0.0.1:9464", exporter)
        changed = changed.replace("interval: 15s", "interval: 500ms").replace("timeout: 10s", "timeout: 500ms")
        assert changed.count("500ms") == 3
        (directory / "prometheus.yml").write_text(changed, encoding="utf-8")
        shutil.copy(DEPLOY / "alerts.yml", directory)
        self._url = f"http://127.0.0.1:{port}"
        self._log = (directory / "prometheus.log").open("w+b")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.wait_until(self._ready, "ready")
        # Some seconds pass before it takes up what it is to scrape.
        self.wait_until(lambda: bool(self.query('up{job="stream"}')), "scraping")

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
        """Return when the condition holds; fail with Prometheus' log when it has ended or time is up."""
        end = time.monotonic() + seconds
        while not condition():
            if self._process.poll() is not None or time.monotonic() > end:
                self._log.seek(0)
                said = self._log.read().decode(errors="replace")[-3_000:]
                pytest.fail(f"Prometheus, or what it watches, is not {what}:\n{said}")
            time.sleep(0.1)

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an API call; fail where Prometheus answers with an error."""
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as refusal:
            with refusal:
                pytest.fail(f"Prometheus refused {path} {parameters}: {refusal.read().decode()}")
        assert answer["status"] == "success", answer
        assert not answer.get("warnings"), answer
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """Return the series of an instant query."""
        result: list[Any] = self.ask("query", query=expression)["result"]
        return result

    def query_range(self, expression: str, seconds: float) -> list[Any]:
        """Return the series of the expression over the last seconds, in steps of half a second."""
        now = time.time()
        data = self.ask("query_range", query=expression, start=f"{now - seconds}", end=f"{now}", step="0.5")
        result: list[Any] = data["result"]
        return result

    def close(self) -> None:
        """End the process; its directory is the caller's."""
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
