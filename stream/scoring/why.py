"""Why an offer has its score: named parts that sum to it.

The network's logit is a sum of several: what the output layer makes of the hidden activations, the key's cells, the
cells and flags of input values, and the small network over the running counts. What is a sum is told as it stands.
Inputs pass a trunk that is no sum: each is told by how much the output layer's score moves as the inputs join one after
the other, the mean of two orders, first to last and last to first (an antithetic pair of the orders over which Shapley
values are means: Mitchell, Cooper, Frank and Holmes 2022, "Sampling permutations for Shapley value estimation", JMLR
23). Each order's moves sum to the whole, so the parts do too, whatever the trunk. The key's running counts are told by
what the same network says of nobody. What is left of the score is the experts' say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream.encoding.batch import Batch
from stream.records.interaction import Interaction
from stream.scoring.loops import mixer_parts
from stream.scoring.scorer import Scored, Scorer

__all__ = ["Why", "why"]


@dataclass(frozen=True, slots=True)
class Why:
    """What makes up one score, in log-odds; the parts sum to it within 1e-4."""

    offer: float
    """The offer itself: what everybody is told of it, by its running counts, its attributes and its weights."""
    key: float
    """The key: what it took before, its cells, and its own row among the inputs."""
    inputs: dict[str, float]
    """Each input by its name."""
    experts: float
    """What the mixture with simple experts makes of the network's logit."""

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return self.offer + self.key + self.experts + sum(self.inputs.values())


def why(scorer: Scorer, event: Interaction, offers: Sequence[str]) -> list[Why]:
    """Return, of each of the `offers` that are live, in this order, why the event's score for it is what it is."""
    slots = [slot for name in offers if (slot := scorer.names.offers.offers.get(name)) is not None]
    if not slots:
        return []
    batch = _batch_of(scorer.encode([event]), np.array(slots, dtype=np.int64))
    scored = scorer.score(batch)
    muted = scorer.arrays["offers/muted"]
    parts = _Parts(scorer, batch, scored)
    return [
        Why(float(score), 0.0, dict.fromkeys(scorer.names.features.kinds, 0.0), 0.0)
        if muted[slot]
        else parts.of(place, float(score))
        for place, (slot, score) in enumerate(zip(slots, scored.scores, strict=True))
    ]


class _Parts:
    """What each pair `(P,)` of one event is made of."""

    def __init__(self, scorer: Scorer, batch: Batch, scored: Scored) -> None:
        self._logits = scored.logits.astype(np.float64)
        bare, moves = _moves(scorer, batch)
        for name, found in _direct(scorer, batch).items():
            moves[name] = moves.get(name, 0.0) + found
        nobody, _ = _mixed(scorer, batch, 0)
        own, cells = _mixed(scorer, batch, int(scorer.entities(batch)[0]))
        self._offer = bare + nobody
        self._key = own - nobody + cells + moves.pop(None, 0.0)
        self._inputs = {name: moves.get(name, np.zeros(len(own))) for name in scorer.names.features.kinds}

    def of(self, place: int, score: float) -> Why:
        """Return the parts of the pair in `place`."""
        inputs = {name: float(found[place]) for name, found in self._inputs.items()}
        return Why(float(self._offer[place]), float(self._key[place]), inputs, score - float(self._logits[place]))


ByInput = dict[str | None, np.ndarray]
"""By an input's name; None is the key, which is an input of its own."""


def _slots(scorer: Scorer) -> dict[str | None, int]:
    """Return the categorical slot of each input that has one."""
    slots: dict[str | None, int] = dict(scorer.names.categorical.items())
    if scorer.names.key_slot is not None:
        slots[None] = scorer.names.key_slot
    return slots


def _moves(scorer: Scorer, batch: Batch) -> tuple[np.ndarray, ByInput]:
    """Return the output layer's score `(P,)` without inputs, and how it moves as each joins, in the mean."""
    parts = scorer.inputs.parts(batch, scorer.names.numeric, _slots(scorer))
    order = list(parts)
    z = scorer.inputs.forward(batch)[0]
    steps = np.stack([parts[name] for name in order]) if order else np.zeros((0, len(z)), dtype=np.float32)
    bare = z - steps.sum(0)
    forward, backward = _walk(bare, steps), _walk(bare, steps[::-1])
    scores = _outputs(scorer, batch, np.concatenate([forward, backward]))
    first, second = np.diff(scores[: len(forward)], axis=0), np.diff(scores[len(forward) :], axis=0)
    found = 0.5 * (first + second[::-1])
    return scores[0], {name: found[place] for place, name in enumerate(order)}


def _walk(bare: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the input layer's sum with no input, with the first, with the first two, and so on."""
    return np.concatenate([bare[None], bare + np.cumsum(steps, 0)])


def _outputs(scorer: Scorer, batch: Batch, z: np.ndarray) -> np.ndarray:
    """Return the output layer's score float64 `(n, P)` of the one event's pairs, for variants of `z` `(n, h)`."""
    a = scorer.arrays
    slots = batch.pair_slot
    found = np.zeros((len(z), len(slots)))
    tasks = scorer.task_of_offer[slots] if scorer.trunk.by_task else np.zeros(len(slots), dtype=np.int64)
    for task in np.unique(tasks).tolist():
        chosen = np.flatnonzero(tasks == task)
        hidden = scorer.trunk.forward(z, task, batch)
        found[:, chosen] = hidden @ a["output/offer"][slots[chosen]].T + a["output/offer_bias"][slots[chosen]]
        values = hidden @ a["output/value"].T + a["output/value_bias"]
        for attribute in range(scorer.columns.shape[1]):
            columns = scorer.columns[slots[chosen], attribute]
            found[:, chosen] += np.where(columns >= 0, values[:, columns], 0.0)
    return found


def _direct(scorer: Scorer, batch: Batch) -> ByInput:
    """Return by input what its values' cells and flags add to each pair `(P,)`."""
    of_slot = {slot: name for name, slot in _slots(scorer).items()}
    found: ByInput = {name: np.zeros(len(batch.pair_slot)) for name in of_slot.values()}
    columns = scorer.columns[batch.pair_slot]
    for row, slot, weight in zip(batch.rows.tolist(), batch.row_slot.tolist(), batch.row_weight.tolist(), strict=True):
        found[of_slot[slot]] += scorer.direct(row, slot, weight, columns)
    return found


def _mixed(scorer: Scorer, batch: Batch, key: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a key's running counts make of each pair's logit `(P,)`, and the sum of its cells."""
    found = np.zeros((len(batch.pair_slot), 2))
    mixer_parts(
        batch.pair_slot,
        scorer.columns,
        scorer.task_of_offer,
        scorer.first_of_value,
        key,
        float(batch.ts[0]),
        scorer.half_life_ms,
        scorer.key_strength,
        scorer.keys,
        scorer.cells,
        scorer.mixer,
        scorer.offer_inputs,
        scorer.offer_hidden,
        scorer.lately,
        scorer.often,
        found,
    )
    return found[:, 0], found[:, 1]


def _batch_of(batch: Batch, slots: np.ndarray) -> Batch:
    """Return the batch of one event with these offers as its pairs."""
    number = len(slots)
    batch.pair_event, batch.pair_slot = np.zeros(number, dtype=np.int64), slots
    batch.possible, batch.taken = np.ones(number, dtype=bool), np.zeros(number, dtype=bool)
    batch.offsets = np.array([0, number])
    return batch
