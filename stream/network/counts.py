"""Running counts as inputs of a pair (event, offer): who took what, against what the rates alone would predict.

Each input is `log((N + a) / (E + a))`: N what happened, E what the prior predicted. Counts have no gradient and no
warm-up; they move with every trained event, after it was predicted (contract, part 5). A key that has no cell with an
offer or a value took nothing of it, and what it would have taken follows from totals: how much it met, and how much of
the offer anyone meets. With that a cell begins, so nothing jumps when it does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from stream.network.frame import Frame
from stream.network.pair_cells import PairCells
from stream.network.places import Places
from stream.network.room import Room
from stream.network.strengths import LEAST_STRENGTH, due, strength
from stream.state.tree import Tree

__all__ = ["BASE_INPUTS", "BY_KEY", "BY_OFFER", "BY_VALUE", "TOTALS_READ", "VALUE_INPUTS", "PairCounts"]

BASE_INPUTS = 7
"""Inputs of every pair: rate, recent rate, the key's propensity (lifetime, recent), key x offer, two ages."""
VALUE_INPUTS = 6
"""Inputs for each attribute: key x value (lifetime, recent), recent rate, exposure, recency, the key's own inputs."""

_OFFER_PAIRS, _PAIR_STRENGTH = 20.0, 1.0
"""An offer's own rate counts half once so many pairs were seen, and as many of its labels expected as its strength."""
_DAY_MS = 86_400_000.0
_LEAST_SCALE = 1e-100
BY_OFFER = ("taken", "possible", "taken_recent", "possible_recent", "open_expected")
BY_VALUE = (
    "value_taken",
    "value_expected",
    "value_taken_recent",
    "value_expected_recent",
    "value_seen",
    "value_open_expected",
)
BY_KEY = (
    "key_taken",
    "key_expected",
    "key_taken_recent",
    "key_expected_recent",
    "key_events",
    "key_ts",
    "key_open",
    "key_open_recent",
)
TOTALS_READ = (
    *("taken", "possible", "events"),
    *(f"{name}_strength" for name in LEAST_STRENGTH),
    *("open_events", "recent_scale"),
)
"""The totals that the inputs are made of, in the order in which compiled loops take them."""
_RECENT = ("taken_recent", "possible_recent", "value_taken_recent", "value_expected_recent")
_TAKEN, _EXPECTED, _TAKEN_RECENT, _EXPECTED_RECENT, _LAST, _SEEN, _TS = range(7)
"""Columns of a key x value cell's counts; the first two are a key x offer cell's too."""


class PairCounts:
    """Counts by offer slot, value slot and key row, float64, and in cells by pairs of these; key row 0 is nobody's.

    What is recent of offers and values stands in units of `totals["recent_scale"]`, which fades in their place.
    `open` counts are of events whose offers were not listed by name: these may have met any.
    """

    compiled = False
    """Whether the compiled loops are used."""

    def __init__(self, prevalence: float, half_life_days: float, cells: PairCells, device: torch.device) -> None:
        self.device = device
        self.cells = cells
        self.half_life_ms = half_life_days * _DAY_MS
        # Half a label (Krichevsky and Trofimov 1981) in as many pairs as have one: rates near 0 are not taken for 0.
        self.totals = {
            "taken": 0.5,
            "possible": 0.5 / prevalence,
            "events": 0.0,
            "ts": 0.0,
            "open_events": 0.0,
            "recent_scale": 1.0,
            "strengths_at": 0.0,
            **{f"{name}_strength": least for name, least in LEAST_STRENGTH.items()},
        }
        sizes = {BY_OFFER: 32, BY_VALUE: 32, BY_KEY: 64}
        self.arrays: dict[str, np.ndarray] = {name: np.zeros(size) for names, size in sizes.items() for name in names}
        self._room = Room()
        self._rate = self._expected = self._propensity = np.zeros(0)
        self._once = np.zeros((0, 5)), np.zeros((0, 5))
        """What is an offer's or a value's alone in one pass, under the pass's number: scratch of the compiled loops."""
        self._passes = 0

    def reserve(self, keys: int, offers: int, values: int) -> None:
        """Make room; what is there stays."""
        rows = len(self.arrays["key_taken"])
        while keys > rows:
            rows *= 2
        for names, size in ((BY_OFFER, offers), (BY_VALUE, values), (BY_KEY, rows)):
            for name in names:
                old = self.arrays[name]
                if len(old) < size:
                    self.arrays[name] = np.concatenate([old, np.zeros(size - len(old))])

    def clear_offers(self, slots: list[int]) -> None:
        """Forget offers: a name that comes back starts anew."""
        self._clear(BY_OFFER, slots)

    def clear_values(self, slots: list[int]) -> None:
        """Forget attribute values that were given up."""
        self._clear(BY_VALUE, slots)

    def clear_keys(self, rows: list[int]) -> None:
        """Forget keys that were evicted."""
        self._clear(BY_KEY, rows)

    def _clear(self, names: tuple[str, ...], places: list[int]) -> None:
        for name in names:
            self.arrays[name][places] = 0.0

    # -- inputs -------------------------------------------------------------------------------------------------

    def inputs(self, frame: Frame) -> torch.Tensor:
        """Return the inputs `(P, BASE_INPUTS + A * VALUE_INPUTS)` of now; they stand until the next call."""
        places = self.cells.places(frame)
        return self._compiled_inputs(frame, places) if self.compiled else self._plain_inputs(frame, places)

    def _compiled_inputs(self, frame: Frame, places: Places) -> torch.Tensor:
        from stream.network import count_kernels

        a = frame.arrays
        pairs = len(a.pair_slot)
        inputs = self._room.array("inputs", (pairs, BASE_INPUTS + a_width(frame)), np.float32)
        self._rate, self._expected = self._room.array("rates", (pairs,)), self._room.array("expected", (pairs,))
        self._propensity = self._room.array("propensity", (frame.events,))
        sizes = len(self.arrays["taken"]), len(self.arrays["value_taken"])
        if sizes != tuple(map(len, self._once)):
            self._once = np.zeros((sizes[0], 5)), np.zeros((sizes[1], 5))
        self._passes += 1
        count_kernels.count_inputs(
            a.pair_offsets,
            a.pair_slot,
            places.pair_value,
            places.value_offsets,
            places.value_column,
            places.offer_cell,
            places.value_cell,
            a.entity,
            a.ts,
            self.half_life_ms,
            self._totals(),
            *self._groups(),
            self.cells.key_offer.counts,
            self.cells.key_value.counts,
            self._once,
            self._passes,
            self._room.array("values", (len(places.value_column), VALUE_INPUTS), np.float32),
            inputs,
            self._rate,
            self._expected,
            self._propensity,
        )
        return torch.from_numpy(inputs)

    def _totals(self) -> np.ndarray:
        return np.array([self.totals[name] for name in TOTALS_READ])

    def _groups(self) -> tuple[tuple[np.ndarray, ...], ...]:
        return tuple(tuple(self.arrays[name] for name in names) for names in (BY_OFFER, BY_VALUE, BY_KEY))

    def _plain_inputs(self, frame: Frame, places: Places) -> torch.Tensor:
        c, a, totals = self.arrays, frame.arrays, self.totals
        event, slot, rows = a.pair_event, a.pair_slot, a.entity
        column, scale = places.value_column, totals["recent_scale"]
        base = totals["taken"] / totals["possible"]
        of_offer, of_value, of_key = (totals[f"{name}_strength"] for name in LEAST_STRENGTH)
        lift = np.log((c["value_taken"][column] + of_value) / (c["value_expected"][column] + of_value))
        prior = np.clip(base * np.exp(np.append(lift, 0.0)[places.pair_value].sum(1)), 1e-6, 0.5)
        worth = np.maximum(of_offer / prior, _OFFER_PAIRS)
        rate = (c["taken"][slot] + worth * prior) / (c["possible"][slot] + worth)
        recent = (scale * c["taken_recent"][slot] + worth * rate) / (scale * c["possible_recent"][slot] + worth)
        now = np.maximum(a.ts.astype(np.float64), c["key_ts"][rows])
        fade = 0.5 ** ((now - c["key_ts"][rows]) / self.half_life_ms)
        propensity = (c["key_taken"][rows] + of_key) / (c["key_expected"][rows] + of_key)
        lately = (c["key_taken_recent"][rows] * fade + of_key) / (c["key_expected_recent"][rows] * fade + of_key)
        self._rate, self._expected, self._propensity = rate, rate * propensity[event], propensity
        taken, expected = self._offer_cells(places, rows[event], slot)
        inputs = np.zeros((len(slot), BASE_INPUTS + a_width(frame)), dtype=np.float32)
        inputs[:, 0] = np.log(rate)
        inputs[:, 1] = np.log(recent / rate)
        inputs[:, 2] = np.log(propensity)[event]
        inputs[:, 3] = np.log(lately / propensity)[event]
        inputs[:, 4] = np.log((taken + _PAIR_STRENGTH) / (expected + _PAIR_STRENGTH))
        inputs[:, 5] = np.log1p(c["possible"][slot]) / 8.0
        inputs[:, 6] = np.log1p(c["key_expected"][rows])[event] / 4.0
        by_value = self._value_inputs(places, rows[places.value_event], fade[places.value_event], now)
        by_value = np.concatenate([by_value, np.zeros((1, VALUE_INPUTS))])
        inputs[:, BASE_INPUTS:] = by_value[places.pair_value].reshape(len(slot), -1)
        return torch.from_numpy(inputs).to(self.device)

    def _offer_cells(self, places: Places, rows: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what the pairs' keys took of the offers, and what was expected `(P,)`."""
        cell = places.offer_cell
        known, counts = cell >= 0, self.cells.key_offer.counts[np.maximum(cell, 0)]
        missed = self.arrays["key_open"][rows] * self._open_share("open_expected", slots)
        return np.where(known, counts[:, _TAKEN], 0.0), np.where(known, counts[:, _EXPECTED], missed)

    def _open_share(self, name: str, slots: np.ndarray) -> np.ndarray:
        """Return what anyone was expected to take, in an event whose offers were not listed."""
        return np.asarray(self.arrays[name][slots] / max(1.0, self.totals["open_events"]))

    def _value_inputs(self, places: Places, rows: np.ndarray, fade: np.ndarray, now: np.ndarray) -> np.ndarray:
        """Return `(V, VALUE_INPUTS)`."""
        c, s, column, cell = self.arrays, _PAIR_STRENGTH, places.value_column, places.value_cell
        known, counts = (cell >= 0)[:, None], self.cells.key_value.counts[np.maximum(cell, 0)]
        share = self._open_share("value_open_expected", column)
        missed = np.zeros_like(counts)
        missed[:, _EXPECTED] = c["key_open"][rows] * share
        missed[:, _EXPECTED_RECENT] = c["key_open_recent"][rows] * fade * share
        elapsed = now[places.value_event] - counts[:, _TS]
        counts = counts.copy()
        counts[:, _TAKEN_RECENT : _LAST + 1] *= 0.5 ** (elapsed / self.half_life_ms)[:, None]
        counts = np.where(known, counts, missed)
        scale = self.totals["recent_scale"]
        often = (c["value_seen"][column] + 0.01) / (self.totals["events"] + 1.0)
        habit = c["key_events"][rows] * often
        of_value = self.totals["value_strength"]
        lately = (scale * c["value_taken_recent"][column] + of_value) / (
            scale * c["value_expected_recent"][column] + of_value
        )
        return np.stack(
            [
                np.log((counts[:, _TAKEN] + s) / (counts[:, _EXPECTED] + s)),
                np.log((counts[:, _TAKEN_RECENT] + s) / (counts[:, _EXPECTED_RECENT] + s)),
                np.log(lately),
                np.log1p(counts[:, _EXPECTED]),
                counts[:, _LAST],
                np.log((counts[:, _SEEN] + s) / (habit + s)),
            ],
            1,
        )

    # -- update ---------------------------------------------------------------------------------------------------

    def start(self, places: Places) -> None:
        """Give the cells that began what their keys would have been expected to take so far."""
        c = self.arrays
        begun, shown = places.begun
        share = self._open_share("open_expected", begun.columns)
        self.cells.key_offer.counts[begun.cells, _EXPECTED] = c["key_open"][begun.rows] * share
        counts, share = self.cells.key_value.counts, self._open_share("value_open_expected", shown.columns)
        counts[shown.cells, _EXPECTED] = c["key_open"][shown.rows] * share
        counts[shown.cells, _EXPECTED_RECENT] = c["key_open_recent"][shown.rows] * share
        counts[shown.cells, _TS] = c["key_ts"][shown.rows]

    def update(self, frame: Frame) -> None:
        """Count a batch whose inputs were asked for last; late events never move a clock back."""
        totals = self.totals
        latest = float(frame.ts.max())
        elapsed = max(0.0, latest - totals["ts"]) if totals["events"] else 0.0
        totals["ts"] = max(totals["ts"], latest) if totals["events"] else latest
        totals["recent_scale"] *= 0.5 ** (elapsed / self.half_life_ms)
        if totals["recent_scale"] < _LEAST_SCALE:
            for name in _RECENT:
                self.arrays[name] *= totals["recent_scale"]
            totals["recent_scale"] = 1.0
        base, places = self._total(frame), self.cells.places(frame)
        if self.compiled:
            from stream.network import count_kernels

            a = frame.arrays
            count_kernels.update_counts(
                a.pair_offsets,
                a.pair_slot,
                places.pair_value,
                places.value_offsets,
                places.value_column,
                places.offer_cell,
                places.value_cell,
                (places.seen_column, places.seen_cell),
                a.entity,
                a.ts,
                a.listed,
                a.possible,
                a.taken,
                self.half_life_ms,
                base,
                totals["recent_scale"],
                *self._groups(),
                self.cells.key_offer.counts,
                self.cells.key_value.counts,
                self._rate,
                self._expected,
                self._propensity,
            )
        else:
            self._plain_update(frame, places, base)
        self._find_strengths()

    def _total(self, frame: Frame) -> float:
        """Count the batch in the totals; return the rate of all pairs then, which what was expected is brought to.

        By the rate of before, all that is in the batch would count for less if there are few labels, for more if there
        are many: in the first batch, of which nothing was known, for long.
        """
        totals, a = self.totals, frame.arrays
        before = totals["taken"] / totals["possible"]
        totals["taken"] += float(a.taken.sum())
        totals["possible"] += float(a.possible.sum())
        totals["events"] += frame.events
        totals["open_events"] += float((~a.listed & (a.pair_offsets[1:] > a.pair_offsets[:-1])).sum())
        base = totals["taken"] / totals["possible"]
        self._rate = self._rate * (base / before)
        self._expected = self._expected * (base / before)
        return base

    def _find_strengths(self) -> None:
        """Find anew, if that is due, how far the counts of single names are trusted."""
        c, totals = self.arrays, self.totals
        if not due(totals["events"], totals["strengths_at"]):
            return
        totals["strengths_at"] = totals["events"]
        expected = c["possible"] * (totals["taken"] / totals["possible"])
        for name, taken, predicted in (
            ("offer", c["taken"], expected),
            ("value", c["value_taken"], c["value_expected"]),
            ("key", c["key_taken"][1:], c["key_expected"][1:]),
        ):
            found = strength(torch.from_numpy(taken), torch.from_numpy(predicted), LEAST_STRENGTH[name])
            totals[f"{name}_strength"] = found

    def _plain_update(self, frame: Frame, places: Places, base: float) -> None:
        c, a = self.arrays, frame.arrays
        event, slot = a.pair_event, a.pair_slot
        scale = self.totals["recent_scale"]
        taken, possible = a.taken.astype(np.float64), a.possible.astype(np.float64)
        expected, rate = self._expected * possible, self._rate * possible
        opened = rate * ~a.listed[event]
        self._move_keys(frame, places)
        amounts = (taken, possible, taken / scale, possible / scale, opened)
        for name, amount in zip(BY_OFFER, amounts, strict=True):
            np.add.at(c[name], slot, amount)
        rows = a.entity[event]
        known = rows > 0
        for name, amount in zip(BY_KEY, (taken, rate, taken, rate), strict=False):
            np.add.at(c[name], rows[known], amount[known])
        keyed = a.entity > 0
        np.add.at(c["key_events"], a.entity[keyed], 1.0)
        met = ~a.listed & (np.diff(a.pair_offsets) > 0)
        for name in ("key_open", "key_open_recent"):
            np.add.at(c[name], a.entity[met & keyed], self._propensity[met & keyed])
        cell = places.offer_cell
        for place, amount in ((_TAKEN, taken), (_EXPECTED, expected)):
            np.add.at(self.cells.key_offer.counts[:, place], cell[cell >= 0], amount[cell >= 0])
        counts = self.cells.key_value.counts
        for attribute in range(places.pair_value.shape[1]):
            value = places.pair_value[:, attribute]
            pair = np.flatnonzero(value >= 0)
            value = value[pair]
            shared = (taken, base * possible, taken / scale, base * possible / scale)
            for name, amount in zip(BY_VALUE, (*shared, None, opened), strict=True):
                if amount is not None:
                    np.add.at(c[name], places.value_column[value], amount[pair])
            cell = places.value_cell[value]
            pair, cell = pair[cell >= 0], cell[cell >= 0]
            for place, amount in enumerate((taken, expected, taken, expected)):
                np.add.at(counts[:, place], cell, amount[pair])
            counts[cell[taken[pair] > 0], _LAST] = 1.0
        np.add.at(c["value_seen"], places.seen_column, 1.0)
        np.add.at(counts[:, _SEEN], places.seen_cell[places.seen_cell >= 0], 1.0)

    def _move_keys(self, frame: Frame, places: Places) -> None:
        """Move each key of the batch to its newest event time, fading what is recent of it and its cells on the way."""
        c, a = self.arrays, frame.arrays
        rows, inverse = np.unique(a.entity, return_inverse=True)
        newest = np.full(len(rows), -np.inf)
        np.maximum.at(newest, inverse, a.ts.astype(np.float64))
        rows, newest = rows[rows > 0], newest[rows > 0]
        before = c["key_events"][rows] > 0
        newest = np.where(before, np.maximum(newest, c["key_ts"][rows]), newest)
        fade = np.where(before, 0.5 ** ((newest - c["key_ts"][rows]) / self.half_life_ms), 1.0)
        for name in ("key_taken_recent", "key_expected_recent", "key_open_recent"):
            c[name][rows] *= fade
        c["key_ts"][rows] = newest
        known = np.flatnonzero(places.value_cell >= 0)
        cells, first = np.unique(places.value_cell[known], return_index=True)
        now = c["key_ts"][a.entity[places.value_event[known[first]]]]
        counts = self.cells.key_value.counts
        fade = 0.5 ** ((now - counts[cells, _TS]) / self.half_life_ms)
        counts[cells, _TAKEN_RECENT : _LAST + 1] *= fade[:, None]
        counts[cells, _TS] = now

    # -- state ----------------------------------------------------------------------------------------------------

    def state(self, key_rows: int) -> Tree:
        """Return everything but the cells as a state tree; of keys, the first `key_rows` rows."""
        tree: Tree = {"totals": dict(self.totals), "reserved": len(self.arrays["key_taken"])}
        tree["arrays"] = {n: a[:key_rows] if n in BY_KEY else a for n, a in self.arrays.items()}
        return tree

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.totals = dict(tree["totals"])
        for name, array in tree["arrays"].items():
            self.arrays[name] = np.zeros(int(tree["reserved"]) if name in BY_KEY else len(array))
            self.arrays[name][: len(array)] = array

    def standing(self) -> dict[str, np.ndarray]:
        """Return the counts by name, what is recent in its own unit; for who only reads them."""
        scale = self.totals["recent_scale"]
        return {name: array * scale if name in _RECENT else array for name, array in self.arrays.items()}

    def named(
        self, keys: list[tuple[str, int]], offers: list[tuple[str, int]], values: list[tuple[str, int]]
    ) -> Iterator[tuple[str, object]]:
        """Yield every count by name; the arguments pair names with slots, each sorted by name."""
        c = self.arrays
        yield "counts/totals", dict(self.totals)
        for group, names in ((offers, BY_OFFER), (values, BY_VALUE), (keys, BY_KEY)):
            for label, slot in group:
                yield f"counts/{names[0]}/{label}", np.array([c[name][slot] for name in names])


def a_width(frame: Frame) -> int:
    """Return how many inputs a pair's attributes have."""
    return frame.columns.shape[1] * VALUE_INPUTS
