"""The demo stream's published figures, recomputed from its files by an oracle that shares no code with the package."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from stream.data.journey import JourneyFiles
from stream.evaluation import Evaluation, EvaluationSettings, ScoredEvents


@dataclass
class Figures:
    events: int = 0
    labelled: int = 0
    pairs: int = 0
    positives: int = 0
    offers: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    popularity: list[float] = field(default_factory=list)
    entity_attribute_counts: list[float] = field(default_factory=list)

    def after_first_fifth(self, recalls: list[float]) -> float:
        return float(np.mean(recalls[len(recalls) // 5 :]))


def _oracle(files: JourneyFiles) -> Figures:
    """Contract, part 6, word by word, for streams in which offers are shown by campaign and no name comes back."""
    versions = [json.loads(line) for line in files.schema.read_bytes().splitlines()]
    names = sorted(
        (change["name"] for version in versions for change in version["changes"] if change["op"] == "add_label"),
        key=lambda name: name.encode(),
    )
    place = {name: index for index, name in enumerate(names)}  # names ascend, so a stable sort breaks ties by name
    value = np.zeros(len(names), dtype=np.int64)
    values: dict[str, int] = {}
    live: defaultdict[str, set[int]] = defaultdict(set)
    shown: dict[str, np.ndarray] = {}
    popularity, since = np.zeros(len(names)), np.zeros(len(names))
    possible, taken = np.zeros(len(names)), np.zeros(len(names))
    counts: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(400))
    figures = Figures(offers=set(names))
    with files.interactions.open("rb") as lines:
        for line in lines:
            event = json.loads(line)
            while versions and versions[0]["ts"] <= event["ts"]:
                shown.clear()
                for change in versions.pop(0)["changes"]:
                    if change["op"] == "add_label":
                        campaign, category = change["attributes"]["campaign"], change["attributes"]["category"]
                        value[place[change["name"]]] = values.setdefault(category, len(values))
                        live[campaign].add(place[change["name"]])
                    elif change["op"] == "remove_label":
                        for offers in live.values():
                            offers.discard(place[change["name"]])
            for campaign in event["shown"]["campaign"]:
                if campaign not in shown:
                    shown[campaign] = np.array(sorted(live[campaign]), dtype=np.int64)
            ranked = np.sort(np.concatenate([shown[campaign] for campaign in event["shown"]["campaign"]]))
            labels = [place[label] for label in event["labels"]]
            assert set(labels) <= set(ranked.tolist())
            days = event["ts"] / 86_400_000
            of_key = counts[event["key"]]
            if labels:
                decayed = popularity[ranked] * 0.5 ** ((days - since[ranked]) / 28)
                smoothed = of_key[value[ranked]] + 30 * (taken[ranked] + 0.5) / (possible[ranked] + 10)
                for recalls, scores in (
                    (figures.popularity, decayed),
                    (figures.entity_attribute_counts, smoothed),
                ):
                    top = ranked[np.argsort(-scores, kind="stable")[:5]].tolist()
                    recalls.append(len({*top} & {*labels}) / min(5, len(labels)))
                figures.labelled += 1
            possible[ranked] += 1
            popularity[labels] = popularity[labels] * 0.5 ** ((days - since[labels]) / 28) + 1
            since[labels] = days
            taken[labels] += 1
            np.add.at(of_key, value[labels], 1)
            figures.events += 1
            figures.pairs += len(ranked)
            figures.positives += len(labels)
            figures.taken.update(event["labels"])
    return figures


@pytest.fixture(scope="module")
def figures(journey_files: JourneyFiles) -> Figures:
    return _oracle(journey_files)


def test_the_stream_has_the_published_counts(figures: Figures, journey_files: JourneyFiles) -> None:
    assert (figures.events, figures.labelled) == (65_970, 34_292)
    assert (len(figures.offers), len(figures.taken)) == (1_118, 898)
    assert (figures.pairs, figures.positives) == (10_917_598, 156_331)
    assert (journey_files.events, journey_files.events_with_labels) == (figures.events, figures.labelled)
    assert journey_files.offers == len(figures.offers)


def test_the_baselines_have_the_published_recall(figures: Figures) -> None:
    assert round(figures.after_first_fifth(figures.popularity), 4) == 0.3276
    assert round(figures.after_first_fifth(figures.entity_attribute_counts), 4) == 0.4015


def test_the_package_measures_the_same(figures: Figures, journey_files: JourneyFiles) -> None:
    """`stream.evaluation`, fed with the files, agrees with the oracle to the last digits."""
    evaluation = Evaluation(EvaluationSettings(attribute="category", finite=True))
    versions = [json.loads(line) for line in journey_files.schema.read_bytes().splitlines()]
    slots: dict[str, int] = {}
    live: defaultdict[str, list[int]] = defaultdict(list)
    batch: list[tuple[dict[str, Any], list[int]]] = []

    def score() -> None:
        if batch:
            evaluation.update(_scored(batch, slots))
            batch.clear()

    with journey_files.interactions.open("rb") as lines:
        for line in lines:
            event = json.loads(line)
            while versions and versions[0]["ts"] <= event["ts"]:
                score()
                for change in versions.pop(0)["changes"]:
                    if change["op"] == "add_label":
                        slot = slots.setdefault(change["name"], len(slots))
                        live[change["attributes"]["campaign"]].append(slot)
                        evaluation.add_offer(slot, change["name"], change["attributes"])
                    elif change["op"] == "remove_label":
                        slot = slots[change["name"]]
                        next(offers for offers in live.values() if slot in offers).remove(slot)
                        evaluation.remove_offer(slot)
            batch.append((event, [slot for campaign in event["shown"]["campaign"] for slot in live[campaign]]))
            if len(batch) == 64:
                score()
    score()
    measured = evaluation.summary()["baselines"]
    for name, recalls in (
        ("popularity", figures.popularity),
        ("entity_attribute_counts", figures.entity_attribute_counts),
    ):
        assert measured[name]["recall_at_5"] == pytest.approx(figures.after_first_fifth(recalls), abs=1e-12)


def _scored(batch: list[tuple[dict[str, Any], list[int]]], slots: dict[str, int]) -> ScoredEvents:
    slot = np.array([slot for _, possible in batch for slot in possible], dtype=np.int64)
    taken = np.concatenate(
        [np.isin(possible, [slots[label] for label in event["labels"]]) for event, possible in batch]
    )
    return ScoredEvents(
        ids=[event["id"] for event, _ in batch],
        keys=[event["key"] for event, _ in batch],
        ts=np.array([event["ts"] for event, _ in batch], dtype=np.int64),
        schema_version=1,
        offsets=np.cumsum([0, *(len(possible) for _, possible in batch)], dtype=np.int64),
        slot=slot,
        possible=np.ones(len(slot), dtype=bool),
        taken=taken,
        logit=np.zeros(len(slot), dtype=np.float32),
    )
