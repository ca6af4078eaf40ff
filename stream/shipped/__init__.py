"""Files that come with the package for others to read: systemd unit, Prometheus' rules, Grafana's dashboard.

`deploy` and `dashboards` here are links to the repository's own; a wheel holds the files.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from stream.errors import ConfigurationError

__all__ = ["SHIPPED", "copy_shipped"]

SHIPPED = ("deploy", "dashboards")
"""The folders that there are."""


def copy_shipped(folder: str, to: Path) -> list[Path]:
    """Write the files of a folder into the directory `to`, made where it is missing; return their paths.

    Raises `ConfigurationError`, before anything is written, if another file is in the way or `to` cannot be written.
    """
    contents = {to / entry.name: entry.read_bytes() for entry in files(__name__).joinpath(folder).iterdir()}
    try:
        if taken := [path for path, content in contents.items() if path.exists() and path.read_bytes() != content]:
            raise ConfigurationError(f"{sorted(taken)[0]} is there and differs; move it away, or name another --to")
        to.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"{to} cannot be written: {error.strerror}; name another --to") from error
    return sorted(contents)
