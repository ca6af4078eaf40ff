"""What a version says of events: the published probability of each offer, and the best of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream.encoding.aliases import resolved
from stream.encoding.batch import Batch
from stream.encoding.encoder import encode
from stream.encoding.vocabulary import Vocabulary
from stream.records.interaction import Interaction
from stream.scoring.cells import pair_cells
from stream.scoring.hidden import Inputs, Trunk
from stream.scoring.loops import BASE_INPUTS, STRENGTH_PAIRS, VALUE_INPUTS, best, direct_parts, offer_parts, score_pairs
from stream.scoring.names import NameIndex
from stream.scoring.version import Names, Published, shares, vocabularies

__all__ = ["TOTALS", "Recommendation", "Scored", "Scorer", "log_odds"]

_BY_OFFER = ("taken", "possible", "taken_recent", "possible_recent")
_BY_VALUE = ("value_taken", "value_expected", "value_taken_recent", "value_expected_recent", "value_seen")
_BY_KEY = ("key_taken", "key_expected", "key_taken_recent", "key_expected_recent", "key_events", "key_ts")
_MIXER = ("pairs/mixer_in", "pairs/mixer_bias", "pairs/mixer_out", "pairs/linear")
TOTALS = ("taken", "possible", "events", "offer_strength", "value_strength", "key_strength", "open_events")
"""The learner's totals that a version has."""
_DENSE_SHARE = 0.25
"""From this share of all (event, offer) pairs on the output layer is one product over all offers."""
_PAIRS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Scored:
    """What is said of a batch's pairs `(P,)`."""

    batch: Batch
    chances: np.ndarray
    """float64: the published probability."""
    logits: np.ndarray
    """float32: the network's own."""

    @property
    def scores(self) -> np.ndarray:
        """The log-odds of the published probability, float64."""
        return np.asarray(np.log(self.chances) - np.log1p(-self.chances))


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One offer for one event."""

    offer: str
    probability: float
    score: float
    """The log-odds of the probability."""


def log_odds(chance: float) -> float:
    """Return the score of a probability."""
    return math.log(chance) - math.log1p(-chance)


class Scorer:
    """One version, ready to score; it never changes, and several threads may ask it at once.

    Whoever hands in `like`, the scorer of the version before, saves what both have in common.
    """

    def __init__(self, version: Published, like: Scorer | None = None) -> None:
        manifest, arrays = version.manifest, version.arrays
        self.manifest, self.arrays = manifest, arrays
        self.schema_version = int(manifest["schema_version"])
        self.events_trained = int(manifest["events_trained"])
        self.event_time_ms: int | None = manifest["event_time_ms"]
        self.names: Names = Names.of(manifest, arrays["offers/columns"], None if like is None else like.names)
        self.shares = shares(manifest)
        self._values: NameIndex = _index(
            arrays["vocabulary/name"], arrays["vocabulary/feature"], None if like is None else like._values
        )
        owners = np.zeros(len(arrays["keys/name"]), dtype=np.int64)
        self._keys: NameIndex = _index(arrays["keys/name"], owners, None if like is None else like._keys)
        self._vocabularies: dict[int, Vocabulary] = (
            like._vocabularies
            if like is not None
            and like._values is self._values
            and like.manifest["vocabularies"] == manifest["vocabularies"]
            else vocabularies(manifest, self._values)
        )
        self._features = copy.copy(self.names.features)
        self._features.rows = copy.copy(self._features.rows)
        self._features.rows.vocabularies = self._vocabularies
        self.inputs = Inputs(arrays, list(self.names.numeric.values()))
        self.trunk = Trunk(arrays, manifest["trunk"])
        self.half_life_ms = float(manifest["settings"]["count_half_life_ms"])
        self.key_strength = float(manifest["totals"]["key_strength"])
        self.prior = float(manifest["settings"]["prevalence"])
        self.keys = tuple(arrays[f"counts/{name}"] for name in _BY_KEY)
        self.cells = pair_cells(arrays, manifest["totals"]["open_events"], self.half_life_ms)
        self.mixer = tuple(arrays[name] for name in _MIXER)
        self.columns, self.task_of_offer = arrays["offers/columns"], arrays["offers/task"]
        self._prepare()

    def _prepare(self) -> None:
        """Make what is an offer's, or an attribute value's, alone."""
        arrays, totals = self.arrays, self.manifest["totals"]
        offers, values = len(arrays["counts/taken"]), len(arrays["counts/value_taken"])
        width, units = len(self.mixer[3]) // len(self.mixer[1]), self.mixer[0].shape[1]
        self.rates = np.full((offers, 3), 0.5)
        self.offer_inputs = np.zeros((offers, 4), dtype=np.float32)
        self.offer_hidden = np.zeros((offers, units), dtype=np.float32)
        self.lately, self.often = np.zeros(values, dtype=np.float32), np.zeros(values)
        offer_parts(
            self.names.slots,
            self.columns,
            self.task_of_offer,
            np.array([totals[name] for name in TOTALS]),
            tuple(arrays[f"counts/{name}"] for name in _BY_OFFER),
            tuple(arrays[f"counts/{name}"] for name in _BY_VALUE),
            self.mixer,
            self.rates,
            self.offer_inputs,
            self.offer_hidden,
            self.lately,
            self.often,
        )
        self.first_of_value = np.zeros(values, dtype=np.int64)
        for attribute in range(self.columns.shape[1]):
            used = self.columns[self.names.slots, attribute]
            used = np.unique(used[used >= 0])
            begin = BASE_INPUTS + attribute * VALUE_INPUTS
            self.first_of_value[used] = arrays["values/task"][used] * width + begin
        rate = totals["taken"] / totals["possible"]
        mixture = self.manifest["mixture"]
        recent = (mixture["recent_taken"] + STRENGTH_PAIRS * rate) / (mixture["recent_pairs"] + STRENGTH_PAIRS)
        self.running = (float(rate), float(recent))

    # -- questions --------------------------------------------------------------------------------------------------

    def encode(self, events: Sequence[Interaction]) -> Batch:
        """Return the events as arrays under the version's schema, as the learner would read them."""
        names = self.names
        named, aliased = resolved(events, names.schema)
        batch = encode(named, self.schema_version, self._features, names.offers)
        batch.names_aliased = aliased
        return batch

    def score(self, batch: Batch) -> Scored:
        """Return the published probability of each pair of a batch of `encode`, and the network's logit."""
        chances, logits = np.empty(batch.pairs), np.empty(batch.pairs, dtype=np.float32)
        start = 0
        while start < len(batch):
            wanted = batch.offsets[start] + _PAIRS_AT_ONCE
            stop = max(start + 1, int(np.searchsorted(batch.offsets, wanted, side="right")) - 1)
            part = batch if (start, stop) == (0, len(batch)) else _part(batch, start, stop)
            pairs = slice(int(batch.offsets[start]), int(batch.offsets[stop]))
            self._score(part, chances[pairs], logits[pairs])
            start = stop
        return Scored(batch, chances, logits)

    def best(self, events: Sequence[Interaction], k: int) -> list[list[Recommendation]]:
        """Return the `k` most probable offers of each event that it could take, best first, ties by name."""
        return self.best_of(self.score(self.encode(events)), k)

    def best_of(self, scored: Scored, k: int) -> list[list[Recommendation]]:
        """Return the same of events that were scored; labels outside `shown` are not among them."""
        batch, chances = scored.batch, scored.chances
        if not batch.possible.all():
            chances = np.where(batch.possible, chances, -1.0)
        k = min(k, int(np.diff(batch.offsets).max(initial=0)))
        found = np.empty((len(batch), k), dtype=np.int64)
        best(batch.offsets, batch.pair_slot, chances, self.names.place_of_name, k, found)
        names = self.names.offers.offers.names
        return [
            [
                Recommendation(str(names[batch.pair_slot[pair]]), float(chances[pair]), log_odds(float(chances[pair])))
                for pair in row
                if pair >= 0 and chances[pair] >= 0.0
            ]
            for row in found.tolist()
        ]

    # -- passes -----------------------------------------------------------------------------------------------------

    def entities(self, batch: Batch) -> np.ndarray:
        """Return the row of each event's key int64 `(B,)`, 0 if it has none."""
        row = self._keys.row
        return np.array([0 if key is None else max(row(key), 0) for key in batch.keys], dtype=np.int64)

    def direct(self, row: int, slot: int, weight: float, columns: np.ndarray) -> np.ndarray:
        """Return what one row of an input adds, past the trunk, to pairs whose attribute values are `(P, A)`."""
        found = np.zeros(len(columns))
        direct_parts(
            row,
            weight,
            self.arrays["input/matches"][row],
            self.arrays["pairs/flags"][slot],
            self.cells,
            columns,
            found,
        )
        return found

    def output(self, hidden: dict[int, np.ndarray], batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return the output layer's scores by pair `(P,)` and by value `(B, values)` for activations by task."""
        a = self.arrays
        by_offer = np.empty(batch.pairs, dtype=np.float32)
        by_value = np.zeros((len(batch), len(a["output/value"])), dtype=np.float32)
        for task, activations in hidden.items():
            chosen: np.ndarray | slice = slice(None)
            columns: np.ndarray | slice = slice(None)
            if len(hidden) > 1:
                chosen = np.flatnonzero(self.task_of_offer[batch.pair_slot] == task)
                columns = np.flatnonzero(a["values/task"] == task)
            weight, bias = a["output/value"][columns], a["output/value_bias"][columns]
            by_value[:, columns] = activations @ weight.T + bias
            event, slot = batch.pair_event[chosen], batch.pair_slot[chosen]
            by_offer[chosen] = _products(activations, a["output/offer"], event, slot) + a["output/offer_bias"][slot]
        return by_offer, by_value

    def _score(self, batch: Batch, chances: np.ndarray, logits: np.ndarray) -> None:
        z = self.inputs.forward(batch)
        tasks = [0]
        if self.trunk.by_task:
            tasks = np.unique(self.task_of_offer[batch.pair_slot]).tolist() or [0]
        hidden = {task: self.trunk.forward(z, task, batch) for task in tasks}
        by_offer, by_value = self.output(hidden, batch)
        a = self.arrays
        score_pairs(
            batch.offsets,
            batch.pair_slot,
            self.columns,
            self.task_of_offer,
            self.first_of_value,
            a["offers/muted"],
            self.prior,
            self.entities(batch),
            batch.ts.astype(np.float64),
            self.half_life_ms,
            self.key_strength,
            self.keys,
            self.cells,
            np.searchsorted(batch.row_event, np.arange(len(batch) + 1)),
            batch.rows,
            batch.row_slot,
            batch.row_weight,
            a["input/matches"],
            a["pairs/flags"],
            by_offer,
            by_value,
            self.mixer,
            self.rates,
            self.offer_inputs,
            self.offer_hidden,
            self.lately,
            self.often,
            self.shares,
            self.running,
            chances,
            logits,
        )


def _part(batch: Batch, start: int, stop: int) -> Batch:
    """Return the events `start:stop` of a batch."""
    rows = slice(*np.searchsorted(batch.row_event, (start, stop)).tolist())
    pairs = slice(int(batch.offsets[start]), int(batch.offsets[stop]))
    return replace(
        batch,
        ids=batch.ids[start:stop],
        keys=batch.keys[start:stop],
        ts=batch.ts[start:stop],
        numeric=batch.numeric[start:stop],
        rows=batch.rows[rows],
        row_event=batch.row_event[rows] - start,
        row_slot=batch.row_slot[rows],
        row_weight=batch.row_weight[rows],
        pair_event=batch.pair_event[pairs] - start,
        pair_slot=batch.pair_slot[pairs],
        listed=batch.listed[start:stop],
        possible=batch.possible[pairs],
        taken=batch.taken[pairs],
        offsets=batch.offsets[start : stop + 1] - batch.offsets[start],
    )


def _index(names: np.ndarray, owners: np.ndarray, like: NameIndex | None) -> NameIndex:
    if like is not None and np.array_equal(like.names, names) and np.array_equal(like.owners, owners):
        return like
    return NameIndex(names, owners)


def _products(hidden: np.ndarray, weight: np.ndarray, event: np.ndarray, slot: np.ndarray) -> np.ndarray:
    """Return the products of activations `(B, h)` and rows of `weight` by pair `(P,)`."""
    if len(slot) >= _DENSE_SHARE * len(hidden) * len(weight):
        return np.asarray((hidden @ weight.T)[event, slot])
    found = np.empty(len(slot), dtype=np.float32)
    bounds = np.searchsorted(event, np.arange(len(hidden) + 1))
    for one, (first, last) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        found[first:last] = weight[slot[first:last]] @ hidden[one]
    return found
