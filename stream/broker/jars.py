"""Kafka's own jars: which they are (kafka.lock), where they are kept, and how they get there.

`kafka.lock` pins every jar by coordinate and SHA-256; nothing runs that does not match it. The jars come from Maven
Central (or the repositories of the user's jgo configuration) by jgo's resolver, once, into the user's cache. To move to
another release, change `KAFKA_VERSION`, run `python -m stream.broker.jars > stream/broker/kafka.lock` and review the
difference: this resolves the dependencies anew and trusts what it downloads, so compare the sums with published ones.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from stream.errors import BrokerUnavailable
from stream.installed.cache import user_cache
from stream.installed.extras import install

__all__ = ["KAFKA_VERSION", "LockedJar", "cache_directory", "kafka_jars", "locked_jars"]

KAFKA_VERSION = "4.3.0"
_ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
_DOWNLOADS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class LockedJar:
    """A jar by its Maven coordinate `group:artifact:version` and the SHA-256 of its bytes, 64 hex digits."""

    coordinate: str
    sha256: str

    def is_at(self, path: Path) -> bool:
        """Say whether these very bytes are there."""
        return path.is_file() and _sha256(path) == self.sha256


def locked_jars() -> list[LockedJar]:
    """Return what kafka.lock pins, in class path order."""
    text = resources.files("stream.broker").joinpath("kafka.lock").read_text(encoding="ascii")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return [LockedJar(coordinate, sha256) for sha256, coordinate in lines]


def cache_directory() -> Path:
    """Return where the jars are kept: a folder of the release in the user's cache ($XDG_CACHE_HOME, else ~/.cache)."""
    return user_cache(f"kafka-{KAFKA_VERSION}")


def kafka_jars(progress: Callable[[int, int], None] = lambda done, total: None) -> list[Path]:
    """Return the paths of all jars, every one checked against its sum; what is missing or damaged is downloaded.

    `progress(done, total)` is called as jars arrive. Several processes may call this at once; one downloads.

    Raises:
        BrokerUnavailable: a jar is not in the cache and cannot be downloaded, or what was downloaded has another sum.
    """
    directory = cache_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory / "lock"):
            return _present(directory, progress)
    except OSError as error:
        raise BrokerUnavailable(f"Kafka's jars cannot be kept in {directory}: {error}. Set XDG_CACHE_HOME.") from error


def _present(directory: Path, progress: Callable[[int, int], None]) -> list[Path]:
    jars = locked_jars()
    paths = [_path(directory, jar.coordinate) for jar in jars]
    missing = [(jar, path) for jar, path in zip(jars, paths, strict=True) if not jar.is_at(path)]
    for _, path in missing:
        path.unlink(missing_ok=True)  # jgo takes any file that is there for a finished download
    if missing:
        resolve = _resolver(directory)
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            for done, _ in enumerate(pool.map(lambda pair: _download(resolve, *pair), missing), 1):
                progress(done, len(missing))
    return paths


def _download(resolve: Callable[[str], Path], jar: LockedJar, path: Path) -> None:
    try:
        found = resolve(jar.coordinate)
    except Exception as error:  # jgo lets its HTTP library's errors through and raises bare RuntimeErrors
        raise BrokerUnavailable(
            f"Kafka cannot be started here: {jar.coordinate} is not in the cache and could not be downloaded "
            f"({type(error).__name__}). Allow network access once, or name a running broker with --bootstrap-servers."
        ) from error
    if found != path or not jar.is_at(path):
        found.unlink(missing_ok=True)
        raise BrokerUnavailable(
            f"Kafka cannot be started here: {jar.coordinate} as downloaded does not have the SHA-256 that kafka.lock "
            "names. Something between here and the repository alters files; the download was deleted."
        )


def _resolver(directory: Path) -> Callable[[str], Path]:
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise BrokerUnavailable(
            "Kafka cannot be started here: its jars are not in the cache and the Python package jgo, which downloads "
            f"them, is not installed: {install('broker')}; or name a running broker with --bootstrap-servers."
        ) from error
    repositories = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    context = MavenContext(repo_cache=directory, remote_repos=repositories, timeout=30)

    def resolve(coordinate: str) -> Path:
        return Path(context.create_dependency(coordinate).artifact.resolve())

    return resolve


def _path(directory: Path, coordinate: str) -> Path:
    group, artifact, version = coordinate.split(":")
    return directory.joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.jar")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _resolved_anew() -> Iterator[str]:
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=cache_directory())
    given, transitive = context.resolver.resolve([context.create_dependency(root) for root in _ROOTS])
    for dependency in (*given, *sorted(transitive, key=lambda found: (found.groupId, found.artifactId))):
        artifact = dependency.artifact
        yield f"{_sha256(artifact.resolve())} {artifact.groupId}:{artifact.artifactId}:{artifact.version}"


if __name__ == "__main__":
    print(f"# What Apache Kafka {KAFKA_VERSION} runs on: SHA-256 and Maven coordinate of each jar, in class path order")
    print("# Written by: python -m stream.broker.jars > stream/broker/kafka.lock")
    for entry in _resolved_anew():
        print(entry)
