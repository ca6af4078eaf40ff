"""A learner that publishes into a directory, and a server process that answers from it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from stream.library import Learner
from stream.observe import Observer
from stream.publish.pointer import read_pointer
from stream.publish.publisher import Publisher
from stream.publish.retention import Retention
from stream.publish.settings import PublishSettings
from stream.publish.store import VersionStore
from stream.scoring.of_learner import snapshot_of


class Publishing:
    """A learner's versions, published one by one when asked for."""

    def __init__(self, directory: Path, learner: Learner) -> None:
        self.directory, self.learner = directory, learner
        settings = PublishSettings(delta_seconds=1e-6, share=1.0, gate_events=0, delta_loss=1e9)
        store = VersionStore(directory, "test", Retention())
        self._publisher = Publisher(store, settings, lambda: snapshot_of(self.learner), None, Observer())
        self._publisher.take_over(lambda: None, anything=True)
        self._schema_version = -1

    def publish(self) -> int:
        """Publish the learner as it stands; return the version."""
        if self.learner.schema.version != self._schema_version:
            self._publisher.schema_applied()
            self._schema_version = self.learner.schema.version
        self._publisher.trained(None)
        deadline = time.monotonic() + 60
        before = self.version
        while self.version == before:
            self._publisher.tend()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        return self.version

    @property
    def version(self) -> int:
        pointer = read_pointer(self.directory)
        return 0 if pointer is None else pointer.version

    def close(self) -> None:
        self._publisher.close()


class Server:
    """A server process and a client of it."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url
        self.http = httpx.Client(base_url=url, timeout=30)

    def ask(self, body: Any, **more: Any) -> Any:
        answer = self.http.post("/v1/recommend", json=body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_for(self, version: int, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            answer = self.http.get("/readyz").json()
            if answer.get("model_version", 0) >= version:
                return
            assert time.monotonic() < deadline, answer
            time.sleep(0.01)


@contextmanager
def serving(directory: Path, *arguments: str) -> Iterator[Server]:
    """Run `stream serve` on a free port."""
    command = [sys.executable, "-m", "stream", "serve", str(directory), "--set", "serve.port=0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://\S+", line)
            assert found, (line, process.communicate(timeout=30))
            server = Server(process, found[0])
            deadline = time.monotonic() + 60
            while True:
                try:
                    server.http.get("/livez")
                    break
                except httpx.TransportError:
                    assert process.poll() is None, process.communicate()
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            yield server
            server.http.close()
        finally:
            process.terminate()
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
