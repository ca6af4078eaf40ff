"""The work as a list of jobs, one arm, stream and seed each; a result lies in a file named by all that made it."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import stream
from stream.bench.adaptation.arms import Arm
from stream.errors import ConfigurationError
from stream.settings.catalogue import entries
from stream.settings.learner import LearnerSettings

__all__ = ["Course", "Job", "Places", "code_digest"]

# What decides a trace, and nothing that only reads one. Retries, reports and plots may change without a new run.
_ROOMS: Final = ("adaptation", "data", "encoding", "evaluation", "network", "schema")
_MODULES: Final = ("digest", "interaction", "learner", "slots", "settings/learner")
_HERE: Final = (
    "baseline",
    "cost",
    "online",
    "oracle",
    "pairs",
    "past",
    "peer_script",
    "peers",
    "refit",
    "retrain",
    "scoring",
    "slices",
    "stream",
    "trace",
    "work",
)


@dataclass(frozen=True, slots=True)
class Course:
    """A stream at a length: what arms are compared on."""

    stream: str
    events: int | None = None
    """None: the stream's own length."""
    settings: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    """Settings for every arm that has them, such as how long a backbone is pre-trained on so short a stream."""

    @property
    def name(self) -> str:
        """What the report calls it."""
        return self.stream if self.events is None else f"{self.stream}@{self.events}"


@dataclass(frozen=True, slots=True)
class Job:
    """One run."""

    course: Course
    arm: Arm
    seed: int
    cost_seconds: float = field(default=1.0, compare=False)
    """What it is expected to take on one core."""

    @property
    def overrides(self) -> dict[str, str]:
        """The settings of course and arm together; the course's only if there is such a setting."""
        known = _known_settings()
        shared = {key: value for key, value in self.course.settings.items() if key in known}
        return {**shared, **self.arm.overrides}


@dataclass(frozen=True, slots=True)
class Places:
    """Where traces and facts lie: files in one folder, named by what made them."""

    directory: Path
    code: str
    """The `code_digest` of what ran, or will run."""

    @classmethod
    def of_this_code(cls, directory: Path) -> Places:
        """Return the places of runs by the code as it is."""
        return cls(directory, code_digest())

    @classmethod
    def of_the_newest(cls, directory: Path) -> Places:
        """Return the places of runs by the code that ran there last; raises ConfigurationError if none did."""
        newest = max(directory.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns, default=None)
        if newest is None:
            raise ConfigurationError(f"{directory} holds no run; leave out --report-only to make some")
        return cls(directory, newest.name.removesuffix(".npz").rpartition("--")[2])

    def trace(self, job: Job) -> Path:
        """Return where a trace lies: the same for the same arm, settings, stream, seed, length and code only."""
        made_of = [[job.arm.kind, job.arm.every_events], sorted(job.overrides.items())]
        names = (_file_name(job.course.name), _file_name(job.arm.name), f"s{job.seed}", _hash(made_of), self.code)
        return self.directory / f"{'--'.join(names)}.npz"

    def facts(self, job: Job) -> Path:
        """Return where the facts of the job's stream under its seed lie."""
        return self.directory / f"{_file_name(job.course.name)}--s{job.seed}--facts--{self.code}.npz"


@cache
def _known_settings() -> frozenset[str]:
    return frozenset(entry.key for entry in entries(LearnerSettings))


@cache
def code_digest() -> str:
    """Return a digest of the code that decides a trace; comments, docstrings and layout are not part of it."""
    digest = hashlib.sha256()
    for path in sorted(_code_files()):
        digest.update(ast.dump(_without_docstrings(ast.parse(path.read_text(encoding="utf-8")))).encode())
    return digest.hexdigest()[:16]


def _code_files() -> Iterator[Path]:
    package = Path(stream.__file__).parent
    for room in _ROOMS:
        yield from (package / room).rglob("*.py")
    here = Path(__file__).parent
    candidates = [*(package / f"{name}.py" for name in _MODULES), *(here / f"{name}.py" for name in _HERE)]
    yield from (path for path in candidates if path.exists())


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [each for each in node.body if not _is_text(each)]
    return tree


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+=-]+", "_", text)
