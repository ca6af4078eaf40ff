"""A learner's reports without a learner: what the service would tell its observers, from a seed."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np

from stream.evaluation import EventScore, RankingQuality, WindowedMeasures
from stream.evaluation.measures import RANKING_MEASURES
from stream.observe import Observer, Poll, Start, Step
from stream.records.reasons import WarmupEnd
from stream.report import BatchReport, MixtureReport, SchemaReport, SlotCount, WarmupReport
from stream.schema import Change, Op

CHANGE = Change(Op.REMOVE_FEATURE, "left")


class Clock:
    """A monotonic clock that stands until it is told."""

    def __init__(self, seconds: float = 1_000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def score(quality: RankingQuality | None, popularity: RankingQuality | None = None) -> EventScore:
    """Return a scored event; the second baseline fares as the first."""
    return EventScore("e-1", 1, [], [], [], 8, ["o"] if quality else [], 0.6, 3, 0.9, quality, popularity, popularity)


def window(recall: float | None = 0.4) -> WindowedMeasures:
    """Return a window in which the network's recall is given and every other measure follows from it."""
    if recall is None:
        return WindowedMeasures(
            *(0, 0, None, None, None, None), baselines={"popularity": None, "entity_attribute_counts": None}
        )
    return WindowedMeasures(
        events=1000,
        events_with_labels=600,
        model=RankingQuality(recall, recall - 0.02, recall / 2),
        bce=0.5 - recall / 2,
        micro_auc=0.5 + recall / 2,
        expected_calibration_error=0.03,
        baselines={
            "popularity": RankingQuality(0.32, 0.30, 0.15),
            "entity_attribute_counts": RankingQuality(0.39, 0.37, 0.19),
        },
        running_rate_bce=0.6,
        contested_events=400,
        contested=RankingQuality(recall - 0.1, recall - 0.12, recall / 4),
        contested_baselines={
            "popularity": RankingQuality(0.22, 0.20, 0.1),
            "entity_attribute_counts": RankingQuality(0.29, 0.27, 0.1),
        },
    )


def batch(**changes: Any) -> BatchReport:
    """Return the report of a plain batch of 64 events; the keywords replace fields."""
    plain = BatchReport(
        events=64,
        events_with_labels=40,
        pairs=640,
        loss=0.25,
        logits=np.zeros(640, dtype=np.float32),
        published=np.zeros(640),
        schema_version=3,
        phase="train",
        scores=[],
        read_window=window,
        running_rate_loss=0.0,
        contested_events=0,
        quality_sums={"model": {}, "popularity": {}, "entity_attribute_counts": {}},
        mixture=MixtureReport({"rate": 0.25, "network": 0.75}, {"rate": 40.0, "network": 30.0}, 29.0, 3.0, 640),
        parameters=50_000,
        parameters_frozen=0,
        features_live=20,
        labels_live=120,
        slots={"numeric": SlotCount(12, 3), "categorical": SlotCount(8, 0), "offer": SlotCount(120, 10)},
        labels_dropped=0,
        unknown_features=0,
        unknown_shown=0,
        mistyped_values=0,
        unresolved_values=0,
        drift=False,
        events_trained_total=6_400,
        events_frozen_total=640,
        warmups_total=2,
        event_time_ms=1_485_690_806_000,
        vocabulary={"values": 900, "entities": 250, "attribute_values": 60, "candidates": 40},
    )
    if "window" in changes:
        measures = changes.pop("window")
        changes["read_window"] = lambda: measures
    report = dataclasses.replace(plain, **changes)
    scores = report.scores
    qualities = {
        model: [quality for one in scores if (quality := getattr(one, name)) is not None]
        for model, name in (
            ("model", "quality"),
            ("popularity", "popularity_quality"),
            ("entity_attribute_counts", "entity_attribute_counts_quality"),
        )
    }
    return dataclasses.replace(
        report,
        running_rate_loss=sum(one.running_rate_bce_sum for one in scores),
        contested_events=sum(one.contested for one in scores if one.labels),
        quality_sums={
            model: dict(zip(RANKING_MEASURES, map(sum, zip(*some, strict=True)), strict=False))
            for model, some in qualities.items()
        },
    )


class Script:
    """Plays an endless run to an observer, a step a call: polls, batches, and now and then everything else."""

    def __init__(self, observer: Observer, clock: Any, partitions: int = 4) -> None:
        self._observer, self._clock, self._partitions = observer, clock, partitions
        self._random = random.Random(7)
        self._step = self._events = self._frozen = self._warmups = 0
        self._version, self._warm_left = 1, 0
        settings = {"name": "scripted", "seed": 0, "batch_size": 64, "device": "cpu"}
        observer.started(Start("embedded-log", "carry", settings, None))
        observer.publishing("on", "")
        observer.restored(batch(events_trained_total=0, events_frozen_total=0, warmups_total=0, phase="idle"))

    def step(self) -> None:
        """Tell of one poll and the batch that it filled."""
        observer, chance, number = self._observer, self._random, self._step
        lag = {partition: max(0, 5_000 - 20 * number) + chance.randrange(50) for partition in range(self._partitions)}
        observer.polled(Poll(chance.uniform(0.001, 0.02), 64, lag, self._clock()))
        observer.decoded(chance.uniform(0.0005, 0.002), 64)
        if number % 20 == 5:
            self._change()
        if number % 15 == 3:
            observer.dead_letter(chance.choice(("not_json", "missing_id", "ts_ahead")))
            observer.held(number % self._partitions, 30)
        observer.encoded(chance.uniform(0.001, 0.004), 64)
        self._train(number, chance)
        if number % 10 == 9:
            observer.checkpointed(number // 10 + 1, chance.uniform(0.05, 0.3), 2_000_000 + 1_000 * number)
        if number % 2:
            observer.version_published("delta", number, self._version, 20_000, 0.05)
            observer.publishing_cost(0.002)
        if number % 40 == 1:
            observer.version_published("full", number, self._version, 2_000_000, 0.8)
        self._step += 1

    def _change(self) -> None:
        if self._step % 100 == 65:
            self._observer.schema_rejected(self._version + 1, "version_gap")
            return
        self._version += 1
        # Longer than a scrape is apart: a panel of warm-ups must not depend on when Prometheus looks.
        self._warm_left = 12
        self._warmups += 1
        self._observer.schema_changed(SchemaReport(self._version, changes=[CHANGE] * 5, warmup_started=True), 0.03)

    def _train(self, number: int, chance: random.Random) -> None:
        warm = self._warm_left > 0
        self._events += 64
        self._frozen += 64 if warm else 0
        self._warm_left -= warm
        ended = WarmupReport(self._version, 768, WarmupEnd.FLATTENED, 40_000) if warm and self._warm_left == 0 else None
        recall = 0.45 - 0.2 * 0.98**number + chance.uniform(-0.01, 0.01)
        report = batch(
            loss=0.2 + 0.3 * 0.98**number + (0.05 if warm else 0.0),
            schema_version=self._version,
            phase="warm_up" if warm else "train",
            scores=[score(RankingQuality(recall, recall, recall / 2), RankingQuality(0.32, 0.3, 0.15))] * 40,
            window=window(recall),
            parameters=50_000 + 400 * self._version,
            parameters_frozen=40_000 if warm else 0,
            labels_live=100 + self._version,
            labels=80,
            labels_dropped=chance.randrange(2),
            names_aliased=chance.randrange(2),
            feature_values=400,
            unknown_names={"feature": [("colour", 3 * number + 3)], "label": [("tea", number + 1)], "shown": []},
            unknown_features=chance.randrange(3),
            mistyped_values=chance.randrange(2),
            unresolved_values=chance.randrange(2),
            drift=number % 40 == 30,
            events_trained_total=self._events,
            events_frozen_total=self._frozen,
            warmups_total=self._warmups,
            warmup_ended=ended,
            evictions=chance.randrange(2),
        )
        seconds, ages = chance.uniform(0.004, 0.012), [chance.lognormvariate(0, 2) for _ in range(64)]
        self._observer.trained(Step(report, seconds, ages, 0.9 * seconds))
