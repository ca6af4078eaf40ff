"""Where answers are given, to whom, and what one who asks may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.settings import Section, setting

__all__ = ["ServeSettings"]


@dataclass(frozen=True)
class ServeSettings(Section):
    """The HTTP service that answers from published model versions (`stream serve`)."""

    prefix: ClassVar[str] = "serve"

    host: str = setting(
        "127.0.0.1",
        "The address that is listened on. Beyond this machine set serve.token too, and put TLS in front.",
    )
    port: int = setting(9465, "The TCP port; 0 takes a free one and says which.", minimum=0, maximum=65_535)
    workers: int = setting(
        1, "Processes that answer; they share the pages of the version's file.", minimum=1, maximum=256
    )
    token: str = setting("", "If set, everything but /livez and /readyz wants it, as in `Authorization: Bearer TOKEN`.")
    poll_seconds: float = setting(
        0.1, "How often the directory is asked for a new version; it costs one look at one file.", above=0
    )
    max_staleness_seconds: float = setting(
        0.0,
        "/readyz fails while the wall clock is further ahead of the model's event time than this; 0: never for that.",
        minimum=0,
    )
    max_body_bytes: int = setting(4 << 20, "Bytes of a request's body.", minimum=1)
    max_events: int = setting(1000, "Events in one request.", minimum=1)
    max_pairs: int = setting(
        20_000_000, "Pairs of an event and an offer in one request: events x live offers at most.", minimum=1
    )
    max_k: int = setting(1000, "Offers asked for one event.", minimum=1)
    max_explained: int = setting(50, "Offers of one event whose scores are explained.", minimum=1)
    max_connections: int = setting(
        1000, "Connections at a time, of one worker; beyond it a request is answered 503.", minimum=1
    )
    request_seconds: float = setting(10.0, "How long a request's head, and then its body, may take to arrive.", above=0)
    idle_seconds: float = setting(30.0, "How long a connection may stay open between two requests.", above=0)
