"""Baskets: the lines of one purchase gathered into one row, in the order in which they happened."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.data.journey.tables import DAY_MS, Ints, Tables


@dataclass(frozen=True, slots=True)
class Ragged:
    """N lists of small integers: those of row i are `values[offsets[i]:offsets[i + 1]]`, ascending, each once."""

    offsets: Ints
    values: Ints

    def row(self, index: int) -> Ints:
        """The values of one row, a view."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]


@dataclass(frozen=True, slots=True)
class Baskets:
    """N baskets of the households that any campaign ever reached, by time, then by basket number.

    `labels[i]` are the (campaign index, category index) that basket i took, with the category -1 for a redemption;
    `campaigns[i]` the indexes of the campaigns that run at its time and reached its household.
    """

    number: Ints
    household: Ints
    store: Ints
    ts: Ints
    spend_cents: Ints
    discount_cents: Ints
    private_cents: Ints
    categories: Ragged
    departments: Ragged
    campaigns: list[list[int]]
    labels: list[list[tuple[int, int]]]


def gather(tables: Tables) -> Baskets:
    """Gather lines into baskets and find what each could take and took.

    A campaign reaches a basket if it is live at the basket's time and was sent to its household. The basket then takes
    the campaign's offer of a category if it holds a product of that category that the campaign's coupons cover
    (bought with or without the coupon), and its redemption if the household redeemed one of its coupons that day.
    """
    lines, products = tables.lines, tables.products
    reached = np.unique(np.concatenate([campaign.households for campaign in tables.campaigns]))
    kept = np.flatnonzero(np.isin(lines.household, reached))
    kept = kept[np.lexsort((lines.basket[kept], lines.ts[kept]))]
    number = lines.basket[kept]
    first = np.flatnonzero(np.concatenate([[True], number[1:] != number[:-1]]))
    row = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(kept))))
    product = lines.product[kept]
    spend = lines.spend_cents[kept]
    ts, household = lines.ts[kept][first], lines.household[kept][first]
    category = products.category[product]
    live: list[list[int]] = [[] for _ in first]
    labels: list[list[tuple[int, int]]] = [[] for _ in first]
    for index, campaign in enumerate(tables.campaigns):
        reach = (ts >= campaign.start_ms) & (ts < campaign.end_ms) & np.isin(household, campaign.households)
        rows = np.flatnonzero(reach).tolist()
        for basket in rows:
            live[basket].append(index)
        covered = np.zeros(len(products.category), dtype=bool)
        covered[campaign.products] = True
        hit = covered[product] & reach[row] & (category >= 0)
        taken = _ragged(row[hit], category[hit], len(first))
        for basket in rows:
            labels[basket].extend((index, code) for code in taken.row(basket).tolist())
            if campaign.redeemed and (int(household[basket]), int(ts[basket]) // DAY_MS) in campaign.redeemed:
                labels[basket].append((index, -1))
    return Baskets(
        number=number[first],
        household=household,
        store=lines.store[kept][first],
        ts=ts,
        spend_cents=np.add.reduceat(spend, first),
        discount_cents=np.add.reduceat(lines.discount_cents[kept], first),
        private_cents=np.add.reduceat(np.where(products.private[product], spend, 0), first),
        categories=_ragged_known(row, category, len(first)),
        departments=_ragged_known(row, products.department[product], len(first)),
        campaigns=live,
        labels=labels,
    )


def _ragged_known(row: Ints, value: Ints, rows: int) -> Ragged:
    known: NDArray[np.bool_] = value >= 0
    return _ragged(row[known], value[known], rows)


def _ragged(row: Ints, value: Ints, rows: int) -> Ragged:
    width = 1 << 20
    keys = np.unique(row * width + value)
    offsets = np.searchsorted(keys, np.arange(rows + 1) * width)
    return Ragged(offsets=offsets.astype(np.int64), values=keys % width)
