"""Reading the settings: defaults, a TOML file, the environment, `--set`; each layer overrides the one before."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from stream.errors import ConfigurationError
from stream.settings.catalogue import ENVIRONMENT_PREFIX, Entry, entries, sections
from stream.settings.convert import Mismatch, as_type, free_value, from_text
from stream.settings.fields import WrongSetting
from stream.settings.secrets import MASK, looks_secret

__all__ = ["NOT_SETTINGS", "build", "load"]

S = TypeVar("S")

# Variables that begin like a setting and are none. Kubernetes gives every pod a set of variables for each service, so a
# service that is called "stream" must not stop the learner beside it.
NOT_SETTINGS = frozenset({"STREAM_REQUIRE_ALL"})
_KUBERNETES = re.compile(r"STREAM(_[A-Z0-9]+)*?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")


def load(
    kind: type[S],
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    assignments: Sequence[str] = (),
) -> S:
    """Build the settings `kind` from all layers; whatever none of them sets has its default.

    Args:
        kind: the root section.
        config: a TOML file; None for none.
        environment: variables, of which those that begin with STREAM_ are read; None for none.
        assignments: texts `KEY=VALUE` with a dotted key, as `--set` takes them.

    Raises:
        ConfigurationError: the file cannot be read, a key is unknown, or a value is wrong; the message names the key,
            where it was set, and what to do.
    """
    layers = _Layers({entry.key: entry for entry in entries(kind)})
    if config is not None:
        layers.read_table(_read_toml(config), f"the file {config}")
    for name, text in sorted((environment or {}).items()):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NOT_SETTINGS and not _KUBERNETES.fullmatch(name):
            layers.read_variable(name, text)
    for assignment in assignments:
        layers.read_assignment(assignment)
    try:
        return build(kind, layers.values)
    except WrongSetting as error:
        origin = layers.origins.get(error.key)
        raise ConfigurationError(f"{error} It was set by {origin}." if origin else str(error)) from None


@dataclass
class _Layers:
    known: Mapping[str, Entry]
    values: dict[str, object] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def read_table(self, table: Mapping[str, object], origin: str, path: str = "") -> None:
        for name, value in table.items():
            key = f"{path}.{name}" if path else name
            if key in self.known:
                self.put(key, value, origin)
            elif not self._is_section(key):
                raise self._unknown(key, origin, [*self.known, *{known.rpartition(".")[0] for known in self.known}])
            elif isinstance(value, Mapping):
                self.read_table(value, origin, key)
            else:
                raise ConfigurationError(
                    f"{key} is a section, but {origin} gives it a value. Write [{key}] and its keys below."
                )

    def read_variable(self, name: str, text: str) -> None:
        origin = f"the environment variable {name}"
        by_variable = {entry.environment: entry for entry in self.known.values()}
        if name in by_variable:
            self.put_text(by_variable[name].key, text, origin)
            return
        for variable, entry in by_variable.items():
            option = name.removeprefix(f"{variable}__")
            if entry.free_table and option != name:
                self.put_option(entry, option.lower(), text, origin)
                return
        raise self._unknown(name, "the environment", by_variable)

    def read_assignment(self, assignment: str) -> None:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals:
            raise ConfigurationError(f"--set {assignment} has no value. Write --set KEY=VALUE, as in --set seed=1.")
        origin = f"--set {key}"
        if key in self.known:
            self.put_text(key, text, origin)
            return
        for entry in self.known.values():
            option = key.removeprefix(f"{entry.key}.")
            if entry.free_table and option != key:
                self.put_option(entry, option, text, origin)
                return
        raise self._unknown(key, "--set", self.known)

    def put(self, key: str, value: object, origin: str) -> None:
        self._store(key, value, as_type, value, origin)

    def put_text(self, key: str, text: str, origin: str) -> None:
        self._store(key, text, from_text, text, origin)

    def put_option(self, entry: Entry, option: str, text: str, origin: str) -> None:
        # A password that happens to consist of digits stays the text that it is.
        self.put(entry.key, {option: text if looks_secret(option) else free_value(text)}, origin)

    def _store(self, key: str, shown: object, convert: Any, value: object, origin: str) -> None:
        entry = self.known[key]
        try:
            converted = convert(value, entry.annotation)
        except Mismatch as mismatch:
            text = MASK if looks_secret(key) or entry.free_table else repr(shown)
            raise ConfigurationError(
                f"{key} = {text} is not {mismatch.wanted}. {mismatch.remedy} It was set by {origin}."
            ) from None
        if entry.free_table and isinstance(converted, Mapping):
            before = self.values.get(key, entry.default)
            converted = {**(before if isinstance(before, Mapping) else {}), **converted}
        self.values[key] = converted
        self.origins[key] = origin

    def _is_section(self, key: str) -> bool:
        # A section that has no settings yet is not known here; none of its keys would be either.
        return any(known.startswith(f"{key}.") for known in self.known)

    def _unknown(self, key: str, origin: str, known: Iterable[str]) -> ConfigurationError:
        names = sorted(known)
        close = [name for name in names if _last_word(name) == _last_word(key)]
        close = close or difflib.get_close_matches(key, names, n=1, cutoff=0.6)
        advice = f"Did you mean {' or '.join(close[:3])}?" if close else "`stream config` lists every setting."
        return ConfigurationError(f"{key} (from {origin}) is not a setting. {advice}")


def _last_word(key: str) -> str:
    return re.split(r"\.|__", key.removeprefix(ENVIRONMENT_PREFIX))[-1]


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # an editor may have put a mark before it
    except OSError as error:
        raise ConfigurationError(
            f"The configuration file {path} cannot be read: {error.strerror}. Give --config an existing file; "
            "`stream config --output FILE` writes one."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"The configuration file {path} is not UTF-8 at byte {error.start}. Save it as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"The configuration file {path} is not valid TOML: {error}. Correct it there."
        ) from error


def build(kind: type[S], values: Mapping[str, object]) -> S:
    """Build the settings `kind` from values by dotted key ("checkpoint.keep"); what is missing has its default.

    Raises:
        WrongSetting: a value is wrong.
        TypeError: a key is not a setting of `kind`.
    """
    arguments: dict[str, object] = {name: build(inner, _below(values, name)) for name, inner in sections(kind)}
    own = {key: value for key, value in values.items() if key.partition(".")[0] not in arguments}
    return kind(**own, **arguments)


def _below(values: Mapping[str, object], section: str) -> dict[str, object]:
    start = f"{section}."
    return {key.removeprefix(start): value for key, value in values.items() if key.startswith(start)}
