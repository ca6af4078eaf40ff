"""The live names of one kind (features or labels) while the changes of a version are applied to them, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, Literal, NamedTuple, TypeVar

from stream.errors import SchemaRejected
from stream.records.event_time import utc
from stream.records.reasons import VersionFault
from stream.records.strict_json import quoted
from stream.records.suggest import did_you_mean

__all__ = ["Alias", "Living"]

T = TypeVar("T")

_ABSENT = {"feature": VersionFault.FEATURE_ABSENT, "label": VersionFault.LABEL_ABSENT}
_LIVE = {"feature": VersionFault.FEATURE_LIVE, "label": VersionFault.LABEL_LIVE}
_ALIASED = {"feature": VersionFault.FEATURE_ALIASED, "label": VersionFault.LABEL_ALIASED}


class Alias(NamedTuple):
    """What an old name is read as in interactions."""

    to: str
    """The live name."""
    until_ms: int
    """Event time before which it is read so, Unix ms."""


class Living(Generic[T]):
    """What each live name has, and the aliases to live names; each method raises `SchemaRejected` or changes both.

    Args:
        what: the word for one of them.
        live: what each has, in order of arrival.
        aliases: by old name.
        now_ms: event time at which the changes take effect, Unix ms.
    """

    def __init__(
        self, what: Literal["feature", "label"], live: Mapping[str, T], aliases: Mapping[str, Alias], now_ms: int
    ) -> None:
        # A read-only view copies its dictionary itself in a thirtieth of the time that dict() walks through it.
        self.live: dict[str, T] = live.copy() if isinstance(live, MappingProxyType) else dict(live)
        self.aliases = dict(aliases)
        self._what = what
        self._now_ms = now_ms

    def add(self, name: str, value: T, where: str) -> None:
        """Let a name live; an alias of that name whose time is over ends."""
        self._require_free(name, where)
        self.aliases.pop(name, None)
        self.live[name] = value

    def remove(self, name: str, where: str) -> None:
        """Let a name go, and with it the aliases to it."""
        self.require_live(name, where)
        del self.live[name]
        self.aliases = {old: alias for old, alias in self.aliases.items() if alias.to != name}

    def rename(self, name: str, to: str, alias_until: int | None, where: str) -> None:
        """Move what a name has, and the aliases to it, to another one, and begin an alias if one is asked for."""
        self.require_live(name, where)
        self._require_free(to, where, unless_of=name)
        self.aliases.pop(to, None)
        self.aliases = {
            old: alias._replace(to=to) if alias.to == name else alias for old, alias in self.aliases.items()
        }
        if alias_until is not None:
            self.aliases[name] = Alias(to, alias_until)
        self.live[to] = self.live.pop(name)

    def require_live(self, name: str, where: str) -> None:
        """Refuse a change of a name that is not live."""
        if name not in self.live:
            meant = did_you_mean(name, self.live) or "; add it first, or correct the name"
            raise SchemaRejected(_ABSENT[self._what], f"{where}: no {self._what} {quoted(name)} is live{meant}")

    def _require_free(self, name: str, where: str, unless_of: str | None = None) -> None:
        if name in self.live:
            raise SchemaRejected(
                _LIVE[self._what],
                f"{where}: a {self._what} {quoted(name)} is live already; remove it first, or take another name",
            )
        alias = self.aliases.get(name)
        if alias is not None and alias.to != unless_of and self._now_ms < alias.until_ms:
            raise SchemaRejected(
                _ALIASED[self._what],
                f"{where}: {quoted(name)} is read as the {self._what} {quoted(alias.to)} until {alias.until_ms} "
                f"({utc(alias.until_ms)}); take another name, or a version with that ts",
            )
