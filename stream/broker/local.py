"""`LocalBroker`: an Apache Kafka of one node on loopback that starts in seconds and cleans up after itself."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from stream.broker import guard
from stream.broker.jars import KAFKA_VERSION, kafka_jars
from stream.broker.java import find_java
from stream.broker.properties import broker_properties
from stream.errors import BrokerUnavailable, ConfigurationError

__all__ = ["LocalBroker"]

_JVM_OPTIONS = (
    "-XX:TieredStopAtLevel=1",  # halves the processor time of a start, and a local broker's work needs no better code
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
_STOP_SECONDS = guard.GRACE_SECONDS + 5


class LocalBroker:
    """A broker that lives as long as this object, as its process, or as the `with` block around it.

    Its data lie in a temporary directory that goes with it, or in `data_directory`, which stays and can be used again.
    The JVM runs under `stream.broker.guard`: it ends, and the temporary directory goes, even if this process is killed.

    Args:
        port: the port on 127.0.0.1; 0 for a free one.
        data_directory: where to keep the log; None for a temporary directory.
        start_seconds: how long the start may take.
        progress: called with (jars done, jars wanted) while jars are downloaded, which happens once on a machine.
        properties: further properties of the node, over ours; `{port}` and `{controller_port}` stand for the ports.
        format_arguments: what Kafka's `format` is told beside cluster and properties: --standalone for a quorum of one.
        cluster_id: 16 bytes in URL-safe base64, for nodes of one cluster; None for a fresh one.
    """

    def __init__(
        self,
        port: int = 0,
        data_directory: Path | None = None,
        start_seconds: float = 120.0,
        progress: Callable[[int, int], None] = lambda done, total: None,
        properties: Mapping[str, str] | None = None,
        format_arguments: Sequence[str] = ("--standalone",),
        cluster_id: str | None = None,
    ) -> None:
        self._port = port
        self._data_directory = data_directory
        self._start_seconds = start_seconds
        self._progress = progress
        self._properties = properties
        self._format_arguments = format_arguments
        self._cluster_id = cluster_id
        self._guard: subprocess.Popen[bytes] | None = None
        self._temporary: Path | None = None
        self._said: BinaryIO | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, "127.0.0.1:PORT"."""
        return f"127.0.0.1:{self._port}"

    @property
    def version(self) -> str:
        """The release that runs, "4.3.0"."""
        return KAFKA_VERSION

    @property
    def log_file(self) -> Path:
        """What the JVM printed: warnings and errors only."""
        return (self._temporary or Path()) / "broker.log"

    def start(self) -> Self:
        """Format the storage if that has not been done, start the broker and wait until it answers.

        Raises:
            BrokerUnavailable: no Java, no jars, or it did not come up; one sentence says which and what to do.
            ConfigurationError: the port asked for is taken.
        """
        if self._guard is not None:
            raise BrokerUnavailable("This LocalBroker runs already; make another one for a second broker.")
        java = [str(find_java()), *_JVM_OPTIONS, "-cp", os.pathsep.join(map(str, kafka_jars(self._progress)))]
        self._port, controller_port = _ports(self._port)
        self._temporary = temporary = Path(tempfile.mkdtemp(prefix="stream-broker-"))
        properties = temporary / "server.properties"
        data = self._data_directory or temporary / "data"
        data.mkdir(parents=True, exist_ok=True)
        text = broker_properties(self._port, controller_port, data.resolve(), self._properties)
        properties.write_text(text, encoding="utf-8")
        if not (data / "meta.properties").exists():
            # A fresh identity, as Kafka writes them: 16 bytes in URL-safe base64, which must not begin with a hyphen.
            fresh = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
            cluster = self._cluster_id or fresh
            storage = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
            self._spawn("-", [*java, *storage, *self._format_arguments])
            self._wait_for(lambda: self._running.poll() == 0, "format its storage")
            self._close_guard()
        self._spawn(str(temporary), [*java, "kafka.Kafka", str(properties)])
        self._wait_for(self._answers, "start")
        return self

    def stop(self) -> None:
        """Stop the broker, wait for its end and remove what was temporary; a second call does nothing."""
        if self._guard is not None:
            self._close_guard()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        if self._said is not None:
            self._said.close()
            self._said = None

    def wait(self) -> int:
        """Wait until the broker has ended by itself and return its exit status."""
        return self._running.wait()

    def poll(self) -> int | None:
        """Return None while the broker runs, else its exit status."""
        return self._running.poll()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._guard is None:
            raise BrokerUnavailable("This LocalBroker does not run; call start() first.")
        return self._guard

    def _spawn(self, directory: str, command: list[str]) -> None:
        with self.log_file.open("ab") as log:
            self._said = self._said or self.log_file.open("rb")  # readable even after the guard has cleaned up
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, directory, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _close_guard(self) -> None:
        running, self._guard = self._running, None
        assert running.stdin is not None
        running.stdin.close()
        try:
            running.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()

    def _wait_for(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self._start_seconds
        try:
            while not done():
                status = self._running.poll()
                if status not in (None, 0):
                    raise self._failure(what, f"exit status {status}")
                if time.monotonic() > deadline:
                    raise self._failure(what, f"no answer within {self._start_seconds:.0f} s")
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise

    def _failure(self, what: str, how: str) -> BrokerUnavailable:
        assert self._said is not None
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if "rror" in line or "xception" in line), "")
        return BrokerUnavailable(f"Kafka could not {what} ({how}){': ' + said if said else ''}.")

    def _answers(self) -> bool:
        if self._running.poll() is not None:
            return False
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return True
        except OSError:
            return False


def _ports(port: int) -> tuple[int, int]:
    """Return (port, controller's port), both free at this moment; `port` 0 asks for any."""
    with socket.socket() as first, socket.socket() as second:
        # As the broker itself does: connections that have just ended, in TIME_WAIT, do not keep a port.
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            first.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", "there is no such port")
            message = f"Port {port} of 127.0.0.1 cannot be used: {why}. Use another (--port), or 0 for a free one."
            raise ConfigurationError(message) from error
        second.bind(("127.0.0.1", 0))
        return int(first.getsockname()[1]), int(second.getsockname()[1])
