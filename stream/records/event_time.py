"""Event time for people: as a date beside its milliseconds, and what unit a number seems to be in."""

from __future__ import annotations

__all__ = ["MAX_TS_MS", "TS_WANTED", "YEAR_MS", "in_words", "seems_to_be", "utc"]

MAX_TS_MS = 8_640_000_000_000_000
"""The largest event time, and negated the smallest: 100 million days around 1970, as ECMAScript's dates have it."""

TS_WANTED = f"an integer: Unix time in milliseconds, within {MAX_TS_MS:,} of 0"
"""What a `ts` has to be, for messages."""

DAY_MS = 86_400_000
YEAR_MS = 31_557_600_000
"""365.25 days."""

_SECONDS_FROM, _SECONDS_TO = 10**8, 10**11
"""As milliseconds these lie between 2 January 1970 and 1973, as seconds between 1973 and 5138."""
_MICROSECONDS_FROM, _NANOSECONDS_FROM = 10**14, 10**17
"""As milliseconds these lie from the year 5138 on."""


def utc(ts_ms: int) -> str:
    """Return Unix milliseconds as a date and time in UTC, to the second: `2024-03-13 10:21:14 UTC`."""
    from numpy import datetime64  # datetime ends with the year 9999, event time does not

    return f"{str(datetime64(ts_ms // 1000, 's')).replace('T', ' ')} UTC"


def in_words(span_ms: int) -> str:
    """Return a span of time in the largest unit of which there are two: `56 years`, `3 hours`."""
    size = abs(span_ms)
    for unit, length in (("years", YEAR_MS), ("days", DAY_MS), ("hours", 3_600_000), ("minutes", 60_000)):
        if size >= 2 * length:
            return f"{size // length:,} {unit}"
    return f"{size / 1000:,.0f} seconds"


def seems_to_be(ts_ms: int) -> str | None:
    """Return the unit that a number was probably written in, None if milliseconds are as likely."""
    if _SECONDS_FROM <= ts_ms < _SECONDS_TO:
        return "seconds"
    if ts_ms >= _NANOSECONDS_FROM:
        return "nanoseconds"
    return "microseconds" if ts_ms >= _MICROSECONDS_FROM else None
