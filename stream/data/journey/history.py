"""What is known of a household before a basket: counts over its earlier baskets, nothing from the future."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stream.data.journey.baskets import Baskets
from stream.data.journey.tables import DAY_MS, Ints

WINDOW_MS = 28 * DAY_MS
TOP_CATEGORIES = 10
TOP_DEPARTMENTS = 4


@dataclass(slots=True)
class _Household:
    category_counts: Ints
    department_counts: Ints
    baskets: int = 0
    last: int = -1
    last_ts: int = 0
    spend_cents: int = 0
    discount_cents: int = 0
    private_cents: int = 0
    recent: deque[tuple[int, int]] = field(default_factory=deque)
    recent_cents: int = 0


class History:
    """Running history of every household, asked before it is told.

    The caller asks `features` for all baskets of one instant before it calls `record` for any of them, so that
    baskets paid in the same second do not see each other.
    """

    def __init__(self, baskets: Baskets, category_names: tuple[str, ...], department_names: tuple[str, ...]) -> None:
        self._baskets = baskets
        self._categories = category_names
        self._departments = department_names
        self._households: dict[int, _Household] = {}

    def features(self, index: int) -> dict[str, Any]:
        """The history features of basket `index`; all but `baskets` are None or empty before its household's first.

        Units: `days_since_last` days, `spend_*` dollars paid, shares in 0..1 over all earlier baskets.
        """
        known = self._households.get(int(self._baskets.household[index]))
        if known is None:
            return {
                "baskets": 0,
                "days_since_last": None,
                "last_categories": [],
                "last_departments": [],
                "top_categories": [],
                "top_departments": [],
                "spend_last": None,
                "spend_4w": None,
                "discount_share": None,
                "private_label_share": None,
            }
        ts = int(self._baskets.ts[index])
        while known.recent and known.recent[0][0] < ts - WINDOW_MS:
            known.recent_cents -= known.recent.popleft()[1]
        full_cents = known.spend_cents + known.discount_cents
        return {
            "baskets": known.baskets,
            "days_since_last": round((ts - known.last_ts) / DAY_MS, 3),
            "last_categories": [self._categories[code] for code in self._baskets.categories.row(known.last).tolist()],
            "last_departments": [
                self._departments[code] for code in self._baskets.departments.row(known.last).tolist()
            ],
            "top_categories": _top(known.category_counts, TOP_CATEGORIES, self._categories),
            "top_departments": _top(known.department_counts, TOP_DEPARTMENTS, self._departments),
            "spend_last": int(self._baskets.spend_cents[known.last]) / 100,
            "spend_4w": known.recent_cents / 100,
            "discount_share": round(known.discount_cents / full_cents, 4) if full_cents else None,
            "private_label_share": round(known.private_cents / known.spend_cents, 4) if known.spend_cents else None,
        }

    def record(self, index: int) -> None:
        """Add basket `index` to the history of its household."""
        baskets = self._baskets
        household = int(baskets.household[index])
        known = self._households.get(household)
        if known is None:
            known = _Household(
                category_counts=np.zeros(len(self._categories), dtype=np.int64),
                department_counts=np.zeros(len(self._departments), dtype=np.int64),
            )
            self._households[household] = known
        spend_cents = int(baskets.spend_cents[index])
        known.category_counts[baskets.categories.row(index)] += 1
        known.department_counts[baskets.departments.row(index)] += 1
        known.baskets += 1
        known.last = index
        known.last_ts = int(baskets.ts[index])
        known.spend_cents += spend_cents
        known.discount_cents += int(baskets.discount_cents[index])
        known.private_cents += int(baskets.private_cents[index])
        known.recent.append((known.last_ts, spend_cents))
        known.recent_cents += spend_cents


def _top(counts: Ints, size: int, names: tuple[str, ...]) -> list[str]:
    """The names with the largest counts above 0, largest first, ties by name (codes are in the names' order)."""
    ranked = np.argsort(-counts, kind="stable")[:size]
    return [names[code] for code in ranked[counts[ranked] > 0].tolist()]
