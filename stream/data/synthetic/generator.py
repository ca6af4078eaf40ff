"""The synthetic stream told in order: schema versions and events, each event with its truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stream.data.synthetic.inputs import CHUNK, Floats
from stream.data.synthetic.settings import SyntheticSettings
from stream.data.synthetic.truth import GROUP, TASK, Slice, World


@dataclass(frozen=True, slots=True)
class SyntheticEvent:
    """An interaction and what is true of it.

    Attributes:
        interaction: the contract's JSON object.
        bayes: the least loss that can be expected: the entropy, in nats, of the true probabilities, summed over the
            possible offers.
        realised: the loss of the true probabilities on the labels that were drawn, summed likewise; its mean is that
            of `bayes`, but it shares the labels' chance with a model's loss and so compares with less noise.
        pairs: how many offers were possible.
        offers, logits: the live offers and their true logits `(L,)`.
    """

    interaction: dict[str, Any]
    bayes: float
    realised: float
    pairs: int
    offers: list[str]
    logits: Floats


def generate(settings: SyntheticSettings) -> Iterator[dict[str, Any] | SyntheticEvent]:
    """Yield schema versions (JSON objects) and events, a version just before the first event under it.

    Scheduled changes at or after the last event are left out.

    Raises:
        InvalidVersion, SchemaRejected: the schedule breaks the contract; raised when it takes effect.
    """
    world = World(settings)
    starts = {0: first_changes(settings)}
    starts.update((scheduled.at_event, [*map(dict, scheduled.changes)]) for scheduled in settings.schedule)
    edges = sorted({*range(0, settings.events, CHUNK), *starts, settings.events})
    edges = [edge for edge in edges if edge <= settings.events]
    number = 0
    for first, end in pairwise(edges):
        if first in starts:
            number += 1
            ts = settings.start_ms + first * settings.interval_ms
            version = {"version": number, "ts": ts, "changes": starts[first]}
            world.apply(version)
            yield version
        chunk = first // CHUNK
        part = world.draw(chunk, first - chunk * CHUNK, end - chunk * CHUNK)
        yield from _events(settings, part, first, number)


def first_changes(settings: SyntheticSettings) -> list[dict[str, Any]]:
    """The changes of version 1: the features by kind, then the offers with their groups in turn."""
    counts = (
        ("num", "numeric", settings.numeric),
        ("bool", "boolean", settings.boolean),
        ("cat", "categorical", settings.categorical),
        ("multi", "multi_categorical", settings.multi_categorical),
    )
    changes: list[dict[str, Any]] = [
        {"op": "add_feature", "name": f"{prefix}_{index}", "kind": kind}
        for prefix, kind, count in counts
        for index in range(count)
    ]
    if settings.domains:
        changes.append({"op": "add_feature", "name": settings.domain, "kind": "categorical"})
    changes.extend(
        {"op": "add_label", "name": f"offer_{index}", "attributes": _attributes(settings, index)}
        for index in range(settings.offers)
    )
    return changes


def _attributes(settings: SyntheticSettings, index: int) -> dict[str, str]:
    attributes = {GROUP: f"g{index % settings.groups}"}
    if settings.tasks:
        attributes[TASK] = settings.tasks[index % len(settings.tasks)]
    return attributes


def _events(settings: SyntheticSettings, part: Slice, first: int, version: int) -> Iterator[SyntheticEvent]:
    signed = np.where(part.taken, -part.logits, part.logits)
    log_one_plus = np.logaddexp(0, part.logits)
    probabilities = np.exp(part.logits - log_one_plus)
    bayes = np.sum(log_one_plus - part.logits * probabilities, axis=1, where=part.possible).tolist()
    realised = np.sum(np.logaddexp(0, signed), axis=1, where=part.possible).tolist()
    pairs = part.possible.sum(axis=1).tolist()
    rows, taken = np.nonzero(part.taken)
    labels = [part.offers[offer] for offer in taken.tolist()]
    ends = np.searchsorted(rows, np.arange(1, len(pairs) + 1)).tolist()
    names = list(part.features)
    by_event = zip(*part.features.values(), strict=True) if names else iter([()] * len(pairs))
    start = 0
    for index, values in enumerate(by_event):
        interaction: dict[str, Any] = {
            "id": f"e{first + index}",
            "key": f"u{part.users[index]}",
            "ts": settings.start_ms + (first + index) * settings.interval_ms,
            "features": dict(zip(names, values, strict=True)),
            "labels": labels[start : ends[index]],
        }
        if part.shown:
            interaction["shown"] = part.shown[index]
        if settings.schema_version:
            interaction["schema_version"] = version
        yield SyntheticEvent(interaction, bayes[index], realised[index], pairs[index], part.offers, part.logits[index])
        start = ends[index]
