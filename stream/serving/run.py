"""The process, or the processes, that `stream serve` runs until it is stopped."""

from __future__ import annotations

import functools
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from stream.errors import ConfigurationError
from stream.serving.app import create_app
from stream.serving.metrics import DIRECTORY
from stream.serving.protocol import BoundedProtocol
from stream.serving.settings import ServeSettings

__all__ = ["serve_versions"]


def serve_versions(directory: Path, settings: ServeSettings, listening: Callable[[str], None]) -> None:
    """Answer from the model versions in `directory` until SIGTERM or SIGINT; `listening` is told the URL.

    Raises ConfigurationError if the address cannot be listened on, or the directory is not there.
    """
    if not directory.is_dir():
        raise ConfigurationError(
            f"{directory} is no directory of model versions; name the publish.directory of a learner"
        )
    with ExitStack() as stack:
        listener = stack.enter_context(_listener(settings))
        port = int(listener.getsockname()[1])
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        if settings.workers > 1:
            os.environ[DIRECTORY] = stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-serve-"))
        config = _config(directory, settings)
        listening(f"http://{host}:{port}")
        if settings.workers > 1:
            Multiprocess(config, sockets=[listener]).run()
        else:
            uvicorn.Server(config).run(sockets=[listener])


def _listener(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP: asyncio then lets small answers go at once (TCP_NODELAY).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(512)
        listener.set_inheritable(True)
    except (OSError, OverflowError) as problem:
        listener.close()
        raise ConfigurationError(
            f"serve.host = {settings.host!r}, serve.port = {settings.port}: cannot listen there ({problem}). Choose "
            "another port (0 takes a free one) or an address of this machine"
        ) from problem
    return listener


def _config(directory: Path, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        functools.partial(create_app, directory, settings),
        factory=True,
        workers=settings.workers,
        http=functools.partial(BoundedProtocol, head_seconds=settings.request_seconds),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=max(1, round(settings.idle_seconds)),
        timeout_graceful_shutdown=10,
        backlog=512,
    )
