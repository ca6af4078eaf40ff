"""The events of the journey: baskets that a campaign reached, as interactions of the contract."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from stream.data.journey.baskets import gather
from stream.data.journey.history import History
from stream.data.journey.tables import DAY_MS, Tables, load_tables
from stream.data.journey.timeline import REDEEMED, Period, flag_name, offer_name, periods

_HOUR_MS = 3_600_000
_WEEKDAYS = ("thu", "fri", "sat", "sun", "mon", "tue", "wed")  # the Unix epoch began on a Thursday


class Journey:
    """The whole stream, gathered in memory and told in order; the same on every machine and at every call.

    Raises `ConfigurationError` (from `load`) if the optional package is not installed.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._baskets = gather(tables)
        self._events = [index for index, campaigns in enumerate(self._baskets.campaigns) if campaigns]

    @classmethod
    def load(cls) -> "Journey":
        """Read the installed package."""
        return cls(load_tables())

    @property
    def events(self) -> int:
        """How many events there are in all."""
        return len(self._events)

    def versions(self, events: int | None = None) -> list[dict[str, Any]]:
        """The schema versions in effect by the last of the first `events` events (None: of all), as JSON objects.

        The first is dated at the midnight before the first event, so it is there when that one comes.
        """
        return [period.version for period in self._periods(events)]

    def interactions(self, events: int | None = None, schema_version: bool = False) -> Iterator[dict[str, Any]]:
        """The first `events` interactions (None: all) as JSON objects, in order of time, then of basket number.

        An event carries the features that are in the schema in force at its time, and names that version if
        `schema_version` is set. What is not known of it is absent (profile) or null (history).
        """
        wanted = self._events[:events]
        if not wanted:
            return
        tables, baskets, timeline = self._tables, self._baskets, self._periods(events)
        history = History(baskets, tables.products.category_names, tables.products.department_names)
        current = 0
        for ts, instant in groupby(range(wanted[-1] + 1), key=baskets.ts.tolist().__getitem__):
            indexes = list(instant)
            while current + 1 < len(timeline) and timeline[current + 1].ts <= ts:
                current += 1
            for index in indexes:
                if baskets.campaigns[index]:
                    yield self._interaction(index, ts, history, timeline[current], schema_version)
            for index in indexes:
                history.record(index)

    def _periods(self, events: int | None) -> list[Period]:
        wanted = self._events[:events]
        if not wanted:
            return []
        ts = self._baskets.ts
        return periods(self._tables, int(ts[0]) // DAY_MS * DAY_MS, int(ts[wanted[-1]]))

    def _interaction(
        self, index: int, ts: int, history: History, period: Period, schema_version: bool
    ) -> dict[str, Any]:
        campaigns, baskets = self._tables.campaigns, self._baskets
        categories = self._tables.products.category_names
        household = int(baskets.household[index])
        reached = baskets.campaigns[index]
        names = [campaigns[campaign].name for campaign in reached]
        past = history.features(index)
        features: dict[str, Any] = {
            **self._tables.profiles.get(household, {}),
            "store": f"s{baskets.store[index]}",
            "hour": ts % DAY_MS // _HOUR_MS,
            "weekday": _WEEKDAYS[ts // DAY_MS % 7],
            "campaigns": names,
        }
        for campaign in period.running:
            features[flag_name(campaigns[campaign].name)] = campaign in reached
        for name in period.history:
            features[name] = past[name]
        interaction: dict[str, Any] = {
            "id": f"b{baskets.number[index]}",
            "key": f"h{household}",
            "ts": ts,
            "features": features,
            "labels": [
                offer_name(campaigns[campaign].name, categories[code] if code >= 0 else REDEEMED)
                for campaign, code in baskets.labels[index]
            ],
            "shown": {"campaign": names},
        }
        if schema_version:
            interaction["schema_version"] = period.version["version"]
        return interaction
