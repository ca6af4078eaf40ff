"""Packages that only some commands need: extras of the distribution, named if one is missing."""

from __future__ import annotations

from importlib.util import find_spec

from stream.errors import ConfigurationError

__all__ = ["install", "require"]


def install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'stream-learner[{extra}]'"


def require(extra: str, package: str, what: str) -> None:
    """Raise `ConfigurationError` if the `package` of an `extra` is not installed, which `what` needs."""
    if find_spec(package) is None:
        raise ConfigurationError(f"{what} needs the package {package}, which is not installed: {install(extra)}")
