"""Asking before a version is published whose event time is decades off: mostly its unit is wrong."""

from __future__ import annotations

from stream.errors import ConfigurationError, SchemaRejected
from stream.log.schema_history import SchemaHistory
from stream.records.event_time import YEAR_MS, in_words, seems_to_be, utc
from stream.records.reasons import VersionFault
from stream.records.strict_json import quoted
from stream.schema import Version

__all__ = ["require_near", "require_not_too_far_ahead"]

_FAR_MS = 10 * YEAR_MS


def require_near(history: SchemaHistory, version: Version, now_ms: int) -> None:
    """Refuse a version whose `ts`, or whose event time by an earlier version's `ts`, is decades from now.

    So is an alias that is over by then. Near are 0 (from the beginning of time), and what is near the last version's
    event time: a stream of history.

    Raises:
        ConfigurationError: it is far; the message says when it would take effect, and what was probably meant.
    """
    _require_aliases_to_last(history, version)
    last = history.schema.event_time_ms
    if last is not None and last - now_ms > _FAR_MS and version.ts <= last:
        holder = next(applied.version for applied in history.applied if applied.version.ts == last)
        raise ConfigurationError(
            f"version {version.version} would take effect at {last} ({utc(last)}) at the soonest, "
            f"{_from_now(last, now_ms)}: version {holder.version} has that ts, and no later version takes effect "
            "before it. Nothing was published; if it is meant so, add --far"
        )
    if history.applied and version.ts == history.applied[-1].version.ts:
        return
    if version.ts != 0 and abs(version.ts - now_ms) > _FAR_MS and not (last and abs(version.ts - last) <= _FAR_MS):
        unit = seems_to_be(version.ts)
        meant = f"; it seems to be in {unit}: give Unix milliseconds, or a date with its zone" if unit else ""
        raise ConfigurationError(
            f"the ts {version.ts} of version {version.version} is {utc(version.ts)}, "
            f"{_from_now(version.ts, now_ms)}{meant}. Nothing was published; if it is meant so, add --far"
        )


def _require_aliases_to_last(history: SchemaHistory, version: Version) -> None:
    """Refuse an alias that is over when its version takes effect: no interaction would be read by it."""
    effect = history.schema.event_time_of(version)
    for change in version.changes:
        until = change.alias_until
        if until is not None and until <= effect:
            unit = seems_to_be(until)
            meant = f"; it seems to be in {unit}: give Unix milliseconds" if unit else ""
            raise ConfigurationError(
                f"{change.op} {quoted(change.name)}: alias_until {until} ({utc(until)}) is not after {effect} "
                f"({utc(effect)}), at which the version takes effect{meant}. Nothing was published; if it is meant so "
                "(for late interactions, say), add --far"
            )


def require_not_too_far_ahead(version: Version, now_ms: int, max_ahead_ms: int) -> None:
    """Raise `SchemaRejected` if learners on Kafka would reject the version for its time."""
    if version.ts - now_ms > max_ahead_ms:
        raise SchemaRejected(
            VersionFault.TS_AHEAD,
            f"version {version.version}: its ts {version.ts} ({utc(version.ts)}) is {in_words(version.ts - now_ms)} "
            f"ahead of now, and learners reject what is more than {in_words(max_ahead_ms)} ahead; give a nearer --ts, "
            "or raise version_max_ahead_seconds here and for them",
        )


def _from_now(ts_ms: int, now_ms: int) -> str:
    return f"{in_words(ts_ms - now_ms)} {'from now' if ts_ms > now_ms else 'ago'}"
