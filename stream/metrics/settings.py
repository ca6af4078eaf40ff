"""Where the metrics are served, and when the process counts as hung."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.settings.fields import Section, setting

__all__ = ["MetricsSettings"]


@dataclass(frozen=True)
class MetricsSettings(Section):
    """The HTTP server of /metrics, /healthz and /readyz."""

    prefix: ClassVar[str] = "metrics"
    enabled: bool = setting(True, "Serve /metrics, /healthz and /readyz.")
    host: str = setting(
        "127.0.0.1",
        "The address that the server listens on. It asks nobody for a password: keep it on a trusted network.",
    )
    port: int = setting(9464, "The server's TCP port; 0 takes a free one and says which.", minimum=0, maximum=65_535)
    poll_bound_seconds: float = setting(
        120.0,
        "/healthz fails when no poll has completed for this long. It has to leave room for the longest step, schema "
        "change, restore and checkpoint, whose transaction alone may take kafka.commit_seconds.",
        above=0,
    )
