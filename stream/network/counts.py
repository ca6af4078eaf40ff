"""Running counts as inputs of a pair (event, offer): who took what, against what the rates alone would predict.

Each input is ``log((N + a) / (E + a))``: N what happened, E what the prior predicted. Counts have no gradient and no
warm-up; they move with every trained event, after it was predicted (contract, part 5).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from stream.network.frame import Frame
from stream.network.room import Room
from stream.network.strengths import LEAST_STRENGTH, due, strength
from stream.state import Tree

__all__ = ["BASE_INPUTS", "TOTALS_READ", "VALUE_INPUTS", "PairCounts"]

BASE_INPUTS = 7
"""Inputs of every pair: rate, recent rate, the key's propensity (lifetime, recent), key x offer, two ages."""
VALUE_INPUTS = 6
"""Inputs for each attribute: key x value (lifetime, recent), recent rate, exposure, recency, the key's own inputs."""

_OFFER_PAIRS, _PAIR_STRENGTH = 20.0, 1.0
"""An offer's own rate counts half once so many pairs were seen, and as many of its labels expected as its strength."""
_DAY_MS = 86_400_000.0
_BY_OFFER = ("taken", "possible", "taken_recent", "possible_recent")
_BY_VALUE = ("value_taken", "value_expected", "value_taken_recent", "value_expected_recent", "value_seen")
_BY_KEY = ("key_taken", "key_expected", "key_taken_recent", "key_expected_recent", "key_events", "key_ts")
_KEY_OFFER = ("key_offer_taken", "key_offer_expected")
_KEY_VALUE = (
    "key_value_taken",
    "key_value_expected",
    "key_value_taken_recent",
    "key_value_expected_recent",
    "key_value_last",
    "key_value_seen",
)
TOTALS_READ = ("taken", "possible", "events", *(f"{name}_strength" for name in LEAST_STRENGTH))
"""The totals that the inputs are made of, in the order in which compiled loops take them."""
_RECENT = _KEY_VALUE[2:5]


class PairCounts:
    """Counts by offer slot, value slot, key row and their pairs; row 0 stands for a key without a row."""

    compiled = False
    """Whether the compiled loops are used."""

    def __init__(self, prevalence: float, half_life_days: float, device: torch.device) -> None:
        self.device = device
        self._room = Room()
        self._views: tuple[tuple[np.ndarray, ...], ...] | None = None
        """The tensors as the loops take them; None once one of them was replaced."""
        self.half_life_ms = half_life_days * _DAY_MS
        # Half a label (Krichevsky and Trofimov 1981) in as many pairs as have one: rates near 0 are not taken for 0.
        self.totals = {"taken": 0.5, "possible": 0.5 / prevalence, "events": 0.0, "ts": 0.0, "strengths_at": 0.0}
        self.totals |= {f"{name}_strength": least for name, least in LEAST_STRENGTH.items()}
        shapes = {_BY_OFFER: (32,), _BY_VALUE: (32,), _BY_KEY: (64,), _KEY_OFFER: (64, 32), _KEY_VALUE: (64, 32)}
        self.tensors: dict[str, torch.Tensor] = {
            name: torch.zeros(shape, dtype=torch.float64 if len(shape) == 1 else torch.float32, device=device)
            for names, shape in shapes.items()
            for name in names
        }

    def reserve(self, keys: int, offers: int, values: int) -> None:
        """Make room; what is there stays."""
        rows = self.tensors["key_taken"].shape[0]
        while keys > rows:
            rows *= 2
        offers = max(offers, self.tensors["taken"].shape[0])
        values = max(values, self.tensors["value_taken"].shape[0])
        shapes: dict[tuple[str, ...], tuple[int, ...]] = {
            _BY_OFFER: (offers,),
            _BY_VALUE: (values,),
            _BY_KEY: (rows,),
            _KEY_OFFER: (rows, offers),
            _KEY_VALUE: (rows, values),
        }
        for names, shape in shapes.items():
            for name in names:
                old = self.tensors[name]
                if tuple(old.shape) != shape:
                    new = torch.zeros(shape, dtype=old.dtype, device=self.device)
                    new[tuple(slice(0, size) for size in old.shape)] = old
                    self.tensors[name] = new
                    self._views = None

    def clear_offers(self, slots: list[int]) -> None:
        """Forget offers: a name that comes back starts anew."""
        for name in _BY_OFFER:
            self.tensors[name][slots] = 0.0
        for name in _KEY_OFFER:
            self.tensors[name][:, slots] = 0.0

    def clear_values(self, slots: list[int]) -> None:
        """Forget attribute values that were given up."""
        for name in _BY_VALUE:
            self.tensors[name][slots] = 0.0
        for name in _KEY_VALUE:
            self.tensors[name][:, slots] = 0.0

    def clear_keys(self, rows: list[int]) -> None:
        """Forget keys that were evicted."""
        for name in (*_BY_KEY, *_KEY_OFFER, *_KEY_VALUE):
            self.tensors[name][rows] = 0.0

    # -- inputs -------------------------------------------------------------------------------------------------

    def inputs(self, frame: Frame) -> torch.Tensor:
        """Return the inputs ``(P, BASE_INPUTS + A * VALUE_INPUTS)`` of now; they stand until the next call."""
        return self._compiled_inputs(frame) if self.compiled else self._plain_inputs(frame)

    def _compiled_inputs(self, frame: Frame) -> torch.Tensor:
        from stream.network import pair_kernels

        pairs, width = len(frame.pair_slot), BASE_INPUTS + frame.columns.shape[1] * VALUE_INPUTS
        inputs = self._room.array("inputs", (pairs, width), np.float32)
        rates, expected = self._room.array("rates", (pairs,)), self._room.array("expected", (pairs,))
        pair_kernels.count_inputs(
            frame.pair_event.numpy(),
            frame.pair_slot.numpy(),
            frame.columns,
            frame.entity.numpy(),
            frame.ts.astype(np.float64),
            self.half_life_ms,
            np.array([self.totals[name] for name in TOTALS_READ]),
            *self._arrays(),
            inputs,
            rates,
            expected,
        )
        self._rate, self._expected = torch.from_numpy(rates), torch.from_numpy(expected)
        return torch.from_numpy(inputs)

    def _arrays(self) -> tuple[tuple[np.ndarray, ...], ...]:
        if self._views is None:
            groups = (_BY_OFFER, _BY_VALUE, _BY_KEY, _KEY_OFFER, _KEY_VALUE)
            self._views = tuple(tuple(self.tensors[name].numpy() for name in names) for names in groups)
        return self._views

    def _plain_inputs(self, frame: Frame) -> torch.Tensor:
        c = self.tensors
        base = self.totals["taken"] / self.totals["possible"]
        event, slot, columns = frame.pair_event, frame.pair_slot, frame.pair_columns
        of_offer, of_value, of_key = (self.totals[name] for name in TOTALS_READ[3:])
        lift = torch.log((c["value_taken"] + of_value) / (c["value_expected"] + of_value))
        lift = torch.cat([lift, lift.new_zeros(1)])
        prior = (base * torch.exp(lift[columns].sum(1))).clamp(1e-6, 0.5)
        strength = (of_offer / prior).clamp_min(_OFFER_PAIRS)
        rate = (c["taken"][slot] + strength * prior) / (c["possible"][slot] + strength)
        recent = (c["taken_recent"][slot] + strength * rate) / (c["possible_recent"][slot] + strength)
        rows = frame.entity
        fade = self._fade(frame.ts, rows)
        propensity = (c["key_taken"][rows] + of_key) / (c["key_expected"][rows] + of_key)
        lately = (c["key_taken_recent"][rows] * fade + of_key) / (c["key_expected_recent"][rows] * fade + of_key)
        self._rate = rate
        self._expected = rate * propensity[event]
        pair_rows = rows[event]
        own = (c["key_offer_taken"][pair_rows, slot] + _PAIR_STRENGTH) / (
            c["key_offer_expected"][pair_rows, slot] + _PAIR_STRENGTH
        )
        parts = [
            torch.log(rate),
            torch.log(recent / rate),
            torch.log(propensity)[event],
            torch.log(lately / propensity)[event],
            torch.log(own),
            torch.log1p(c["possible"][slot]) / 8.0,
            torch.log1p(c["key_expected"][rows])[event] / 4.0,
        ]
        by_value = self._value_inputs(rows, fade.to(torch.float32))
        picked = by_value.view(-1, VALUE_INPUTS)[event[:, None] * by_value.shape[1] + columns]
        return torch.cat([torch.stack([part.to(torch.float32) for part in parts], 1), picked.flatten(1)], 1)

    def _fade(self, ts: np.ndarray, rows: torch.Tensor) -> torch.Tensor:
        elapsed = torch.from_numpy(ts.astype(np.float64)).to(self.device) - self.tensors["key_ts"][rows]
        return torch.pow(0.5, elapsed.clamp_min(0.0) / self.half_life_ms)

    def _value_inputs(self, rows: torch.Tensor, fade: torch.Tensor) -> torch.Tensor:
        """Return ``(B, values + 1, VALUE_INPUTS)``; the last column is that of an offer that lacks the attribute."""
        c, s, of_value = self.tensors, _PAIR_STRENGTH, self.totals["value_strength"]
        taken, expected = c["key_value_taken"][rows], c["key_value_expected"][rows]
        taken_recent = c["key_value_taken_recent"][rows] * fade[:, None]
        expected_recent = c["key_value_expected_recent"][rows] * fade[:, None]
        often = (c["value_seen"] + 0.01) / (self.totals["events"] + 1.0)
        habit = c["key_events"][rows][:, None] * often
        lately = torch.log((c["value_taken_recent"] + of_value) / (c["value_expected_recent"] + of_value)).to(
            torch.float32
        )
        stacked = torch.stack(
            [
                torch.log((taken + s) / (expected + s)),
                torch.log((taken_recent + s) / (expected_recent + s)),
                lately.expand_as(taken),
                torch.log1p(expected),
                c["key_value_last"][rows] * fade[:, None],
                torch.log((c["key_value_seen"][rows] + s) / (habit + s)).to(torch.float32),
            ],
            2,
        )
        return torch.cat([stacked, stacked.new_zeros(len(rows), 1, VALUE_INPUTS)], 1)

    # -- update ---------------------------------------------------------------------------------------------------

    def update(self, frame: Frame) -> None:
        """Count a batch whose inputs were asked for last; late events never move a clock back."""
        c = self.tensors
        latest = float(frame.ts.max())
        elapsed = max(0.0, latest - self.totals["ts"]) if self.totals["events"] else 0.0
        faded = 0.5 ** (elapsed / self.half_life_ms)
        self.totals["ts"] = max(self.totals["ts"], latest) if self.totals["events"] else latest
        base = self._total(frame)
        if self.compiled:
            self._compiled_update(frame, faded, base)
            self._find_strengths()
            return
        for name in (*_BY_OFFER[2:], *_BY_VALUE[2:4]):
            c[name] *= faded
        event, slot = frame.pair_event, frame.pair_slot
        taken = frame.taken.to(torch.float64)
        possible = frame.possible.to(torch.float64)
        expected = self._expected * possible
        rate = self._rate * possible
        for name, amount in zip(_BY_OFFER, (taken, possible, taken, possible), strict=True):
            c[name].index_add_(0, slot, amount)
        self._fade_keys(frame)
        rows = frame.entity[event]
        known = (rows > 0).nonzero()[:, 0]
        for name, amount in zip(_BY_KEY, (taken, rate, taken, rate), strict=False):
            c[name].index_add_(0, rows[known], amount[known])
        keyed = (frame.entity > 0).nonzero()[:, 0]
        c["key_events"].index_add_(
            0, frame.entity[keyed], torch.ones(len(keyed), dtype=torch.float64, device=self.device)
        )
        offers = c["taken"].shape[0]
        for name, amount in zip(_KEY_OFFER, (taken, expected), strict=True):
            c[name].view(-1).index_add_(0, rows[known] * offers + slot[known], amount[known].to(torch.float32))
        values = c["value_taken"].shape[0]
        for attribute in range(frame.pair_columns.shape[1]):
            column = frame.pair_columns[:, attribute]
            has = (column < values).nonzero()[:, 0]
            for name, amount in zip(_BY_VALUE, (taken, base * possible, taken, base * possible), strict=False):
                c[name].index_add_(0, column[has], amount[has])
            has = has[rows[has] > 0]
            place = rows[has] * values + column[has]
            for name, amount in zip(_KEY_VALUE, (taken, expected, taken, expected), strict=False):
                c[name].view(-1).index_add_(0, place, amount[has].to(torch.float32))
            c["key_value_last"].view(-1)[place[taken[has] > 0]] = 1.0
        self._count_inputs(frame, values)
        self._find_strengths()

    def _total(self, frame: Frame) -> float:
        """Count the batch in the totals; return the rate of all pairs then, which what was expected is brought to.

        By the rate of before, all that is in the batch would count for less if there are few labels, for more if there
        are many: in the first batch, of which nothing was known, for long.
        """
        totals, arrays = self.totals, frame.arrays
        before = totals["taken"] / totals["possible"]
        totals["taken"] += float(arrays.taken.sum())
        totals["possible"] += float(arrays.possible.sum())
        totals["events"] += frame.events
        base = totals["taken"] / totals["possible"]
        self._rate = self._rate * (base / before)
        self._expected = self._expected * (base / before)
        return base

    def _find_strengths(self) -> None:
        """Find anew, if that is due, how far the counts of single names are trusted."""
        c, totals = self.tensors, self.totals
        if not due(totals["events"], totals["strengths_at"]):
            return
        totals["strengths_at"] = totals["events"]
        expected = c["possible"] * (totals["taken"] / totals["possible"])
        for name, counts in (
            ("offer", (c["taken"], expected)),
            ("value", (c["value_taken"], c["value_expected"])),
            ("key", (c["key_taken"][1:], c["key_expected"][1:])),
        ):
            totals[f"{name}_strength"] = strength(*counts, LEAST_STRENGTH[name])

    def _compiled_update(self, frame: Frame, faded: float, base: float) -> None:
        from stream.network import pair_kernels

        pair_kernels.update_counts(
            frame.pair_event.numpy(),
            frame.pair_slot.numpy(),
            frame.columns,
            frame.possible.numpy(),
            frame.taken.numpy(),
            frame.entity.numpy(),
            frame.ts.astype(np.float64),
            frame.rows.numpy(),
            frame.row_event.numpy(),
            frame.matches,
            self.half_life_ms,
            faded,
            base,
            self._rate.numpy(),
            self._expected.numpy(),
            *self._arrays(),
        )

    def _fade_keys(self, frame: Frame) -> None:
        """Move each key of the batch to its newest event time, fading what is recent on the way."""
        c = self.tensors
        rows, inverse = torch.unique(frame.entity, return_inverse=True)
        newest = torch.full((len(rows),), -np.inf, dtype=torch.float64, device=self.device)
        newest.scatter_reduce_(0, inverse, torch.from_numpy(frame.ts.astype(np.float64)).to(self.device), "amax")
        newest = torch.where(c["key_events"][rows] > 0, torch.maximum(newest, c["key_ts"][rows]), newest)
        elapsed = torch.where(c["key_events"][rows] > 0, newest - c["key_ts"][rows], 0.0)
        fade = torch.pow(0.5, elapsed / self.half_life_ms)
        for name in _BY_KEY[2:4]:
            c[name][rows] = c[name][rows] * fade
        for name in _RECENT:
            c[name][rows] = c[name][rows] * fade.to(torch.float32)[:, None]
        c["key_ts"][rows] = torch.where(rows > 0, newest, 0.0)

    def _count_inputs(self, frame: Frame, values: int) -> None:
        """Count, once an event, the attribute values that occur among the event's own inputs."""
        if frame.match_event.numel() == 0:
            return
        places = torch.unique(frame.match_event * values + frame.match_column)
        event, column = places // values, places % values
        self.tensors["value_seen"].index_add_(0, column, torch.ones_like(column, dtype=torch.float64))
        rows = frame.entity[event]
        known = rows > 0
        ones = torch.ones(int(known.sum()), device=self.device)
        self.tensors["key_value_seen"].view(-1).index_add_(0, (rows * values + column)[known], ones)

    # -- state ----------------------------------------------------------------------------------------------------

    def state(self, key_rows: int) -> Tree:
        """Return everything as a state tree; of keys, the first ``key_rows`` rows."""
        keyed = {*_BY_KEY, *_KEY_OFFER, *_KEY_VALUE}
        tree: Tree = {"totals": dict(self.totals), "reserved": self.tensors["key_taken"].shape[0]}
        tree["tensors"] = {n: (t[:key_rows] if n in keyed else t).cpu().numpy() for n, t in self.tensors.items()}
        return tree

    def restore(self, tree: Tree) -> None:
        """Take back what :meth:`state` returned."""
        self.totals = dict(tree["totals"])
        keyed = {*_BY_KEY, *_KEY_OFFER, *_KEY_VALUE}
        for name, array in tree["tensors"].items():
            rows = tree["reserved"] if name in keyed else array.shape[0]
            tensor = torch.zeros((rows, *array.shape[1:]), dtype=self.tensors[name].dtype, device=self.device)
            tensor[: array.shape[0]] = torch.from_numpy(array.copy()).to(self.device)
            self.tensors[name] = tensor
        self._views = None

    def named(
        self, keys: list[tuple[str, int]], offers: list[tuple[str, int]], values: list[tuple[str, int]]
    ) -> Iterator[tuple[str, object]]:
        """Yield every count by name; the arguments pair names with slots, each sorted by name."""
        c = self.tensors
        yield "counts/totals", dict(self.totals)
        for group, names in ((offers, _BY_OFFER), (values, _BY_VALUE)):
            for label, slot in group:
                yield f"counts/{names[0]}/{label}", [float(c[name][slot]) for name in names]
        offer_slots, value_slots = [slot for _, slot in offers], [slot for _, slot in values]
        arrays = {name: c[name].cpu().numpy() for name in (*_BY_KEY, *_KEY_OFFER, *_KEY_VALUE)}
        for key, row in keys:
            yield (
                f"counts/key/{key}",
                np.concatenate(
                    [np.array([arrays[name][row] for name in _BY_KEY])]
                    + [arrays[name][row, offer_slots].astype(np.float64) for name in _KEY_OFFER]
                    + [arrays[name][row, value_slots].astype(np.float64) for name in _KEY_VALUE]
                ),
            )
