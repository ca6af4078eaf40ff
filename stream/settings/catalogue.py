"""Every setting of a tree of sections as one flat list: what the loader, the writer and docs/settings.md read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stream.settings.convert import is_free_table
from stream.settings.fields import About, declared

__all__ = ["ENVIRONMENT_PREFIX", "Entry", "entries", "sections"]

ENVIRONMENT_PREFIX = "STREAM_"


@dataclass(frozen=True)
class Entry:
    """One setting: its dotted key, declared type, default and description."""

    key: str
    annotation: Any
    default: object
    about: About

    @property
    def table(self) -> str:
        """The dotted name of the section that holds it; "" at the top."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its name inside its section."""
        return self.key.rpartition(".")[2]

    @property
    def environment(self) -> str:
        """The environment variable that sets it: STREAM_SEED, STREAM_CHECKPOINT__KEEP."""
        return ENVIRONMENT_PREFIX + self.key.upper().replace(".", "__")

    @property
    def free_table(self) -> bool:
        """Whether it is a table whose keys are not ours, such as `kafka.options`."""
        return is_free_table(self.annotation)


def entries(root: type[Any], path: str = "") -> Iterator[Entry]:
    """Yield every setting below `root`: a section's own settings first, then those of its nested sections."""
    for field, annotation, about in declared(root):
        if about is not None:
            factory = field.default_factory
            default = field.default if factory is dataclasses.MISSING else factory()
            yield Entry(_join(path, field.name), annotation, default, about)
    for name, kind in sections(root):
        yield from entries(kind, _join(path, name))


def sections(root: type[Any]) -> Iterator[tuple[str, type[Any]]]:
    """Yield (field name, class) of the sections that are nested directly in `root`."""
    for field, annotation, about in declared(root):
        if about is None:
            yield field.name, annotation


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
