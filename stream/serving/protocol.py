"""HTTP with bounds that uvicorn leaves open: how long, and how large, the head of a request may be."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedProtocol"]

_HEAD_BYTES = 64 << 10


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with a deadline for each request's head, and a bound on its bytes."""

    def __init__(self, *args: Any, head_seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_seconds = head_seconds
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and end the connection if they are of a head without end."""
        if self._deadline is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        # What came with the head may be the beginning of a body: only a head that is still open is too long.
        if self._deadline is not None and self._head_bytes > _HEAD_BYTES:
            self._cut()

    def on_message_begin(self) -> None:
        """Begin to wait for the next head."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._have_head()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._have_head()
        self._head_bytes = 0
        self._deadline = self.loop.call_later(self._head_seconds, self._cut)

    def _have_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        self._have_head()
        if not self.transport.is_closing():
            self.transport.close()
