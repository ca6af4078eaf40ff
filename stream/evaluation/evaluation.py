"""All measures of a stream, event by event: what each event's predictions were worth before the event was learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.evaluation import loops
from stream.evaluation.calibration import reliability
from stream.evaluation.entity_attribute_counts import EntityAttributeCounts
from stream.evaluation.loss import pair_losses
from stream.evaluation.measure_table import MeasureTable
from stream.evaluation.measures import RANKING_MEASURES
from stream.evaluation.offers import OfferTable
from stream.evaluation.popularity import Popularity
from stream.evaluation.prequential import PrequentialSums
from stream.evaluation.quality import RANKINGS, RankingQuality
from stream.evaluation.running_rate import RunningRate
from stream.evaluation.scored import PLACES, ScoredEvents
from stream.evaluation.scores import BatchScores
from stream.evaluation.settings import EvaluationSettings
from stream.evaluation.windowed import WindowedMeasures
from stream.evaluation.windows import LOSSES, Windows

__all__ = ["Evaluation"]

_FAULTS = {
    1: "a logit is NaN or infinite; the learner must stop before it is measured",
    2: "a slot that was scored holds no offer",
}


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
        self._measures = dict(RANKING_MEASURES)
        self._values = MeasureTable(list(self._measures.values()))
        self._windows = self._new_windows()
        self._finite = self._new_sums() if settings.finite else None

    def _new_windows(self) -> Windows:
        return Windows(self._settings.window_events, len(self._measures))

    def _new_sums(self) -> PrequentialSums:
        reported = [(name, place) for place, name in enumerate(self._measures) if self._measures[name].reported]
        return PrequentialSums(reported, len(self._measures))

    @property
    def evictions(self) -> int:
        """(key, attribute value) counts given up so far because ``max_key_values`` was met."""
        return self._counts.evictions

    def add_offer(self, slot: int, name: str, attributes: Mapping[str, str]) -> None:
        """Start an offer in a free slot; all its counts start anew. Raises ValueError where slot or name is taken."""
        self._offers.add(slot, name)
        self._popularity.add(slot, self._offers.capacity)
        self._counts.add(slot, attributes, self._offers.capacity)

    def remove_offer(self, slot: int) -> None:
        """End the offer in a slot. Counts under its attribute's value stay, its own go."""
        self._offers.remove(slot)
        self._counts.remove(slot)

    def rename_offer(self, slot: int, to: str) -> None:
        """Give the offer in a slot another name; everything counted for it moves along."""
        self._offers.rename(slot, to)

    def update_offer(self, slot: int, attributes: Mapping[str, str]) -> None:
        """Replace the attributes of the offer in a slot; past counts stay under the old value."""
        self._offers.name(slot)
        self._counts.update(slot, attributes)

    def update(self, events: ScoredEvents) -> BatchScores:
        """Score a batch event by event, and let baselines and sums learn each; return the scores in the same order.

        Raises ValueError, before anything is counted, where a logit is not finite or the arrays do not fit together.
        """
        logit = np.asarray(events.logit, dtype=np.float64)
        self._check(events, logit)
        losses, labels, pair_codes = self._lose(events, logit)
        labelled = np.flatnonzero(labels)
        scores, patterns = self._rank(events, logit, losses, labels, labelled)
        rankings = np.empty((len(labelled), len(RANKINGS) * len(self._measures) + 1))
        rankings[:, :-1] = self._values.of(patterns[labelled], labels[labelled])
        rankings[:, -1] = scores.possible[labelled] > PLACES
        scores.rankings = rankings
        if self._finite is not None:
            self._finite.extend(losses, rankings, labelled)
        self._windows.extend(rankings, losses, pair_codes, events.offsets)
        return scores

    def _lose(
        self, events: ScoredEvents, logit: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the (B, 3) losses, the (B,) numbers of labels, and the (P,) codes of the pairs."""
        losses, labels = np.empty((len(events.ids), LOSSES)), np.empty(len(events.ids), dtype=np.int64)
        pair_codes = np.empty(len(logit), dtype=np.int64)
        terms = pair_losses(logit, events.taken)
        loops.totals(events.offsets, events.taken, logit, terms, losses, labels, pair_codes)
        losses[:, 2] = self._rate.score_then_learn(labels, events.offsets[1:] - events.offsets[:-1])
        return losses, labels, pair_codes

    def _rank(
        self,
        events: ScoredEvents,
        logit: NDArray[np.float64],
        losses: NDArray[np.float64],
        labels: NDArray[np.int64],
        labelled: NDArray[np.int64],
    ) -> tuple[BatchScores, NDArray[np.int64]]:
        """Rank, and let the baselines learn; return the scores without qualities, and the (B, 3) patterns."""
        size, counts, popularity = len(events.ids), self._counts, self._popularity
        who = counts.numbers_of(events.keys, labels, labelled)
        best = np.zeros((size, len(RANKINGS), PLACES), dtype=np.int32)
        held, patterns = np.zeros(best.shape), np.zeros(best.shape[:2], dtype=np.int64)
        possible, taken_bounds = np.empty(size, dtype=np.int64), np.empty(size + 1, dtype=np.int64)
        taken = np.empty(int(labels.sum()), dtype=np.int32)
        loops.rank_and_learn(
            *(events.offsets, events.slot, events.possible, events.taken, logit, events.ts, who, self._offers.rank),
            *(popularity.half_life_ms, popularity.table, counts.offers, counts.max_pairs, *counts.arrays()),
            *(best, held, patterns, possible, taken, taken_bounds),
        )
        counts.learned()
        scores = BatchScores(
            ids=events.ids,
            schema_version=events.schema_version,
            names=self._offers.names,
            best=best,
            held=held,
            possible=possible,
            taken=taken,
            taken_bounds=taken_bounds,
            losses=losses,
            labelled=labelled,
        )
        return scores, patterns

    def summary(self) -> dict[str, Any]:
        """Return ``{"model": ..., "baselines": {name: ...}}``, each with the reported measures and ``bce``.

        A finite pass leaves out the first fifth of the labelled events, as the contract has it; a service, which cannot
        know where that ends, gives its lifetime; ``first_fifth_left_out`` says which of the two it is. None stands
        where no event had labels; the baselines' bce is always None.

        The model has its AUC and calibration too, over all pairs of all events in either case: no sums by event are
        kept of them. Beside the contract's rankings stand those over contested events alone (more possible offers than
        places), and beside the model's loss the running rate's, with their ratio, the normalised entropy.
        """
        life = self.lifetime()
        reported = [name for name, measure in self._measures.items() if measure.reported]
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
                **_values(life.model, reported),
                "bce": life.bce if life.events_with_labels else None,
                "contested": _values(life.contested, reported),
                "normalised_entropy": life.normalised_entropy if life.events_with_labels else None,
                **calibrated,
            },
            "baselines": {
                name: {
                    **_values(measures, reported),
                    "bce": None,
                    "contested": _values(life.contested_baselines[name], reported),
                }
                for name, measures in life.baselines.items()
            },
        }

    def window(self) -> WindowedMeasures:
        """Return the measures over the last ``window_events`` events."""
        return self._windows.window()

    def lifetime(self) -> WindowedMeasures:
        """Return the same measures over all events."""
        return self._windows.lifetime()

    def reliability(self) -> list[tuple[float, float, int]]:
        """Return (mean predicted probability, observed rate, pairs) by group of like predictions, over all events."""
        return reliability(self._windows.life_histogram())

    def state(self) -> dict[str, Any]:
        """Return everything as a tree of JSON values and arrays; :meth:`restore` continues from it bit for bit."""
        return {
            "names": list(self._offers.names),
            "popularity": self._popularity.state(),
            "entity_attribute_counts": self._counts.state(),
            "running_rate": self._rate.state(),
            "windows": self._windows.state(),
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
        self._windows = self._new_windows()
        self._windows.restore(state["windows"])
        self._finite = None
        if self._settings.finite and state["finite"] is not None:
            self._finite = self._new_sums()
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
        for part, entries in (("running_rate", self._rate.state()), ("windows", self._windows.named_state())):
            for entry, content in entries.items():
                yield f"evaluation/{part}/{entry}", content

    def _check(self, events: ScoredEvents, logit: NDArray[np.float64]) -> None:
        size = len(events.ids)
        if not size == len(events.keys) == len(events.ts) == len(events.offsets) - 1:
            raise ValueError(
                f"{size} ids do not fit {len(events.keys)} keys, {len(events.ts)} times, {len(events.offsets)} offsets"
            )
        pairs = int(events.offsets[-1])
        if not pairs == len(events.slot) == len(events.possible) == len(events.taken) == len(logit):
            raise ValueError(
                f"the last offset is {pairs}, but there are {len(events.slot)} slots and {len(logit)} logits"
            )
        fault = loops.sound(events.slot, logit, self._counts.offers)
        if fault:
            raise ValueError(_FAULTS[fault])


def _values(quality: RankingQuality | None, names: list[str]) -> dict[str, float | None]:
    return {name: getattr(quality, name) if quality else None for name in names}


def _ratio(model: float | None, rate: float | None) -> float | None:
    return model / rate if model is not None and rate else None
