"""All measures of a stream, event by event: what each event's predictions were worth before the event was learned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.evaluation import calibration
from stream.evaluation.earlier import Earlier
from stream.evaluation.entity_attribute_counts import EntityAttributeCounts
from stream.evaluation.offers import OfferTable
from stream.evaluation.popularity import Popularity
from stream.evaluation.prequential import PrequentialSums
from stream.evaluation.ranking import TOP, qualities, tops
from stream.evaluation.running_rate import RunningRate
from stream.evaluation.scored import EventScore, RankingQuality, ScoredEvents, WindowedMeasures
from stream.evaluation.settings import EvaluationSettings
from stream.evaluation.windows import LOSSES, RANKINGS, Lifetime, Window

__all__ = ["Evaluation"]


class Evaluation:
    """Measure the model beside two baselines that only count, in the order of training (contract, part 6).

    The learner tells it of every change of the offers, by slot, and then of every batch's logits from before its
    training. The baselines are asked for an event's ranking before they learn that event, inside a batch too.
    """

    def __init__(self, settings: EvaluationSettings) -> None:
        self._settings = settings
        self._offers = OfferTable()
        self._popularity = Popularity(settings.popularity_half_life_days)
        self._counts = EntityAttributeCounts(settings.attribute, settings.max_key_values)
        self._rate = RunningRate()
        self._window = Window(settings.window_events)
        self._lifetime = Lifetime()
        self._finite = PrequentialSums() if settings.finite else None

    @property
    def evictions(self) -> int:
        """(key, attribute value) counts given up so far because ``max_key_values`` was met."""
        return self._counts.evictions

    def add_label(self, slot: int, name: str, attributes: Mapping[str, str]) -> None:
        """Start an offer in a free slot; all its counts start anew. Raises ValueError where slot or name is taken."""
        self._offers.add(slot, name)
        self._popularity.add(slot, self._offers.capacity)
        self._counts.add(slot, attributes, self._offers.capacity)

    def remove_label(self, slot: int) -> None:
        """End the offer in a slot. Counts under its attribute's value stay, its own go."""
        self._offers.remove(slot)
        self._counts.remove(slot)

    def rename_label(self, slot: int, to: str) -> None:
        """Give the offer in a slot another name; everything counted for it moves along."""
        self._offers.rename(slot, to)

    def update_label(self, slot: int, attributes: Mapping[str, str]) -> None:
        """Replace the attributes of the offer in a slot; past counts stay under the old value."""
        self._offers.name(slot)
        self._counts.update(slot, attributes)

    def update(self, events: ScoredEvents) -> list[EventScore]:
        """Score a batch event by event, then let baselines and sums learn each; return the scores in the same order.

        Raises ValueError, before anything is counted, where a logit is not finite or the arrays do not fit together.
        """
        logit = events.logit.astype(np.float64)
        _check(events, logit)
        # max(x, 0) - x * y + log(1 + exp(-|x|)): exact where a sigmoid would round to 0 or 1.
        terms = np.maximum(logit, 0.0) - logit * events.taken + np.log1p(np.exp(-np.abs(logit)))
        bounds: list[int] = events.offsets.tolist()
        listed = terms.tolist()
        # The exactly rounded sum is the same in whatever order slots put the pairs.
        sums = [math.fsum(listed[first:last]) for first, last in pairwise(bounds)]
        taken = np.diff(np.append(0, np.cumsum(events.taken))[events.offsets])
        losses = [
            (total, size, self._rate.score_then_learn(count, size))
            for total, size, count in zip(sums, np.diff(events.offsets).tolist(), taken.tolist(), strict=True)
        ]
        scores, rankings, labelled = self._rank_events(events, logit, losses)
        if self._finite is not None:
            self._finite.extend(losses, rankings, labelled)
        rows = np.array(losses, dtype=np.float64).reshape(-1, LOSSES)
        pair_codes = calibration.codes(logit, events.taken)
        self._window.extend(rankings, rows, pair_codes, events.offsets)
        self._lifetime.extend(rankings, rows, pair_codes)
        return scores

    def _rank_events(
        self, events: ScoredEvents, logit: NDArray[np.float64], losses: list[tuple[float, int, float]]
    ) -> tuple[list[EventScore], NDArray[np.float64], NDArray[np.bool_]]:
        """Let the baselines learn; return scores, the labelled events' rows of rankings, and which those events are."""
        rank = self._offers.rank
        possible = np.flatnonzero(events.possible)
        slots, bounds = events.slot[possible], np.searchsorted(possible, events.offsets)
        taken = np.flatnonzero(events.taken)
        taken_bounds = np.searchsorted(taken, events.offsets)
        labels_of = np.diff(taken_bounds)
        event = np.repeat(np.arange(len(labels_of)), labels_of)
        taken_slots = events.slot[taken]
        # Learned in the order of names, so that slots cannot show in the state.
        taken_slots = taken_slots[np.lexsort((rank[taken_slots], event))]

        earlier = Earlier.of(slots, bounds, taken_slots, taken_bounds)
        by_popularity = self._popularity.scores_then_learn(
            slots, np.repeat(events.ts, np.diff(bounds)), taken_slots, events.ts[event], earlier
        )
        by_counts = self._counts.scores_then_learn(events.keys, slots, bounds, taken_slots, taken_bounds, earlier)
        best, best_bounds = tops(np.stack((logit[possible], by_popularity, by_counts)), rank[slots], bounds)
        rows = qualities(events.taken[possible][best], best_bounds, labels_of)
        measured = rows.tolist()

        ranked = [self._offers.names_of(ranking) for ranking in slots[best].tolist()]
        labels = self._offers.names_of(taken_slots.tolist())
        labels_bounds: list[int] = taken_bounds.tolist()
        values = logit[possible][best[0]].tolist()
        sizes: list[int] = np.diff(bounds).tolist()
        scores: list[EventScore] = []
        for b, (first, last) in enumerate(pairwise(best_bounds.tolist())):
            own = labels[labels_bounds[b] : labels_bounds[b + 1]]
            model, popularity, counts = map(RankingQuality._make, measured[b]) if own else (None, None, None)
            scores.append(
                EventScore(
                    id=events.ids[b],
                    schema_version=events.schema_version,
                    top=list(zip(ranked[0][first:last], values[first:last], strict=True)),
                    popularity=ranked[1][first:last],
                    entity_attribute_counts=ranked[2][first:last],
                    possible=sizes[b],
                    labels=own,
                    bce_sum=losses[b][0],
                    bce_pairs=losses[b][1],
                    running_rate_bce_sum=losses[b][2],
                    quality=model,
                    popularity_quality=popularity,
                    entity_attribute_counts_quality=counts,
                )
            )
        labelled = labels_of > 0
        contested = (np.diff(bounds) > TOP)[labelled]
        return scores, np.column_stack((rows[labelled].reshape(-1, RANKINGS), contested)), labelled

    def summary(self) -> dict[str, Any]:
        """Return ``{"model": ..., "baselines": {name: ...}}``, each with ``recall_at_5``, ``ndcg_at_5`` and ``bce``.

        A finite pass leaves out the first fifth of the labelled events, as the contract has it; a service, which cannot
        know where that ends, gives its lifetime; ``first_fifth_left_out`` says which of the two it is. None stands
        where no event had labels; the baselines' bce is always None.

        The model has its AUC and calibration too, over all pairs of all events in either case: no sums by event are
        kept of them. Beside the contract's rankings stand those over contested events alone (more possible offers than
        places), and beside the model's loss the running rate's, with their ratio, the normalised entropy.
        """
        life = self._lifetime.measures()
        calibrated = {
            "micro_auc": life.micro_auc,
            "expected_calibration_error": life.expected_calibration_error,
            "reliability": [
                {"predicted": predicted, "observed": observed, "pairs": pairs}
                for predicted, observed, pairs in self.reliability()
            ],
        }
        if self._finite is not None:
            finite = self._finite.summary()
            entropy = _ratio(finite["model"]["bce"], finite["running_rate"]["bce"])
            model = finite["model"] | {"normalised_entropy": entropy} | calibrated
            return {"first_fifth_left_out": True, **finite, "model": model}
        return {
            "first_fifth_left_out": False,
            "contested_events": life.contested_events,
            "running_rate": {"bce": life.running_rate_bce if life.events_with_labels else None},
            "model": {
                "recall_at_5": life.recall_at_5,
                "ndcg_at_5": life.ndcg_at_5,
                "bce": life.bce if life.events_with_labels else None,
                "contested": _contested(life.contested),
                "normalised_entropy": life.normalised_entropy if life.events_with_labels else None,
                **calibrated,
            },
            "baselines": {
                name: {
                    "recall_at_5": measures.recall_at_5 if measures else None,
                    "ndcg_at_5": measures.ndcg_at_5 if measures else None,
                    "bce": None,
                    "contested": _contested(life.contested_baselines[name]),
                }
                for name, measures in life.baselines.items()
            },
        }

    def window(self) -> WindowedMeasures:
        """Return the measures over the last ``window_events`` events."""
        return self._window.measures()

    def lifetime(self) -> WindowedMeasures:
        """Return the same measures over all events."""
        return self._lifetime.measures()

    def reliability(self) -> list[tuple[float, float, int]]:
        """Return (mean predicted probability, observed rate, pairs) by group of like predictions, over all events."""
        return calibration.reliability(self._lifetime.histogram())

    def state(self) -> dict[str, Any]:
        """Return everything as a tree of JSON values and arrays; :meth:`restore` continues from it bit for bit."""
        return {
            "names": list(self._offers.names),
            "popularity": self._popularity.state(),
            "entity_attribute_counts": self._counts.state(),
            "running_rate": self._rate.state(),
            "window": self._window.state(),
            "lifetime": self._lifetime.state(),
            "finite": None if self._finite is None else self._finite.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` returned, in place of all that was measured here.

        A finite pass can only be continued as one: where the settings want sums per labelled event and the state has
        none, the summary stays the lifetime's; where it has some and the settings want none, they are dropped. Raises
        ConfigurationError where the baseline counted by another attribute.
        """
        self._counts.restore(state["entity_attribute_counts"])
        self._offers = OfferTable.of(state["names"])
        self._popularity.restore(state["popularity"])
        self._rate.restore(state["running_rate"])
        self._window = Window(self._settings.window_events)
        self._window.restore(state["window"])
        self._lifetime.restore(state["lifetime"])
        self._finite = None
        if self._settings.finite and state["finite"] is not None:
            self._finite = PrequentialSums()
            self._finite.restore(state["finite"])

    def named_state(self) -> Iterator[tuple[str, object]]:
        """Yield the entries of the state digest: by name, whatever slots the offers sit in.

        The sums of a finite pass are not among them: a service that a finite pass ends has learned and measured what
        one pass has, and has to show the same digest, though it lacks the rows from before.
        """
        name_of_slot = {slot: name for name, slot in self._offers.live()}
        for slot, name in name_of_slot.items():
            possible, taken, value = self._counts.offer(slot)
            yield f"evaluation/offer/{name}", np.array([*self._popularity.offer(slot), possible, taken])
            yield f"evaluation/offer_value/{name}", value
        yield "evaluation/evictions", self.evictions
        for entry, content in self._counts.named_counts(name_of_slot):
            yield f"evaluation/{entry}", content
        for part, state in (
            ("running_rate", self._rate.state()),
            ("window", self._window.state()),
            ("lifetime", self._lifetime.state()),
        ):
            for entry, content in state.items():
                yield f"evaluation/{part}/{entry}", content


def _contested(quality: RankingQuality | None) -> dict[str, float | None]:
    return {
        "recall_at_5": quality.recall_at_5 if quality else None,
        "ndcg_at_5": quality.ndcg_at_5 if quality else None,
    }


def _ratio(model: float | None, rate: float | None) -> float | None:
    return model / rate if model is not None and rate else None


def _check(events: ScoredEvents, logit: NDArray[np.float64]) -> None:
    size = len(events.ids)
    if not size == len(events.keys) == len(events.ts) == len(events.offsets) - 1:
        raise ValueError(
            f"{size} ids do not fit {len(events.keys)} keys, {len(events.ts)} times, {len(events.offsets)} offsets"
        )
    pairs = int(events.offsets[-1])
    if not pairs == len(events.slot) == len(events.possible) == len(events.taken) == len(logit):
        raise ValueError(f"the last offset is {pairs}, but there are {len(events.slot)} slots and {len(logit)} logits")
    if not np.isfinite(logit).all():
        raise ValueError("a logit is NaN or infinite; the learner must stop before it is measured")
