"""Serves /metrics, /healthz and /readyz from a thread of its own."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from stream.errors import ConfigurationError
from stream.metrics.health import Health, Verdict
from stream.metrics.settings import MetricsSettings

__all__ = ["MetricsServer"]

_CONNECTIONS = 32
"""Connections at once, each a descriptor and a thread: idle ones must not take what checkpoints and Kafka need."""
_REQUEST_SECONDS = 10.0
"""A whole request, from its connection to its answer's last byte."""
_YIELD_SECONDS = 1.0
_OVER = 0.0
_CLOSE_SECONDS = 0.1


class MetricsServer:
    """An HTTP server on `settings.host` and `settings.port`; it listens once it is constructed.

    /metrics answers in the format that the client asks for (text or OpenMetrics). /healthz and /readyz answer 200 or
    503 and a JSON object of `status` (`ok` or `failing`) and `reason`, a sentence; /readyz adds
    `schema_rejection`, a sentence while a version stands rejected, else null. Anything else is 404.
    At most 32 connections are open; where one more comes, the oldest is closed. One has ten seconds for its request.

    Use it as a context manager, or call `close`.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """

    def __init__(self, settings: MetricsSettings, registry: CollectorRegistry, health: Health) -> None:
        # A `_created` series for each counter and bucket set would double the exposition and is in no table.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        try:
            self._server = _Server((settings.host, settings.port), registry, health)
        except (OSError, OverflowError) as problem:
            raise ConfigurationError(
                f"metrics.host = {settings.host!r}, metrics.port = {settings.port}: cannot listen there ({problem}). "
                "Choose another port (0 takes a free one) or an address of this machine."
            ) from problem
        serving = {"poll_interval": _CLOSE_SECONDS}
        self._thread = Thread(target=self._server.serve_forever, kwargs=serving, name="metrics-http", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is listened on; the one chosen if the setting is 0."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """`http://host:port` without a path."""
        host = str(self._server.server_address[0])
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def close(self) -> None:
        """Stop answering and free the port; a second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a client that never finishes must not keep the process
    request_queue_size = 128  # these wait in the kernel, and take no descriptor of ours

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry, health: Health) -> None:
        self.registry, self.health = registry, health
        self._deadlines: dict[socket.socket, float] = {}
        """By open connection, oldest first, when it has to be over."""
        self._lock = Lock()
        self._places = BoundedSemaphore(_CONNECTIONS)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the resolver for the machine's full name, which can take seconds.
        socket_address = self.server_address
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(socket_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own; a scrape gets in however many others sit there and say nothing."""
        if not self._places.acquire(blocking=False):
            with self._lock:
                self._cut(next(iter(self._deadlines), None))
            if not self._places.acquire(timeout=_YIELD_SECONDS):
                self.shutdown_request(request)
                return
        with self._lock:
            self._deadlines[request] = time.monotonic() + _REQUEST_SECONDS
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and free its place."""
        super().shutdown_request(request)
        with self._lock:
            held = self._deadlines.pop(request, None) is not None
        if held:
            self._places.release()

    def service_actions(self) -> None:
        """End what has had its time: under a bound on each read alone a byte now and then would hold a thread."""
        now = time.monotonic()
        with self._lock:
            for request in [request for request, deadline in self._deadlines.items() if deadline <= now]:
                self._cut(request)

    def is_over(self, request: socket.socket) -> bool:
        """Say whether a connection was ended from here."""
        return self._deadlines.get(request, _OVER) == _OVER

    def _cut(self, request: socket.socket | None) -> None:
        """End a connection under the thread that waits for it, which then closes it; called with the lock."""
        if request is not None:
            self._deadlines[request] = _OVER
            with suppress(OSError):  # it is closed already
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _REQUEST_SECONDS
    server_version = "stream"
    sys_version = ""

    def parse_request(self) -> bool:
        """A connection that was cut ends amid its headers: then there is nobody to answer."""
        return super().parse_request() and not self.server.is_over(self.connection)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, content_type, encode(self.server.registry))
        elif path == "/healthz":
            self._verdict(self.server.health.alive(), {})
        elif path == "/readyz":
            verdict = self.server.health.ready()
            self._verdict(verdict, {"schema_rejection": verdict.rejection})
        else:
            self._answer(404, "text/plain; charset=utf-8", b"Not here. Try /metrics, /healthz or /readyz.\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _verdict(self, verdict: Verdict, more: dict[str, str | None]) -> None:
        told = {"status": "ok" if verdict.ok else "failing", "reason": verdict.reason}
        body = json.dumps(told | more)
        self._answer(200 if verdict.ok else 503, "application/json", body.encode() + b"\n")

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are not news; the service's log is for the service."""
