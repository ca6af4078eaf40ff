"""The schema of the journey over time: which features and offers are live from which date on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stream.data.journey.tables import PROFILE, Campaign, Tables

REDEEMED = "(redeemed)"

_FROM_THE_START = {
    **dict.fromkeys(PROFILE, "categorical"),
    "store": "categorical",
    "hour": "categorical",
    "weekday": "categorical",
    "campaigns": "multi_categorical",
}
# History means nothing on the first day, so each feature comes once there is some; two are superseded and leave.
_HISTORY: tuple[tuple[str, str, str], ...] = (
    ("2017-01-15", "baskets", "numeric"),
    ("2017-01-15", "days_since_last", "numeric"),
    ("2017-01-22", "last_categories", "multi_categorical"),
    ("2017-01-22", "last_departments", "multi_categorical"),
    ("2017-01-29", "top_categories", "multi_categorical"),
    ("2017-01-29", "top_departments", "multi_categorical"),
    ("2017-01-29", "spend_last", "numeric"),
    ("2017-02-15", "spend_4w", "numeric"),
    ("2017-02-15", "discount_share", "numeric"),
    ("2017-02-15", "private_label_share", "numeric"),
)
_LEAVING: tuple[tuple[str, str], ...] = (("2017-05-17", "spend_last"), ("2017-08-30", "last_departments"))


@dataclass(frozen=True, slots=True)
class Period:
    """One schema version: its JSON object and the names of the history features and campaign flags live under it."""

    ts: int
    version: dict[str, Any]
    history: tuple[str, ...]
    running: tuple[int, ...]


def offer_name(campaign: str, category: str) -> str:
    """The name of an offer: `c26:BACON`, or `redeemed:c26` for a campaign's redemption."""
    return f"redeemed:{campaign}" if category == REDEEMED else f"{campaign}:{category}"


def flag_name(campaign: str) -> str:
    """The name of the feature that says whether a campaign reached the household: `in_c26`."""
    return f"in_{campaign}"


def periods(tables: Tables, start_ms: int, last_ms: int) -> list[Period]:
    """The schema versions from the first, at `start_ms`, to the last that takes effect by `last_ms`, in order.

    Everything that changes at one instant is one version: departures first, then arrivals. Campaigns that began before
    the data does are live from its start.
    """
    removed: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    added: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for name, kind in _FROM_THE_START.items():
        added[start_ms].append({"op": "add_feature", "name": name, "kind": kind})
    for date, name, kind in _HISTORY:
        added[_midnight_ms(date)].append({"op": "add_feature", "name": name, "kind": kind})
    for date, name in _LEAVING:
        removed[_midnight_ms(date)].append({"op": "remove_feature", "name": name})
    for campaign in tables.campaigns:
        categories = covered_categories(tables, campaign)
        offers = [(offer_name(campaign.name, category), category) for category in categories]
        flag = flag_name(campaign.name)
        opening = added[max(campaign.start_ms, start_ms)]
        opening.append({"op": "add_feature", "name": flag, "kind": "boolean"})
        opening.extend(
            {"op": "add_label", "name": name, "attributes": {"campaign": campaign.name, "category": category}}
            for name, category in offers
        )
        closing = removed[campaign.end_ms]
        closing.append({"op": "remove_feature", "name": flag})
        closing.extend({"op": "remove_label", "name": name} for name, _ in offers)
    return _numbered(tables.campaigns, sorted({*removed, *added}), removed, added, last_ms)


def covered_categories(tables: Tables, campaign: Campaign) -> list[str]:
    """The categories of a campaign's offers: those that its coupons cover, by name, then the redemption."""
    codes = {int(code) for code in tables.products.category[campaign.products]} - {-1}
    return [*(tables.products.category_names[code] for code in sorted(codes)), REDEEMED]


def _numbered(
    campaigns: Sequence[Campaign],
    instants: Sequence[int],
    removed: dict[int, list[dict[str, Any]]],
    added: dict[int, list[dict[str, Any]]],
    last_ms: int,
) -> list[Period]:
    history = {name for _, name, _ in _HISTORY}
    live: dict[str, None] = {}
    result = []
    for number, ts in enumerate((ts for ts in instants if ts <= last_ms), start=1):
        changes = [*removed.get(ts, ()), *added.get(ts, ())]
        for change in changes:
            if change["op"] == "add_feature":
                live[change["name"]] = None
            elif change["op"] == "remove_feature":
                del live[change["name"]]
        result.append(
            Period(
                ts=ts,
                version={"version": number, "ts": ts, "changes": changes},
                history=tuple(name for name in live if name in history),
                running=tuple(index for index, campaign in enumerate(campaigns) if flag_name(campaign.name) in live),
            )
        )
    return result


def _midnight_ms(date: str) -> int:
    return int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * 1000
